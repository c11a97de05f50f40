import { execa } from "execa"
import { existsSync, readdirSync, statSync } from "node:fs"
import { rename, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { packageRoot } from "../../base/settings.ts"
import { sockets } from "../../clients/sockets.ts"
import { done, startSshHost, type SshHost } from "../../proof/testing/ssh-host.ts"
import { workplace, type Workplace } from "../../proof/testing/workplace.ts"
import { makeRunsDir } from "../admission.ts"
import type { Machine } from "../machine.ts"
import { startSandbox } from "../sandbox.ts"
import { HostMachine } from "./host-machine.ts"
import { linkTo } from "./link.ts"
import { loginTo } from "./login.ts"
import { answerFrom, sudoPassword, type AskSecret } from "./sudo.ts"
import { parseHostTarget } from "./target.ts"

const canRun = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")

/** What arrives first on a connection. */
function firstOf(socket: Duplex): Promise<string> {
  return new Promise((seen) => socket.once("data", (chunk: Buffer) => seen(chunk.toString())))
}

/** The host as a user sees it. */
interface Looked extends AsyncDisposable {
  readonly host: HostMachine
}

describe.skipIf(!canRun)("a host over ssh", () => {
  let place: Workplace
  let machine: Machine
  let host: SshHost
  const path = process.env["PATH"]
  beforeAll(async () => {
    place = await workplace()
    makeRunsDir(place.settings)
    machine = (await startSandbox({ name: place.name, binds: [], settings: place.settings })).machine
    host = await startSshHost(machine, place.folder)
    process.env["PATH"] = host.environment.PATH
  })
  afterAll(async () => {
    process.env["PATH"] = path
    await host[Symbol.asyncDispose]()
    await machine.close()
    await place[Symbol.asyncDispose]()
  })

  const log = (target: string, ask?: AskSecret) => loginTo(parseHostTarget(target), place.settings, ask)

  async function look(user: string, ask?: AskSecret): Promise<Looked> {
    const login = await log(host.target(user), ask)
    const opened = await HostMachine.open(
      linkTo(parseHostTarget(host.target(user)), login.folder),
      sudoPassword(login.folder),
    )
    return {
      host: opened,
      [Symbol.asyncDispose]: async () => {
        await opened.close()
        await login[Symbol.asyncDispose]()
      },
    }
  }

  /** The processes of the host, except those of the machine itself and sshd's own. */
  const processes = async () =>
    (await machine.run(["ps", "-e", "-o", "pid=,comm=,args="])).stdout
      .split("\n")
      .filter((line) => !/ ps +ps /.test(line))

  test("runs commands as root, and gives each its own output and status", async () => {
    const looked = await look("root")
    expect(looked.host.name).toBe(place.name)
    expect(looked.host.lacks).toBeUndefined()
    const lines = ["echo out; echo err >&2; exit 3", "printf 'no newline'", "cat", "false; echo unreached", "id -u"]
    const results = await Promise.all(lines.map((line) => looked.host.run(["sh", "-ec", line], { input: "in\nput" })))
    expect(results.map(({ stdout, stderr, exitCode }) => [stdout, stderr, exitCode])).toEqual([
      ["out\n", "err\n", 3],
      ["no newline", "", 0],
      ["in\nput", "", 0],
      ["", "", 1],
      ["0\n", "", 0],
    ])
    expect((await looked.host.run(["printenv", "A"], { env: { A: "it's" } })).stdout).toBe("it's\n")
    const bytes = Buffer.from([0, 1, 10, 255, 10])
    await machine.write("/tmp/bytes", bytes)
    expect(await looked.host.read("/tmp/bytes")).toEqual(bytes)
    await expect(looked.host.read("/tmp/none")).rejects.toMatchObject({ code: "ENOENT" })
    await looked[Symbol.asyncDispose]()
    expect(readdirSync(place.settings.runsDir).filter((name) => name.startsWith("host-"))).toEqual([])
  })

  test("becomes root by one sudo; without sudo, it says what it lacks", async () => {
    await using student = await look("student")
    expect((await student.host.run(["id", "-u"])).stdout).toBe("0\n")
    expect(student.host.lacks).toBeUndefined()
    await using guest = await look("guest")
    expect((await guest.host.run(["id", "-un"])).stdout).toBe("guest\n")
    expect(guest.host.lacks).toMatch(/^needs root on guest@127\.0\.0\.1/)
  })

  test("becomes root with sudo's password, which a person gives once and no other user can read", async () => {
    const given: string[] = []
    const answer = (...answers: readonly string[]) => {
      const left = [...answers]
      return (on: string) => Promise.resolve((given.push(on), left.shift() ?? ""))
    }
    await using worker = await look("worker", answer("wrong", host.password))
    expect(given).toEqual(Array(2).fill("worker@127.0.0.1"))
    const shown = await worker.host.run(["sh", "-c", "id -u; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ"])
    expect(shown.stdout).toMatch(/^0\n/)
    expect(shown.stdout).not.toContain(host.password)
    const [folder = ""] = readdirSync(place.settings.runsDir).filter((name) => name.startsWith("host-"))
    expect(statSync(join(place.settings.runsDir, folder, "sudo")).mode & 0o777).toBe(0o600)
    await using student = await look("student", answer(host.password))
    expect([(await student.host.run(["id", "-u"])).stdout, given.length]).toEqual(["0\n", 2])
  })

  test("becomes root with the password in a file, which is tried once", async () => {
    const file = join(place.folder, "password")
    await writeFile(file, `${host.password}\n`, { mode: 0o600 })
    await using worker = await look("worker", answerFrom(file))
    expect((await worker.host.run(["id", "-u"])).stdout).toBe("0\n")
    await writeFile(file, "wrong\n")
    await expect(log(host.target("worker"), answerFrom(file))).rejects.toThrow(
      `sudo on worker@127.0.0.1 has refused the password in ${file}.`,
    )
  })

  test("looks without root after an empty answer, and refuses after three wrong ones", async () => {
    await using worker = await look("worker", () => Promise.resolve(""))
    expect((await worker.host.run(["id", "-un"])).stdout).toBe("worker\n")
    expect(worker.host.lacks).toMatch(/^needs root on worker@127\.0\.0\.1/)
    const before = readdirSync(place.settings.runsDir)
    await expect(log(host.target("worker"), () => Promise.resolve("wrong"))).rejects.toThrow(
      "sudo on worker@127.0.0.1 has refused 3 passwords",
    )
    expect(readdirSync(place.settings.runsDir)).toEqual(before)
  })

  test("a command that hangs is ended on the host, with its children, and those after it run", async () => {
    await using looked = await look("root")
    const hanging = looked.host.run(["sh", "-c", "sleep 1234; true"], { timeout: 1_000 })
    const next = looked.host.run(["echo", "next"])
    await expect(hanging).rejects.toThrow("had not ended after 1000 ms")
    expect((await next).stdout).toBe("next\n")
    expect((await machine.run(["pgrep", "-x", "-f", "sleep 1234"])).stdout).toBe("")
  })

  test("opens connections as the host sees them, and refuses those that the host refuses", async () => {
    await using looked = await look("student")
    const socket = await looked.host.connect(22)
    expect(await firstOf(socket)).toMatch(/^SSH-2/)
    socket.destroy()
    const closed = await looked.host.connect(1)
    await expect(text(closed)).rejects.toMatchObject({ code: "ECONNREFUSED" })
    const forward = await looked.host.forward(22)
    const outside = connect(Number(forward.address.replace(/^.*:/, "")), "127.0.0.1")
    expect(await firstOf(outside)).toMatch(/^SSH-2/)
    outside.destroy()
  })

  test("lists the processes and sockets that ps and ss list, except its own", async () => {
    await using looked = await look("root")
    const words = ["-e", "--sort=start_time,pid", "-o", "pid=,stat=,comm="]
    const rows = async (of: Machine) =>
      (await of.run(["ps", ...words])).stdout
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .map(([pid, , ...program]) => `${pid} ${program.join("?")}`)
        // These begin and end all the time.
        .filter((line) => !/ (ps|cat|ls|sh|sleep|sshd)$/.test(line))
    await done(machine, ["cp", "/bin/sleep", "/tmp/a (b) c"])
    const { pid } = await machine.spawn(["/tmp/a (b) c", "4321"], { log: "/dev/null" })
    await expect.poll(() => rows(machine), { timeout: 20_000 }).toContain(`${pid} a?(b)?c`)
    expect(await rows(looked.host)).toEqual(await rows(machine))
    for (const filter of [["--listening"], ["--listening", "sport", "=", ":22"], ["--listening", "sport", "=", ":23"]])
      expect(await sockets(looked.host, filter)).toEqual(await sockets(machine, filter))
    // The connection itself is one, and the test machine's agent holds its other end.
    const open = await sockets(looked.host, ["dport", "=", ":22"])
    expect(open.map(({ program }) => program)).not.toContain("sshd")
    expect(open).toEqual(await sockets(machine, ["dport", "=", ":22"]))
  })

  test("refuses a host whose key is not known, and one whose key has changed", async () => {
    await rename(host.knownHosts, `${host.knownHosts}.away`)
    await expect(log(host.target("root"))).rejects.toThrow(
      /The host key of 127\.0\.0\.1 is not known, so nothing was sent to it\. .*ssh -p \d+ root@127\.0\.0\.1$/,
    )
    await rename(`${host.knownHosts}.away`, host.knownHosts)
    await host.changeKey()
    await expect(log(host.target("root"))).rejects.toThrow(
      /shows another host key than the one that is known.*ssh-keygen -R '\[127\.0\.0\.1\]:\d+'/,
    )
    await host.know()
    await (await look("root"))[Symbol.asyncDispose]()
  })

  test("says what to type for a wrong user, a host that does not exist, and one that does not answer", async () => {
    await expect(log(host.target("nobody"))).rejects.toThrow(/does not let nobody log in/)
    await expect(log("ssh://root@host.invalid")).rejects.toThrow("There is no host host.invalid.")
    await expect(log("ssh://root@127.0.0.1:1")).rejects.toThrow(/cannot be reached: .*Connection refused/)
  })

  test("says that the connection was lost, and goes on with nothing", async () => {
    await using looked = await look("root")
    const running = looked.host.run(["sleep", "1000"])
    const lost = expect(running).rejects.toThrow("The connection to root@127.0.0.1 was lost.")
    await host.cut()
    await lost
    await expect(looked.host.run(["true"])).rejects.toThrow("was lost")
    await expect(looked.host.connect(22)).rejects.toThrow("was lost")
    await host.changeKey()
    await host.know()
  })

  test("leaves no process on the host, also if the grader is killed while a command runs", async () => {
    // The test before has cut a connection.
    await expect.poll(processes, { timeout: 20_000 }).not.toContainEqual(expect.stringMatching(/ sleep /))
    const before = await processes()
    const program = `
      import { loginTo } from ${JSON.stringify(join(packageRoot, "dist/machines/host/login.js"))}
      import { linkTo } from ${JSON.stringify(join(packageRoot, "dist/machines/host/link.js"))}
      import { parseHostTarget } from ${JSON.stringify(join(packageRoot, "dist/machines/host/target.js"))}
      import { HostMachine } from ${JSON.stringify(join(packageRoot, "dist/machines/host/host-machine.js"))}
      const target = parseHostTarget(${JSON.stringify(host.target("student"))})
      const { folder } = await loginTo(target, { runsDir: ${JSON.stringify(place.settings.runsDir)} })
      const opened = await HostMachine.open(linkTo(target, folder))
      const running = opened.run(["sleep", "987"])
      console.log("runs")
      await running`
    const grader = execa(process.execPath, ["--input-type=module", "--eval", program], {
      stdin: "ignore",
      reject: false,
    })
    await expect.poll(processes, { timeout: 20_000 }).toContainEqual(expect.stringMatching(/ sleep +sleep 987$/))
    grader.kill("SIGKILL")
    await grader
    await expect.poll(processes, { timeout: 20_000 }).toEqual(before)
    // The next run removes the folder of the killed one.
    await (await look("root"))[Symbol.asyncDispose]()
    expect(readdirSync(place.settings.runsDir).filter((name) => name.startsWith("host-"))).toEqual([])
  })
})
