import { spawn } from "node:child_process"
import { once } from "node:events"
import { expect, test } from "vitest"
import { identify, isAlive } from "./identity.ts"

test("a process is alive only if its start time and boot match", async () => {
  const child = spawn("sleep", ["60"])
  const [pid, start, boot] = identify(child.pid ?? 0)
    .trim()
    .split(" ")
  expect(isAlive(`${pid} ${start} ${boot}\n`)).toBe(true)
  expect(isAlive(`${pid} ${Number(start) - 1} ${boot}`)).toBe(false)
  expect(isAlive(`${pid} ${start} another-boot`)).toBe(false)
  child.kill()
  await once(child, "exit")
  expect(isAlive(`${pid} ${start} ${boot}`)).toBe(false)
  expect(identify(child.pid ?? 0)).toBe(`${pid} gone ${boot}\n`)
  expect(isAlive(identify(child.pid ?? 0))).toBe(false)
  for (const text of ["", "1", `${process.pid} 1`]) expect(isAlive(text)).toBe(false)
})

test("a zombie is not alive", async () => {
  // The shell's child ends. `sleep` replaces the shell and never reads the child's exit status.
  const parent = spawn("sh", ["-c", "true & echo $!; exec sleep 60"])
  const [line] = (await once(parent.stdout, "data")) as [Buffer]
  await expect.poll(() => identify(Number(line.toString()))).toMatch(/ gone /)
  parent.kill()
})

test("the name of a program can contain any character", async () => {
  const child = spawn("sh", ["-c", "printf 'a) Z (b' >/proc/$$/comm; echo named; read -r _"])
  await once(child.stdout, "data")
  expect(isAlive(identify(child.pid ?? 0))).toBe(true)
  child.kill()
})
