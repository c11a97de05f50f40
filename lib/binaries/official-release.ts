import { execa } from "execa"
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { messageOf } from "../base/errors.ts"
import { architecture } from "./architecture.ts"
import { ChecksumError, download, readText } from "./download.ts"
import { inspect } from "./inspect.ts"
import type { Miss, Order, Source } from "./source.ts"
import type { GroupName, ToolName } from "./versions.ts"

/** A published file. */
interface Asset {
  readonly url: string
  /** Addresses of its digest. The first address that exists is used. */
  readonly checksums: readonly string[]
  /** The tool in this file. Undefined for an archive with all tools of the group. */
  readonly tool?: ToolName
}

const onGithub = (repository: string, version: string, file: string) =>
  `https://github.com/${repository}/releases/download/v${version}/${file}`

/** The addresses at which the projects publish a version. */
const assets: Partial<Record<GroupName, (version: string, tools: readonly ToolName[]) => Asset[]>> = {
  kubernetes: (version, tools) =>
    tools.map((tool) => {
      const url = `https://dl.k8s.io/release/v${version}/bin/linux/${architecture}/${tool}`
      return { url, checksums: [`${url}.sha512`, `${url}.sha256`], tool }
    }),
  etcd: (version) => [
    {
      url: onGithub("etcd-io/etcd", version, `etcd-v${version}-linux-${architecture}.tar.gz`),
      checksums: [onGithub("etcd-io/etcd", version, "SHA256SUMS")],
    },
  ],
  containerd: (version) => {
    // The static build does not need libraries of the host.
    const url = onGithub("containerd/containerd", version, `containerd-static-${version}-linux-${architecture}.tar.gz`)
    return [{ url, checksums: [`${url}.sha256sum`] }]
  },
  runc: (version) => [
    {
      url: onGithub("opencontainers/runc", version, `runc.${architecture}`),
      checksums: [onGithub("opencontainers/runc", version, "runc.sha256sum")],
      tool: "runc",
    },
  ],
  "cni-plugins": (version) => {
    const url = onGithub("containernetworking/plugins", version, `cni-plugins-linux-${architecture}-v${version}.tgz`)
    return [{ url, checksums: [`${url}.sha512`, `${url}.sha256`] }]
  },
  coredns: (version) => {
    const url = onGithub("coredns/coredns", version, `coredns_${version}_linux_${architecture}.tgz`)
    return [{ url, checksums: [`${url}.sha256`] }]
  },
  crane: (version) => [
    {
      url: onGithub(
        "google/go-containerregistry",
        version,
        `go-containerregistry_Linux_${architecture === "amd64" ? "x86_64" : architecture}.tar.gz`,
      ),
      checksums: [onGithub("google/go-containerregistry", version, "checksums.txt")],
    },
  ],
}

const source = "the official release"

/** The releases of the projects, or a mirror of them. They are verified with the published checksums. */
export const officialRelease: Source = {
  async find(order, into) {
    const published = assets[order.group]?.(order.version, order.tools)
    if (published === undefined)
      return { found: [], misses: [{ source, why: `${order.group} is published without checksums` }] }
    const candidates = new Map<ToolName, string>()
    const misses: Miss[] = []
    await Promise.all(
      published.map(async (asset) => {
        try {
          for (const [tool, path] of await get(asset, order, into)) candidates.set(tool, path)
        } catch (error) {
          // A wrong digest can mean an attack: tell the user, even if another source has the tool.
          if (error instanceof ChecksumError) order.progress.note(`${error.message}. It was removed.`)
          misses.push({ source, why: messageOf(error) })
        }
      }),
    )
    const answer = await inspect(
      { ...order, tools: misses.length > 0 ? [] : order.tools },
      source,
      candidates,
      "not in the release",
    )
    return { found: answer.found, misses: [...misses, ...answer.misses] }
  },
}

/** Downloads an asset and unpacks it. @returns each tool and its path */
async function get(asset: Asset, order: Order, into: string): Promise<[ToolName, string][]> {
  const { mirror, cacheDir } = order.settings
  const url = mirrored(asset.url, mirror)
  const digest = await publishedDigest(asset, mirror)

  // It is in the cache, so that the next run can resume the download.
  const part = join(cacheDir, "downloads", asset.url.replace("https://", "").replaceAll("/", "_"))
  await mkdir(join(cacheDir, "downloads"), { recursive: true })
  await order.progress.task(
    `Downloading ${asset.tool ?? order.tools.join(", ")} ${order.version} from ${new URL(url).host}`,
    (report) => download(url, part, digest, report),
  )

  const folder = await mkdtemp(join(into, "release-"))
  if (asset.tool !== undefined) {
    const path = join(folder, asset.tool)
    await rename(part, path)
    await chmod(path, 0o755)
    return [[asset.tool, path]]
  }
  const { failed, stderr, shortMessage } = await execa("tar", ["-xzf", part, "-C", folder, "--no-same-owner"], {
    reject: false,
    stdin: "ignore",
  })
  if (failed) throw new Error(`${url} cannot be unpacked: ${stderr.split("\n")[0] || (shortMessage ?? "tar failed")}`)
  await rm(part)
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  return order.tools.flatMap((tool) => {
    const file = files.find((entry) => entry.name === tool && entry.isFile())
    return file === undefined ? [] : [[tool, join(file.parentPath, file.name)]]
  })
}

/** The published digest of an asset, in hexadecimal. */
async function publishedDigest({ url, checksums }: Asset, mirror: string | undefined): Promise<string> {
  const file = url.slice(url.lastIndexOf("/") + 1)
  const reasons: unknown[] = []
  for (const address of checksums) {
    try {
      const text = await readText(mirrored(address, mirror))
      // The text is either a digest alone, or lines with a digest and a file name.
      const lines = text.split("\n").map((line) => line.trim().split(/\s+\*?/))
      const [digest = ""] =
        lines.find(([, name]) => name === undefined || name.slice(name.lastIndexOf("/") + 1) === file) ?? []
      if (/^([0-9a-f]{64}|[0-9a-f]{128})$/.test(digest)) return digest
      throw new Error(`${mirrored(address, mirror)} has no digest of ${file}`)
    } catch (error) {
      reasons.push(error)
    }
  }
  throw reasons[0]
}

/** The address on the mirror: a folder named after the host, and then the same path. */
function mirrored(url: string, mirror: string | undefined): string {
  return mirror === undefined ? url : url.replace("https://", `${mirror}/`)
}
