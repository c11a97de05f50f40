import { execa } from "execa"
import { messageOf } from "../base/errors.ts"
import type { Answer, Binary, Miss, Order } from "./source.ts"
import { demand, fits, type ToolName } from "./versions.ts"

/** The arguments that print a tool's version, if they are not --version. */
const arguments_: Partial<Record<ToolName, readonly string[]>> = {
  etcdctl: ["version"],
  etcdutl: ["version"],
  kubectl: ["version", "--client"],
  kubeadm: ["version", "--output=short"],
  "containerd-shim-runc-v2": ["-v"],
  crane: ["version"],
}

/** How long a program may take to print its version (milliseconds). */
const patience = 10_000

/**
 * The version that a program prints, without the v.
 * @throws Error with the reason, without its full stop, if the program cannot be run or prints no version
 */
export async function versionOf(tool: ToolName, path: string): Promise<string> {
  // If CNI_COMMAND is set, a CNI plugin carries out that command and does not print its version.
  const { stdout, stderr, ...result } = await execa(path, arguments_[tool] ?? ["--version"], {
    reject: false,
    stdin: "ignore",
    timeout: patience,
    cwd: "/",
    env: { CNI_COMMAND: undefined },
  })
  if (result.timedOut) throw new Error(`does not say its version within ${patience / 1000} s`)
  if (result.failed)
    throw new Error(
      `cannot be run: ${(stderr.trim() || result.originalMessage || result.shortMessage || "it fails").split("\n")[0] ?? ""}`,
    )
  const said = `${stdout}\n${stderr}`
  // Debian's CNI plugins print "version unknown" and the protocols that they support. Version 1.0.0 introduced protocol
  // 1.0.0.
  if (/plugin version unknown[^]*\b1\.0\.0\b/.test(said)) return "1.0.0-or-newer"
  const version = said.match(/(?<![\w.])v?(\d+\.\d+\.\d+[^\s,_]*)/)?.[1]
  if (version === undefined)
    throw new Error(`does not say its version but "${`${stdout}${stderr}`.trim().split("\n")[0] ?? ""}"`)
  return version
}

/**
 * Asks the programs that a source has found for their versions. Programs with an unsuitable version are not used.
 * @param candidates the path of each tool that the source has
 * @param rest why the source does not have the other tools
 */
export async function inspect(
  order: Order,
  source: string,
  candidates: ReadonlyMap<ToolName, string>,
  rest: string,
): Promise<Answer> {
  const found: Binary[] = []
  const misses: Miss[] = []
  await Promise.all(
    [...candidates].map(async ([name, path]) => {
      try {
        const version = await versionOf(name, path)
        if (fits(order.group, order.version, version)) found.push({ name, path, version, source })
        else misses.push({ source, why: `${path} is version ${version}, not ${demand(order.group, order.version)}` })
      } catch (error) {
        misses.push({ source, why: `${path} ${messageOf(error)}` })
      }
    }),
  )
  const missing = order.tools.filter((tool) => !candidates.has(tool))
  if (missing.length > 0) misses.push({ source, why: `${missing.join(", ")}: ${rest}` })
  return { found, misses }
}
