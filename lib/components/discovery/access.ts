import type { Machine } from "../../machines/machine.ts"
import { RemediedError } from "../../base/errors.ts"
import { settingOf, type FoundProcess } from "./process.ts"

/** A kubeconfig that was tried, and kubectl's answer. */
interface Tried {
  readonly kubeconfig: string
  readonly answer: string
}

/** No kubeconfig on the machine may do everything. */
export class NoAccessError extends RemediedError {
  readonly tried: readonly Tried[]
  constructor(tried: readonly Tried[]) {
    super(
      `No kubeconfig was found that may do everything${tried.length === 0 ? "" : ` (${tried.map(({ kubeconfig, answer }) => `${kubeconfig}: ${answer}`).join("; ")})`}.`,
      "Write one to /root/.kube/config: the server's address, its CA, and a token or a client certificate of the group system:masters.",
    )
    this.tried = tried
  }
}

/** How to speak with a cluster's apiserver as an administrator. */
export interface Access {
  /** The file on the machine that it was found in. */
  readonly kubeconfig: string
  /** The same with every file that it names put in, for clients elsewhere. */
  readonly portable: string
  /** PEM. */
  readonly ca: Buffer
  /** undefined where it is a client certificate that is shown. */
  readonly token: string | undefined
}

const USUAL = ["/root/.kube/config", "/etc/kubernetes/admin.conf", "/etc/kubernetes/admin.kubeconfig"]
const LOOK_WITHIN = 10_000

/**
 * A kubeconfig that may do everything: where kubectl looks by itself, where administrators keep theirs, in the learner's folder, or one that a component is given.
 * @throws NoAccessError with those that were tried
 */
export async function findAccess(machine: Machine, processes: readonly FoundProcess[]): Promise<Access> {
  const { stdout } = await machine.run(
    [
      "sh",
      "-c",
      "grep -rlsE '^kind: *Config|\"kind\": *\"Config\"' /root/cluster /etc/kubernetes /root/.kube --include='*' 2>/dev/null | head -20",
    ],
    { timeout: LOOK_WITHIN },
  )
  const named = processes.map((process) => settingOf(process, "--kubeconfig") ?? "")
  const candidates = [...new Set([...USUAL, ...stdout.trim().split("\n"), ...named])].filter((path) =>
    path.startsWith("/"),
  )
  const tried: Tried[] = []
  for (const kubeconfig of candidates) {
    const may = await machine
      .run(["kubectl", "--kubeconfig", kubeconfig, "--request-timeout=5s", "auth", "can-i", "*", "*"], {
        timeout: LOOK_WITHIN,
      })
      .catch(() => ({ exitCode: 1, stdout: "", stderr: "it took too long" }))
    if (may.exitCode === 0) return read(machine, kubeconfig)
    const answer = (may.stderr.trim() || may.stdout.trim()).split("\n").at(-1) ?? ""
    if (!/no such file|stat /.test(answer)) tried.push({ kubeconfig, answer })
  }
  throw new NoAccessError(tried)
}

async function read(machine: Machine, kubeconfig: string): Promise<Access> {
  const { stdout } = await machine.run(
    ["kubectl", "--kubeconfig", kubeconfig, "config", "view", "--raw", "--minify", "--flatten"],
    { timeout: LOOK_WITHIN },
  )
  const field = (name: string) => new RegExp(`^ *${name}: *"?([^"\\n]+)`, "m").exec(stdout)?.[1]
  return {
    kubeconfig,
    portable: stdout,
    ca: Buffer.from(field("certificate-authority-data") ?? "", "base64"),
    token: field("token"),
  }
}
