import { execa } from "execa"
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import { connect, type AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Machine, Result } from "../machines/machine.ts"
import { ask } from "./probe.ts"

let server: Server
let port = 0
const asked: (string | undefined)[] = []
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.headers.authorization)
    response.statusCode = request.url === "/well" ? 200 : 503
    response.end(request.url === "/well" ? "ok" : "not yet")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  port = (server.address() as AddressInfo).port // The server listens on TCP, so the address is an object.
})
afterAll(() => server.close())

/**
 * The part of a machine that a probe uses: the ports of this host, and a command that ends with the status in its first
 * argument.
 */
const machine = {
  connect: (to: number, host: string) =>
    new Promise((resolve, reject) => {
      const socket = connect(to, host, () => resolve(socket)).on("error", reject)
    }),
  run: (argv: readonly string[]): Promise<Result> =>
    Promise.resolve({ command: "", stdout: "", stderr: "it is down\n", exitCode: Number(argv[1]) }),
} as unknown as Machine // A probe uses no other method of a machine.

const noAdministrator = () => Promise.reject(new Error("No administrator is needed."))
const get = (path: string, to = port) =>
  ask(machine, { by: "http", host: "127.0.0.1", port: to, path }, noAdministrator)

describe("http", () => {
  test("status 200 means well", async () => {
    expect(await get("/well")).toEqual({ isWell: true, question: `GET /well on port ${port}`, answer: "200: ok" })
  })

  test("another status means not well, and the answer contains it", async () => {
    expect(await get("/")).toMatchObject({ isWell: false, answer: "503: not yet" })
  })

  test("a port on which no process listens means not well, and the answer contains the error", async () => {
    expect(await get("/well", 1)).toMatchObject({
      isWell: false,
      answer: expect.stringContaining("ECONNREFUSED") as string,
    })
  })

  test("a connection that is never established means not well, after the time that an answer may take", async () => {
    const code =
      'const net = require("net"); net.createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function () { console.log(this.address().port) })'
    const suspended = execa(process.execPath, ["-e", code], { reject: false, stdin: "ignore" })
    const [line] = await once(suspended.stdout, "data")
    suspended.kill("SIGSTOP")
    // The kernel accepts connections for it until its queue is full.
    const queued = Array.from({ length: 4 }, () => connect(Number(line), "127.0.0.1").on("error", () => undefined))
    const probe = { by: "http", host: "127.0.0.1", port: Number(line), path: "/well" } as const
    expect(await ask(machine, probe, noAdministrator, 300)).toMatchObject({
      isWell: false,
      answer: "no answer within 0.3 s",
    })
    for (const socket of queued) socket.destroy()
    suspended.kill("SIGKILL")
    await suspended
  })

  test("the credentials of the administrator are read only if the probe needs them", async () => {
    const probe = {
      by: "http",
      host: "127.0.0.1",
      port,
      path: "/well",
      tls: { trust: [] },
      asAdministrator: true,
    } as const
    expect(await ask(machine, probe, noAdministrator)).toMatchObject({
      isWell: false,
      answer: "No administrator is needed.",
    })
    expect(asked.every((header) => header === undefined)).toBe(true)
  })
})

test("a component is well if its command succeeds", async () => {
  expect(await ask(machine, { by: "command", argv: ["ctr", "0"] }, noAdministrator)).toMatchObject({ isWell: true })
  expect(await ask(machine, { by: "command", argv: ["ctr", "1"] }, noAdministrator)).toEqual({
    isWell: false,
    question: "ctr 1",
    answer: "status 1: it is down",
  })
})
