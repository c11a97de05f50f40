import { execa } from "execa"
import { existsSync } from "node:fs"
import { appendFile, mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { architecture } from "../binaries/architecture.ts"
import { digestOf } from "../binaries/digest.ts"
import { resolveBinaries, type Binaries } from "../binaries/resolve.ts"
import { silentProgress } from "../base/progress-silent.ts"
import type { Progress } from "../base/progress.ts"
import { readSettings, type Settings } from "../base/settings.ts"
import { pull, PullError } from "./pull.ts"
import { NoImageError, resolveImages, type Image } from "./resolve.ts"

const unreachable = "http://127.0.0.1:9" // No process listens on port 9 (discard).

describe.skipIf(!existsSync("/usr/bin/apt-get"))("images", () => {
  let binaries: Binaries
  let crane: string
  let folder: string
  const settings = (mirror: string, cache = "cache") =>
    readSettings({ BYHAND_CACHE: join(folder, cache), BYHAND_MIRROR: mirror })
  const resolve = (given: Settings, progress: Progress = silentProgress) => resolveImages(binaries, given, progress)

  beforeAll(async () => {
    binaries = await resolveBinaries(["crane", "catatonit"], readSettings(), silentProgress)
    crane = binaries.get("crane")?.path ?? ""
  }, 300_000)
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "byhand-images-"))
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true, force: true })
  })

  /** Starts a registry on a free port. It ends when it is disposed. */
  async function registry() {
    const serving = execa(crane, ["registry", "serve", "--address", "127.0.0.1:0"], { reject: false })
    const port = await new Promise<string>((found) =>
      serving.stderr.on("data", (line: Buffer) => {
        const port = line.toString().match(/serving on port (\d+)/)?.[1]
        if (port !== undefined) found(port)
      }),
    )
    return {
      address: `127.0.0.1:${port}`,
      [Symbol.asyncDispose]: async () => {
        serving.kill("SIGKILL")
        await serving
      },
    }
  }
  const push = ({ archive, reference }: Image, address: string) =>
    execa(crane, ["push", archive, `${address}/${reference}`, "--insecure"])

  test("are made on this host if the registry refuses; they are identical each time and can be pushed", async () => {
    const first = await resolve(settings(unreachable))
    const second = await resolve(settings(unreachable, "cache2"))
    expect(first.pause).toMatchObject({ reference: "registry.k8s.io/pause:3.10.2", source: "made here from catatonit" })
    expect(first.nginx).toMatchObject({
      reference: "docker.io/library/nginx:latest",
      source: "made here from Debian's nginx and busybox-static",
    })
    expect(await digestOf(first.nginx.archive)).toBe(await digestOf(second.nginx.archive))
    expect(await digestOf(first.pause.archive)).toBe(await digestOf(second.pause.archive))

    await using local = await registry()
    await push(first.pause, local.address)
    const { stdout } = await execa(crane, ["config", `${local.address}/${first.pause.reference}`, "--insecure"])
    expect(JSON.parse(stdout)).toMatchObject({
      architecture,
      os: "linux",
      config: { Entrypoint: ["/catatonit", "-P"] },
    })
  }, 60_000)

  test.skipIf(process.getuid?.() !== 0)(
    "run: nginx serves its page, logs to both outputs, and has a shell beside it",
    async () => {
      const { nginx } = await resolve(settings(unreachable))
      const root = join(folder, "root")
      await mkdir(root)
      await using local = await registry()
      await push(nginx, local.address)
      await execa("sh", [
        "-c",
        `"$1" export --insecure "$2" - | (umask 077; tar -x -C "$3")`,
        "sh",
        crane,
        `${local.address}/${nginx.reference}`,
        root,
      ])

      const run = `
      ip link set lo up; mkdir dev proc; mount -t proc proc proc; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
      mount -t tmpfs tmpfs tmp; touch dev/null; mount --bind /dev/null dev/null
      chroot . nginx -v
      chroot . sh -c 'cat /etc/group >/dev/null && echo shell'
      chroot . nginx -g "daemon off;" >../requests 2>../errors &
      curl --silent --retry-connrefused --retry 20 --retry-delay 1 --fail http://127.0.0.1/ || true
      curl --silent http://127.0.0.1/nothing >/dev/null`
      const { stdout, stderr } = await execa(
        "unshare",
        ["--net", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", run],
        { cwd: root },
      )
      expect(stderr).toMatch(/^nginx version: nginx\/\d/m)
      expect(stdout).toMatch(/^shell$/m)
      expect(stdout).toMatch("<h1>Welcome to nginx!</h1>")
      expect(await readFile(join(folder, "requests"), "utf8")).toMatch(/"GET \/ HTTP\/1.1" 200/)
      expect(await readFile(join(folder, "errors"), "utf8")).toMatch(
        /open\(\) "\/usr\/share\/nginx\/html\/nothing" failed/,
      )
    },
    60_000,
  )

  test("come from a mirror that has them under their full names", async () => {
    await using local = await registry()
    const { pause, nginx } = await resolve(settings(unreachable))
    for (const image of [pause, nginx]) await push(image, `${local.address}/base`)
    const pulled = await resolve(settings(`http://${local.address}/base/`, "cache2"))
    expect(pulled.nginx.source).toBe(`${local.address}/base/docker.io/library/nginx:latest`)
    await push(pulled.nginx, `${local.address}/again`)
  }, 60_000)

  test("fail after some seconds if a registry does not answer", async () => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1")
    await new Promise((listening) => silent.once("listening", listening))
    const { port } = silent.address() as AddressInfo // It listens on TCP.
    const asked = pull(
      crane,
      "docker.io/library/nginx:latest",
      `linux/${architecture}`,
      join(folder, "out.tar"),
      settings(`http://127.0.0.1:${port}`),
      () => undefined,
    )
    await expect(asked).rejects.toThrow(PullError)
    await expect(asked).rejects.toThrow(/no answer within 5 s/)
    silent.close()
  }, 30_000)

  test("that no source has give an error with every source that was tried", async () => {
    vi.stubEnv("http_proxy", unreachable)
    const refused = resolve(settings(unreachable))
    await expect(refused).rejects.toThrow(NoImageError)
    await expect(refused).rejects.toThrow(
      /No source has the image docker.io\/library\/nginx:latest\. .*\n.*127.0.0.1:9\/docker.io\/library\/nginx:latest cannot be pulled: .*refused.*\n.*nginx, nginx-light, busybox-static could not be downloaded: .*refused/,
    )
  })

  test("are made once for two callers, despite the files of a killed run, and made again if the archive was changed", async () => {
    const { pause } = await resolve(settings(unreachable))
    const made = await stat(pause.archive)
    await appendFile(pause.archive, "x")
    await mkdir(`${pause.archive}.work/root`, { recursive: true })
    const notes: string[] = []
    const pulls: string[] = []
    const progress: Progress = {
      task: (title, work) => {
        pulls.push(title)
        return silentProgress.task(title, work)
      },
      note: (sentence) => {
        notes.push(sentence)
      },
    }
    const both = await Promise.all([resolve(settings(unreachable), progress), resolve(settings(unreachable), progress)])
    expect(both[0]).toEqual(both[1])
    expect(notes).toEqual([expect.stringContaining(`${pause.archive} is corrupted`)])
    expect(pulls.filter((title) => title.startsWith("Pulling"))).toEqual(["Pulling registry.k8s.io/pause:3.10.2"])
    expect((await stat(pause.archive)).size).toBe(made.size)
    expect(existsSync(`${pause.archive}.work`)).toBe(false)
  }, 60_000)
})
