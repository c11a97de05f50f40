import { createHash } from "node:crypto"
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import type { Progress } from "../base/progress.ts"
import { silentProgress } from "../base/progress-silent.ts"
import { readSettings } from "../base/settings.ts"
import { architecture } from "./architecture.ts"
import { officialRelease } from "./official-release.ts"
import { resolveBinaries } from "./resolve.ts"
import type { Order } from "./source.ts"

const cniFile = `cni-plugins-linux-${architecture}-v1.9.1.tgz`
const cniPath = `/github.com/containernetworking/plugins/releases/download/v1.9.1/${cniFile}`
const kubectlPath = `/dl.k8s.io/release/v1.37.2/bin/linux/${architecture}/kubectl`

/** As large as needs several reads. */
const kubectl = Buffer.from(`#!/bin/sh\necho "Client Version: v1.37.2"\nexit\n${"#".repeat(2_000_000)}\n`)
let cni: Buffer

beforeAll(async () => {
  const { loopback } = Object.fromEntries(await resolveBinaries(["loopback"], readSettings(), silentProgress))
  const folder = await mkdtemp(join(tmpdir(), "byhand-archive-"))
  await copyFile(loopback?.path ?? "", join(folder, "loopback"))
  await execa("tar", ["-czf", "archive.tgz", "./loopback"], { cwd: folder })
  cni = await readFile(join(folder, "archive.tgz"))
  await rm(folder, { recursive: true })
})

