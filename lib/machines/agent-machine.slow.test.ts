import { createServer, get } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { useEngine, type OwnEngine } from "../proof/testing/engine.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"
import { CommandTimeoutError, MachineError } from "./agent-machine.ts"
import type { Machine } from "./machine.ts"
import type { Kind } from "./provider.ts"
import { providerOf } from "./providers.ts"

const isRoot = process.getuid?.() === 0
const kinds: readonly Kind[] = isRoot ? ["sandbox", "container"] : ["sandbox"] // A test's own Docker engine needs root.

let engine: OwnEngine | undefined
beforeAll(async () => {
  engine = isRoot ? await useEngine() : undefined
})
afterAll(() => engine?.[Symbol.asyncDispose]())

describe.each(kinds)("a %s", (kind) => {
  let place: Workplace
  let machine: Machine
  const start = async () => (await providerOf(kind, place.settings).start({ name: place.name, binds: [] })).machine
  beforeAll(async () => {
    place = await workplace({ BYHAND_MACHINE: kind })
    machine = await start()
  })
  afterAll(async () => {
    await machine.close()
    await place[Symbol.asyncDispose]()
  })

  const sh = (line: string) => machine.run(["sh", "-c", line])
  const node = (program: string) => machine.spawn(["/run/byhand/node", "-e", program], { log: "/tmp/node.log" })

  /** An HTTP server on the machine. It answers with the request's body in upper case. */
  async function echoServer(port: number) {
    const server = await node(
      `require("http").createServer((q,s)=>{let b="";q.on("data",c=>b+=c).on("end",()=>s.end(b.toUpperCase()||"HELLO"))}).listen(${port},"127.0.0.1")`,
    )
    await expect.poll(async () => (await sh(`ss -tln sport = :${port} | grep LISTEN`)).exitCode).toBe(0)
    return server
  }

  describe("run", () => {
    test("returns the output and the exit code of a command", async () => {
      expect(await machine.run(["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({
        command: "sh -c 'echo out; echo err >&2; exit 3'",
        stdout: "out\n",
        stderr: "err\n",
        exitCode: 3,
      })
    })

    test("returns 128 + the signal's number, as a shell does", async () => {
      expect((await sh("kill -9 $$")).exitCode).toBe(137)
    })

    test("passes the input to a command unchanged, also a large one", async () => {
      const input = Buffer.alloc(3_000_000, "0123456789abcdef\xff\0", "latin1")
      expect((await machine.run(["sha256sum"], { input })).stdout).toBe(
        (await machine.run(["sh", "-c", "cat | sha256sum"], { input })).stdout,
      )
      expect((await machine.run(["wc", "-c"], { input })).stdout).toBe("3000000\n")
      expect((await machine.run(["cat"])).stdout).toBe("") // Without input, stdin is empty.
    })

    test("a command can end without reading its input", async () => {
      expect((await machine.run(["true"], { input: Buffer.alloc(3_000_000) })).exitCode).toBe(0)
    })

    test("passes output on as it arrives", async () => {
      const seen: string[] = []
      await machine.run(["sh", "-c", "echo one; sleep 0.1; echo two"], {
        onOutput: (chunk) => seen.push(chunk.toString()),
      })
      expect(seen).toEqual(["one\n", "two\n"])
    })

    test("names the program that is not there", async () => {
      await expect(machine.run(["kubektl"])).rejects.toThrow(
        /^kubektl: spawn kubektl ENOENT\. Check the path and the spelling\.$/,
      )
      await expect(machine.run(["kubektl"])).rejects.toBeInstanceOf(MachineError)
    })

    test("a command that exceeds its timeout is killed with its children; the error contains its output", async () => {
      const late = machine.run(["sh", "-c", "echo started; sleep 4711 & sleep 4712"], { timeout: 2_000 })
      await expect(late).rejects.toBeInstanceOf(CommandTimeoutError)
      await expect(late).rejects.toThrow(/had not ended after 2000 ms\. .*It printed: started/)
      await expect.poll(async () => (await sh("pgrep -f 'sleep 471[12]'")).stdout).toBe("")
    })

    test("a caller can end a command early", async () => {
      const abort = new AbortController()
      const late = machine.run(["sleep", "4713"], { signal: abort.signal })
      await expect.poll(async () => (await sh("pgrep -f '[s]leep 4713'")).exitCode).toBe(0)
      abort.abort()
      await expect(late).rejects.toBeInstanceOf(CommandTimeoutError)
      await expect.poll(async () => (await sh("pgrep -f '[s]leep 4713'")).exitCode).toBe(1)
      await expect(machine.run(["sleep", "4714"], { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
        CommandTimeoutError,
      )
    })

    test("does not pass on this process's environment", async () => {
      process.env["SECRET_OF_THE_HOST"] = "1"
      expect((await machine.run(["env"])).stdout).not.toContain("SECRET_OF_THE_HOST")
      expect((await machine.run(["env"], { env: { GIVEN: "2" } })).stdout).toContain("GIVEN=2")
    })
  })

  describe("spawn", () => {
    test("the process runs in the background, writes its log, and its end is reported", async () => {
      const spawned = await machine.spawn(["sh", "-c", "echo $$; echo oops >&2; sleep 0.1; exit 7"], {
        log: "/tmp/deep/er/spawn.log",
      })
      expect(await spawned.exit).toEqual({ code: 7, signal: null })
      expect((await machine.read("/tmp/deep/er/spawn.log")).toString()).toBe(`${spawned.pid}\noops\n`)
    })

    test("a second start appends to the log", async () => {
      for (const word of ["one", "two"]) await (await machine.spawn(["echo", word], { log: "/tmp/twice.log" })).exit
      expect((await machine.read("/tmp/twice.log")).toString()).toBe("one\ntwo\n")
    })

    test("reports the signal that ended the process", async () => {
      const spawned = await machine.spawn(["sleep", "60"], { log: "/tmp/sleep.log" })
      await machine.run(["kill", "-TERM", String(spawned.pid)])
      expect(await spawned.exit).toEqual({ code: null, signal: "SIGTERM" })
    })

    test("names the program that is not there", async () => {
      await expect(machine.spawn(["etdc"], { log: "/tmp/none.log" })).rejects.toThrow(
        /^etdc could not be started: .*ENOENT/,
      )
    })
  })

  describe("files", () => {
    test("are read as they were written, with folders and mode", async () => {
      const content = Buffer.alloc(2_000_000, "\0\xffbyhand", "latin1")
      await machine.write("/etc/a/b/c", content, 0o600)
      expect((await machine.read("/etc/a/b/c")).equals(content)).toBe(true)
      expect((await sh("stat -c '%a %u' /etc/a/b/c")).stdout).toBe("600 0\n")
      await machine.write("/etc/a/b/c", "", 0o644)
      expect((await sh("stat -c '%a %s' /etc/a/b/c")).stdout).toBe("644 0\n")
    })

    test("that do not exist are named in the error", async () => {
      await expect(machine.read("/etc/nothing")).rejects.toThrow(
        /^\/etc\/nothing cannot be read: .*ENOENT.* Check the path/,
      )
      await expect(machine.write("/etc/hostname/file", "x")).rejects.toThrow(/^\/etc\/hostname\/file cannot be written/)
    })
  })

  describe("ports", () => {
    test("connect reaches a port of the machine", async () => {
      const server = await echoServer(3001)
      await using connection = Object.assign(await machine.connect(3001), {
        [Symbol.asyncDispose]: async () => {
          connection.destroy()
        },
      })
      connection.write("GET / HTTP/1.0\r\n\r\n")
      expect(await text(connection)).toContain("HELLO")
      await machine.run(["kill", String(server.pid)])
    })

    test("connect fails if no process listens on the machine, even if a process on this host listens on that port", async () => {
      const outside = createServer().listen(0, "127.0.0.1")
      const address = outside.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const refused = machine.connect(port)
      await expect(refused).rejects.toMatchObject({ code: "ECONNREFUSED" })
      await expect(refused).rejects.toThrow(/No process listens there/)
      outside.close()
    })

    test("forward opens a port on this host; it is reset if no process listens on the machine, and closed after dispose", async () => {
      const forward = await machine.forward(3002)
      const ask = () =>
        new Promise<string>((resolve, reject) => {
          get(`http://${forward.address}`, { agent: false }, (response) => {
            text(response).then(resolve, reject)
          }).on("error", reject)
        })
      await expect(ask()).rejects.toThrow(/ECONNRESET|socket hang up/)
      const server = await echoServer(3002)
      expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(Array.from({ length: 20 }, () => "HELLO"))
      await machine.run(["kill", String(server.pid)])
      await forward[Symbol.asyncDispose]()
      await expect(ask()).rejects.toThrow(/ECONNREFUSED/)
    })
  })

  test("when the machine ends, all pending calls fail or resolve at once", async () => {
    const other = await start()
    const running = other.run(["sleep", "60"])
    const spawned = await other.spawn(["sleep", "60"], { log: "/tmp/sleep.log" })
    await sleep(100)
    const ended = expect(running).rejects.toThrow(`The machine ${place.name} has ended. Start it again.`)
    await other.close()
    await ended
    expect(await spawned.exit).toEqual({ code: null, signal: "SIGKILL" })
    await expect(other.run(["true"])).rejects.toThrow(/has ended/)
  })
})
