import { decode } from "../clients/stored.ts"
import { allTools } from "../binaries/versions.ts"
import { messageOf } from "../base/errors.ts"
import type { Machine } from "../machines/machine.ts"
import type { Manifest } from "./manifest.ts"

/** Milliseconds that a command may take. */
const LIMIT = 60_000
const NODES_AND_PODS = "kubectl get nodes && kubectl get pods"
const PODS = "/registry/pods/"
/** The Pod of lesson 06. */
const HELLO = `${PODS}default/hello`

/** The commands with which a person looks at the cluster, and what they print. */
export interface Views {
  readonly kubectl: string
  readonly etcd: string
}

/**
 * Looks at the cluster after the last lesson, as the workshop asks for it. What fails is written down as it was printed.
 * @param env the variables with which kubectl and etcdctl find the cluster
 */
export async function viewsOf(machine: Machine, env: Readonly<Record<string, string>>): Promise<Views> {
  const typed = async (line: string) => {
    const { stdout, stderr, exitCode } = await machine.run(["sh", "-c", line], { env, timeout: LIMIT })
    const status = exitCode === 0 ? "" : `(exit status ${exitCode})\n`
    return { stdout, shown: `$ ${line}\n${ended(stdout)}${ended(stderr)}${status}` }
  }
  const kubectl = await typed(NODES_AND_PODS)
  const keys = await typed(`etcdctl get ${PODS} --prefix --keys-only`)
  const paths = keys.stdout.split("\n").filter((line) => line.startsWith(PODS))
  const key =
    paths.find((path) => path === HELLO) ?? paths.find((path) => path.startsWith(`${PODS}default/`)) ?? paths[0]
  if (key === undefined) return { kubectl: kubectl.shown, etcd: `${keys.shown}\netcd has no Pod.\n` }
  const value = await typed(`etcdctl get ${key} -w json`)
  return { kubectl: kubectl.shown, etcd: `${keys.shown}\n${value.shown}\n${await decodedValue(value.stdout)}` }
}

/** The object in etcdctl's answer, whose value is in base64. */
async function decodedValue(answer: string): Promise<string> {
  try {
    const { kvs = [] } = JSON.parse(answer) as { kvs?: { value?: string }[] } // etcdctl prints an etcd RangeResponse.
    const bytes = Buffer.from(kvs[0]?.value ?? "", "base64")
    const how = bytes[0] === "{".charCodeAt(0) ? "JSON" : "protobuf; only the fields that the lessons read"
    return `The value, decoded (${how}):\n${JSON.stringify(await decode(bytes), undefined, 2)}\n`
  } catch (error) {
    return `The value could not be decoded: ${messageOf(error)}\n`
  }
}

/** Prints name, digest and first line of `--version` of each program, separated by tabs. */
const PROGRAMS = String.raw`
for name in "$@"; do
  path=$(command -v "$name") || continue
  sum=$(sha256sum "$path" 2>/dev/null | cut -d' ' -f1)
  case $name in
    etcdctl | etcdutl) version=$("$name" version 2>/dev/null) ;;
    kubectl) version=$("$name" version --client 2>/dev/null) ;;
    *) version=$(timeout 10 "$name" --version 2>/dev/null </dev/null) ;;
  esac
  printf '%s\t%s\t%s\n' "$name" "$sum" "$(printf '%s\n' "$version" | head -n 1)"
done
printf '\t\t%s\n' "$(uname -sr -m)"
`

/** The programs of the lessons on the machine, with their versions and digests, and the kernel. */
export async function programsOn(machine: Machine): Promise<Pick<Manifest, "programs" | "host">> {
  const { stdout } = await machine.run(["sh", "-c", PROGRAMS, "sh", ...allTools], { timeout: LIMIT })
  const rows = stdout
    .split("\n")
    .filter((line) => line.includes("\t"))
    .map((line) => line.split("\t"))
  return {
    programs: Object.fromEntries(
      rows.flatMap(([name = "", sha256 = "", version = ""]) =>
        name === "" ? [] : [[name, { version, sha256: sha256 === "" ? null : sha256 }]],
      ),
    ),
    host: rows.find(([name]) => name === "")?.[2] ?? "",
  }
}

function ended(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`
}
