import { messageOf } from "../base/errors.ts"
import type { Credentials } from "../components/discovery/access.ts"
import type { HttpProbe, Probe } from "../components/probe.ts"
import type { Machine } from "../machines/machine.ts"
import { httpGet } from "./http-get.ts"

/** The longest time for one answer (milliseconds). A shorter timeout of the caller has priority. */
const ANSWER_WITHIN = 5_000

/** The result of a probe. */
export interface ProbeAnswer {
  readonly isWell: boolean
  /** The question, such as "GET /readyz on port 6443". */
  readonly question: string
  /** The answer or the error, such as "503: …" or "connect ECONNREFUSED …". */
  readonly answer: string
}

/** Returns the credentials for the probe of kube-apiserver; undefined if there are none. */
export type Administrator = () => Promise<(Partial<Credentials> & { readonly pin?: Buffer | undefined }) | undefined>

/**
 * Asks a component whether it is ready and well, as its spec describes.
 * @param administrator called only if the probe needs the credentials of an administrator
 * @param timeout milliseconds
 */
export async function ask(
  machine: Machine,
  probe: Probe,
  administrator: Administrator,
  timeout: number = ANSWER_WITHIN,
): Promise<ProbeAnswer> {
  const question = probe.by === "http" ? `GET ${probe.path} on port ${probe.port}` : probe.argv.join(" ")
  try {
    if (probe.by === "command") {
      const { exitCode, stderr } = await machine.run(probe.argv, { timeout: Math.min(timeout, ANSWER_WITHIN) })
      const answer = exitCode === 0 ? "it succeeds" : `status ${exitCode}: ${stderr.trim()}`
      return { isWell: exitCode === 0, question, answer }
    }
    const { host, port, path } = probe
    const { status, body } = await httpGet(machine, {
      host,
      port,
      path,
      timeout: Math.min(timeout, ANSWER_WITHIN),
      ...(await identification(machine, probe, administrator)),
    })
    return { isWell: status === 200, question, answer: `${status}: ${failing(body).slice(0, 2_000)}` }
  } catch (error) {
    // No process listens yet, or the certificate of the process that listens is not trusted.
    return { isWell: false, question, answer: messageOf(error) }
  }
}

/** The answer of a health endpoint without the checks that pass ("[+]etcd ok"), unless all of them do. */
function failing(body: string): string {
  const rest = body.split("\n").filter((line) => !line.startsWith("[+]"))
  return rest.some((line) => line.startsWith("[-]")) ? rest.join("\n") : body
}

/** The certificates and credentials that client and server use to authenticate to each other. */
async function identification(machine: Machine, { tls, asAdministrator }: HttpProbe, administrator: Administrator) {
  if (tls === undefined) return {}
  if (asAdministrator === true) {
    const { ca, ...credentials } = (await administrator()) ?? {}
    return { ...credentials, ca: ca?.length === 0 ? undefined : ca, isTls: true }
  }
  const [trusted, certificate, key] = await Promise.all([
    Promise.all(tls.trust.map((path) => machine.read(path))),
    tls.certificate === undefined ? undefined : machine.read(tls.certificate),
    tls.key === undefined ? undefined : machine.read(tls.key),
  ])
  return {
    isTls: true,
    ...(trusted.length === 0 ? {} : { pin: Buffer.concat(trusted.flatMap((one) => [one, Buffer.from("\n")])) }),
    certificate,
    key,
  }
}
