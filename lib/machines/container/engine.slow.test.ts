import { execa } from "execa"
import { once } from "node:events"
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer as createHttpServer } from "node:http"
import { createServer, type AddressInfo, type Server } from "node:net"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { messageOf } from "../../base/errors.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import { packageRoot, readSettings } from "../../base/settings.ts"
import { startEngine, useEngine, type OwnEngine } from "../../proof/testing/engine.ts"
import { workplace, type Workplace } from "../../proof/testing/workplace.ts"
import { startContainer } from "./container.ts"
import { EngineError, findEngine } from "./engine.ts"
import { ensureImage } from "./image.ts"

const isRoot = process.getuid?.() === 0

let place: Workplace
beforeEach(async () => {
  place = await workplace()
  for (const name of ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"]) vi.stubEnv(name, undefined)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await place[Symbol.asyncDispose]()
})

/** The error for the engine that DOCKER_HOST names. */
async function saidOf(url: string): Promise<string> {
  vi.stubEnv("DOCKER_HOST", url)
  const error: unknown = await findEngine().then(
    ({ description }) => new Error(`it was found: ${description}`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(EngineError)
  expect(messageOf(error)).not.toContain("\n")
  return messageOf(error)
}

/** Lets a server listen on a free loopback port, or on a socket, while an action runs. */
async function serving(server: Server, action: (address: string) => Promise<void>, path?: string): Promise<void> {
  await once(path === undefined ? server.listen(0, "127.0.0.1") : server.listen(path), "listening")
  try {
    await action(path === undefined ? `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix://${path}`)
  } finally {
    server.close()
  }
}

describe("an address without a usable engine", () => {
  test.each<readonly [title: string, url: string, expected: string]>([
    [
      "no socket",
      "unix:///nowhere/docker.sock",
      "There is no engine at unix:///nowhere/docker.sock: the socket does not exist. Start it, or correct DOCKER_HOST.",
    ],
    [
      "no process listens",
      "tcp://127.0.0.1:1",
      "There is no engine at tcp://127.0.0.1:1: no process listens there. Start it, or correct DOCKER_HOST.",
    ],
    [
      "no such host",
      "tcp://engine.invalid:2375",
      "There is no engine at tcp://engine.invalid:2375: its host has no address. Correct DOCKER_HOST.",
    ],
    [
      "ssh",
      "ssh://somebody@somewhere",
      "DOCKER_HOST=ssh://somebody@somewhere names an engine that is reached over ssh: the ports that it publishes cannot be reached from here. Write unix:///path/of/docker.sock or tcp://host:port; with TLS, DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH too.",
    ],
    ...[
      "rubbish",
      "a b",
      "tcp://",
      "unix://",
      "unix://docker.sock",
      "/var/run/docker.sock",
      "127.0.0.1:2375",
      "tcp://127.0.0.1:99999",
    ].map(
      (url) =>
        [
          url,
          url,
          `DOCKER_HOST=${url} is not the address of an engine. Write unix:///path/of/docker.sock or tcp://host:port; with TLS, DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH too.`,
        ] as const,
    ),
  ])("%s", async (_, url, expected) => {
    expect(await saidOf(url)).toBe(expected)
  })

  test.each([
    ["a web page", 200, "text/html", "<html>\nhello</html>"],
    ["other JSON", 200, "application/json", "{}"],
    ["a page that is not there", 404, "text/html", "<html>\nnot found</html>"],
  ])("%s", async (_, status, type, body) => {
    await serving(
      createHttpServer((_request, response) => response.writeHead(status, { "content-type": type }).end(body)),
      async (url) => {
        expect(await saidOf(url)).toMatch(
          /^The server at tcp:\/\/127\.0\.0\.1:\d+ is not a container engine\b.*\. Correct DOCKER_HOST\.$/,
        )
      },
    )
  })

  test("another protocol", async () => {
    await serving(
      createServer((socket) => socket.end("220 mail.example ESMTP\r\n")),
      async (url) => {
        expect(await saidOf(url)).toMatch(/is not a container engine: Parse Error: .*\. Correct DOCKER_HOST\.$/)
      },
    )
  })

  test("a server that closes the connection", async () => {
    await serving(
      createServer((socket) => socket.destroy()),
      async (url) => {
        expect(await saidOf(url)).toMatch(
          /^The server at tcp:\S+ closes the connection\. Correct DOCKER_HOST\. If the engine requires TLS, set DOCKER_TLS_VERIFY=1/,
        )
      },
    )
    await serving(
      createServer((socket) => socket.destroy()),
      async (url) => {
        expect(await saidOf(url)).toMatch(
          /^The server at unix:\S+ closes the connection\. Check that the engine works, or correct DOCKER_HOST\.$/,
        )
      },
      join(place.folder, "closes.sock"),
    )
  })

  test("a server that never answers", async () => {
    const sockets = new Set<{ destroy(): void }>()
    await serving(
      createServer((socket) => sockets.add(socket)),
      async (url) => {
        const before = performance.now()
        expect(await saidOf(url)).toBe(
          `The engine at ${url} does not answer within 10 s. Check that the engine works, and that no firewall stops its answers.`,
        )
        expect(performance.now() - before).toBeLessThan(12_000)
        for (const socket of sockets) socket.destroy()
      },
    )
  })

  test.skipIf(!isRoot)("a socket that belongs to another user", async () => {
    await serving(
      createServer(),
      async (url) => {
        process.seteuid?.(65_534)
        try {
          expect(await saidOf(url)).toMatch(
            /^This user has no permission to use the engine at unix:\S+\. Join the group that its socket belongs to/,
          )
        } finally {
          process.seteuid?.(0)
        }
      },
      join(place.folder, "closed.sock"),
    )
  })

  test("is reported by the command in one line", async () => {
    const { stdout, stderr, exitCode } = await execa(
      process.execPath,
      [join(packageRoot, "dist/cli/main.js"), "up", "--name", place.name],
      {
        reject: false,
        env: {
          BYHAND_MACHINE: "container",
          BYHAND_RUNS: place.settings.runsDir,
          DOCKER_HOST: "unix:///nowhere/docker.sock",
        },
      },
    )
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: "",
      stderr:
        "There is no engine at unix:///nowhere/docker.sock: the socket does not exist. Start it, or correct DOCKER_HOST.",
      exitCode: 1,
    })
  })
})

describe.skipIf(!isRoot)("an engine behind TLS", () => {
  let files: Workplace
  let engine: OwnEngine
  let url: string
  const folder = (name: string) => join(files.folder, name)

  /** A CA, and the certificates that it signs: for an engine at 127.0.0.1, and for a client. */
  async function makeCertificates(where: string): Promise<void> {
    await mkdir(where)
    const openssl = (...args: string[]) => execa("openssl", args, { cwd: where })
    const key = (file: string) => ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file]
    await openssl("req", "-x509", ...key("ca-key.pem"), "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    for (const [name, uses] of [
      ["server-", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth"],
      ["", "extendedKeyUsage=clientAuth"],
    ] as const) {
      await writeFile(join(where, "extensions"), uses)
      await openssl("req", "-new", ...key(`${name}key.pem`), "-out", "request", "-subj", "/CN=byhand")
      await openssl(
        "x509",
        "-req",
        "-in",
        "request",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca-key.pem",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "extensions",
        "-out",
        `${name}cert.pem`,
      )
    }
  }

  beforeAll(async () => {
    files = await workplace()
    await makeCertificates(folder("good"))
    await makeCertificates(folder("other"))
    const free = createServer().listen(0, "127.0.0.1")
    await once(free, "listening")
    const { port } = free.address() as AddressInfo
    await new Promise((closed) => free.close(closed))
    url = `tcp://127.0.0.1:${port}`
    const file = (name: string) => join(folder("good"), name)
    engine = await startEngine(readSettings(), silentProgress, {
      flags: [
        "--host",
        url,
        "--tlsverify",
        "--tlscacert",
        file("ca.pem"),
        "--tlscert",
        file("server-cert.pem"),
        "--tlskey",
        file("server-key.pem"),
      ],
    })
  })
  afterAll(async () => {
    await engine[Symbol.asyncDispose]()
    await files[Symbol.asyncDispose]()
  })
  const withTls = (certificates: string) => {
    vi.stubEnv("DOCKER_TLS_VERIFY", "1")
    vi.stubEnv("DOCKER_CERT_PATH", certificates)
  }

  test("makes a machine, which gets copies of files", async () => {
    withTls(folder("good"))
    vi.stubEnv("DOCKER_HOST", url)
    vi.stubEnv("TESTCONTAINERS_HOST_OVERRIDE", undefined)
    const found = await findEngine()
    expect(found.isLocal).toBe(false)
    await ensureImage(found, readSettings(), silentProgress)
    await writeFile(join(place.folder, "given"), "from here\n")
    const { machine } = await startContainer({
      name: place.name,
      binds: [{ source: join(place.folder, "given"), target: "/root/given" }],
      settings: place.settings,
    })
    try {
      expect((await machine.read("/root/given")).toString()).toBe("from here\n")
    } finally {
      await machine.close()
    }
  })

  test("refuses a client that does not use TLS", async () => {
    expect(await saidOf(url)).toBe(
      `The engine at ${url} requires TLS. Set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem.`,
    )
  })

  test("has a certificate of another CA", async () => {
    withTls(folder("other"))
    expect(await saidOf(url)).toBe(
      `TLS with the engine at ${url} fails: its certificate is not signed by the ca.pem in ${folder("other")}. Name the folder with this engine's files in DOCKER_CERT_PATH.`,
    )
  })

  test("has a certificate for another host name", async () => {
    withTls(folder("good"))
    expect(await saidOf(url.replace("127.0.0.1", "localhost"))).toMatch(
      /^TLS with the engine at \S+ fails: Hostname\/IP does not match certificate's altnames/,
    )
  })

  test("refuses the client's certificate", async () => {
    const mixed = join(place.folder, "mixed")
    await cp(folder("other"), mixed, { recursive: true })
    await cp(join(folder("good"), "ca.pem"), join(mixed, "ca.pem"))
    withTls(mixed)
    expect(await saidOf(url)).toMatch(
      /^TLS with the engine at \S+ fails: it refuses the cert\.pem in \S+: [\w ]+\. Name the folder/,
    )
  })

  test("cannot be used without certificates, or with wrong ones", async () => {
    withTls(join(place.folder, "nowhere"))
    expect(await saidOf(url)).toMatch(
      /^DOCKER_TLS_VERIFY=1, but ca\.pem cannot be read: ENOENT: .*\. Name the folder with ca\.pem, cert\.pem and key\.pem in DOCKER_CERT_PATH\.$/,
    )
    const wrong = join(place.folder, "wrong")
    await cp(folder("good"), wrong, { recursive: true })
    await writeFile(join(wrong, "key.pem"), await readFile(join(folder("other"), "key.pem")))
    withTls(wrong)
    expect(await saidOf(url)).toBe(
      `DOCKER_TLS_VERIFY=1, but the files in ${wrong} are not a certificate and its key: key values mismatch. Name the folder with ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH.`,
    )
    await rm(join(wrong, "cert.pem"))
    expect(await saidOf(url)).toMatch(/^DOCKER_TLS_VERIFY=1, but cert\.pem cannot be read: ENOENT/)
  })

  test("is a server without TLS", async () => {
    withTls(folder("good"))
    await serving(
      createHttpServer((_, response) => response.end()),
      async (plain) => {
        expect(await saidOf(plain)).toBe(
          `The server at ${plain} does not use TLS. Unset DOCKER_TLS_VERIFY, or correct DOCKER_HOST.`,
        )
      },
    )
  })
})

describe.skipIf(!isRoot)("an engine that cannot read the files of this host", () => {
  test.each([
    ["does not have the files", 'mount -t tmpfs tmpfs "$SHARED"'],
    [
      "has another file of the same name",
      'mount -t tmpfs tmpfs "$SHARED"; echo "from there" >"$SHARED/given"; mount -t tmpfs tmpfs "$RUNS"',
    ],
  ])("%s", async (_, before) => {
    const shared = join(place.folder, "shared")
    await mkdir(place.settings.runsDir)
    await mkdir(shared)
    await writeFile(join(shared, "given"), "from here\n")
    await using _engine = await useEngine({ before: `SHARED='${shared}' RUNS='${place.settings.runsDir}'\n${before}` })
    const { machine } = await startContainer({
      name: place.name,
      binds: [{ source: join(shared, "given"), target: "/root/given" }],
      settings: place.settings,
    })
    try {
      expect((await machine.read("/root/given")).toString()).toBe("from here\n")
    } finally {
      await machine.close()
    }
  })
})