describe("the official release, from a mirror", () => {
  type Handler = (request: IncomingMessage, response: ServerResponse) => void
  let files: Map<string, Buffer | Handler>
  let requests: string[]
  let mirror: string
  let folder: string
  let progress: Progress
  let notes: string[]
  let reports: [number, number, string][]

  const server = createServer((request, response) => {
    requests.push(`${request.url ?? ""}${request.headers.range === undefined ? "" : ` ${request.headers.range}`}`)
    const file = files.get(request.url ?? "")
    if (typeof file === "function") file(request, response)
    else serve(file, request, response)
  })

  beforeEach(async () => {
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })
    mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // It listens on TCP.
    folder = await mkdtemp(join(tmpdir(), "byhand-release-"))
    files = new Map([
      [cniPath, cni],
      [`${cniPath}.sha512`, Buffer.from(`${digest(cni, "sha512")}  ${cniFile}\n`)],
      [kubectlPath, kubectl],
      [`${kubectlPath}.sha256`, Buffer.from(digest(kubectl, "sha256"))], // The .sha512 is not there.
    ])
    requests = []
    notes = []
    reports = []
    progress = {
      task: (_, work) =>
        work((...report) => {
          reports.push(report)
        }),
      note: (sentence) => {
        notes.push(sentence)
      },
    }
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
    server.closeAllConnections()
    await new Promise((resolve) => {
      server.close(resolve)
    })
    await rm(folder, { recursive: true })
  })

  const order = (tool: "kubectl" | "loopback"): Order => ({
    ...(tool === "kubectl" ? { group: "kubernetes", version: "1.37.2" } : { group: "cni-plugins", version: "1.9.1" }),
    tools: [tool],
    progress,
    settings: readSettings({ BYHAND_CACHE: folder, BYHAND_MIRROR: `${mirror}/`, BYHAND_KEEP_BUILD: "1" }),
  })
  const find = async (tool: "kubectl" | "loopback") => {
    const answer = await officialRelease.find(order(tool), folder)
    return { binary: answer.found[0], why: answer.misses.map(({ why }) => why).join("\n") }
  }
  const downloads = () => requests.filter((request) => request.startsWith(kubectlPath) && !request.includes(".sha"))

  test("is verified and unpacked, prints the right version, and reports the progress in bytes", async () => {
    const { binary } = await find("loopback")
    expect(binary).toMatchObject({ name: "loopback", version: "1.9.1", source: "the official release" })
    expect((await execa(binary?.path ?? "", ["--version"])).stderr).toContain("CNI loopback plugin v1.9.1")
    expect(reports.at(-1)).toEqual([cni.length, cni.length, "bytes"])
    expect(requests).toEqual([`${cniPath}.sha512`, cniPath])
  })

  test("is stored in the cache and not downloaded again", async () => {
    const { settings } = order("loopback")
    const first = await resolveBinaries(["loopback"], settings, progress)
    const asked = requests.length
    expect(await resolveBinaries(["loopback"], settings, progress)).toEqual(first)
    expect(first.get("loopback")?.source).toBe("the official release")
    expect(requests.length).toBe(asked)
  })

  test("is resumed after two interruptions", async () => {
    let cuts = 2
    files.set(kubectlPath, (request, response) => {
      if (cuts-- > 0) serve(kubectl, request, response, 700_000)
      else serve(kubectl, request, response)
    })
    expect((await find("kubectl")).binary?.version).toBe("1.37.2")
    expect(downloads()).toHaveLength(3)
    const starts = downloads().map((request) => Number(/bytes=(\d+)-/.exec(request)?.[1] ?? 0))
    expect(starts[0]).toBe(0)
    expect(starts[2]).toBeGreaterThan(starts[1] ?? 0)
    expect(starts[1]).toBeGreaterThan(0)
  })

  test("is resumed from the partial file of an earlier run; if that file is corrupted, it is downloaded from the start", async () => {
    const part = join(folder, "downloads", kubectlPath.slice(1).replaceAll("/", "_"))
    await mkdir(join(folder, "downloads"))
    await writeFile(part, kubectl.subarray(0, 1000))
    expect((await find("kubectl")).binary?.version).toBe("1.37.2")
    await writeFile(part, "rubbish")
    expect((await find("kubectl")).binary?.version).toBe("1.37.2")
    await writeFile(part, Buffer.concat([kubectl, kubectl]))
    expect((await find("kubectl")).binary?.version).toBe("1.37.2")
    expect(downloads().map((request) => request.split(" ")[1])).toEqual([
      "bytes=1000-",
      "bytes=7-",
      undefined,
      `bytes=${kubectl.length * 2}-`,
      undefined,
    ])
  })

  test("with a wrong checksum is removed and named in a note", async () => {
    files.set(kubectlPath, Buffer.concat([kubectl, Buffer.from("evil")]))
    const { binary, why } = await find("kubectl")
    expect(binary).toBeUndefined()
    expect(why).toContain(`${mirror}${kubectlPath} is corrupted: its digest is`)
    expect(notes).toEqual([expect.stringContaining("It was removed.")])
    expect(downloads()).toHaveLength(1)
  })

  test("is not used if its checksum file does not list it", async () => {
    files.set(`${cniPath}.sha512`, Buffer.from(`${digest(cni, "sha512")}  another.tgz\n`))
    expect((await find("loopback")).why).toBe(`${mirror}${cniPath}.sha512 has no digest of ${cniFile}`)
    expect(requests).not.toContain(cniPath)
  })

  test("is requested only once if the server refuses, and the next source is used", async () => {
    files.set(`${cniPath}.sha512`, (_, response) => {
      response.writeHead(403).end()
    })
    files.delete(cniPath)
    const found = await resolveBinaries(
      ["loopback"],
      { ...order("loopback").settings, cacheDir: await warmGo(folder) },
      progress,
    )
    expect(found.get("loopback")).toMatchObject({ version: "1.9.1", source: "Go modules" })
    expect(requests).toEqual([`${cniPath}.sha512`, `${cniPath}.sha256`])
  })

  test("is requested again if the server is busy at first", async () => {
    let refusals = 1
    files.set(kubectlPath, (request, response) => {
      if (refusals-- > 0) response.writeHead(503).end()
      else serve(kubectl, request, response)
    })
    expect((await find("kubectl")).binary?.version).toBe("1.37.2")
  })

  test("on an unreachable host: only one request is made, not one for each tool", async () => {
    const asked = vi.spyOn(globalThis, "fetch")
    const { settings } = order("kubectl")
    const answers = await Promise.all(
      (["kubectl", "loopback"] as const).map((tool) =>
        officialRelease.find({ ...order(tool), settings: { ...settings, mirror: "http://byhand.invalid" } }, folder),
      ),
    )
    expect(answers.map(({ misses }) => misses)).toEqual(
      Array(2).fill([
        {
          source: "the official release",
          why: expect.stringMatching(/^byhand\.invalid cannot be reached: .*(ENOTFOUND|EAI_AGAIN)/) as string,
        },
      ]),
    )
    expect(asked).toHaveBeenCalledTimes(1)
  })

  function serve(
    file: Buffer | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    cutAfter?: number,
  ): void {
    if (file === undefined) return void response.writeHead(404).end()
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0)
    if (start >= file.length) return void response.writeHead(416).end()
    response.writeHead(start > 0 ? 206 : 200, { "content-length": file.length - start })
    if (cutAfter === undefined) response.end(file.subarray(start))
    else
      response.write(file.subarray(start, start + cutAfter), () =>
        setTimeout(() => {
          response.destroy()
        }, 100),
      )
  }
})

function digest(data: Buffer, algorithm: string): string {
  return createHash(algorithm).update(data).digest("hex")
}

/** A new cache that shares Go's modules and builds with the project's own. */
async function warmGo(folder: string): Promise<string> {
  const go = join(readSettings().cacheDir, "go")
  await mkdir(go, { recursive: true })
  await symlink(go, join(folder, "go"))
  return folder
}
