import { messageOf } from "../base/errors.ts"
import type { Credentials } from "../components/discovery/access.ts"
import type { HttpProbe, Probe } from "../components/probe.ts"
import type { Machine } from "../machines/machine.ts"
import { httpGet } from "./http-get.ts"

/** Milliseconds for one answer, unless less is left. */
const ANSWER_WITHIN = 5_000

/** What came back from a probe. */
export interface ProbeAnswer {
  readonly isWell: boolean
  /** What was asked: "GET /readyz on port 6443". */
  readonly question: string
  /** What was answered: "503: …", "connect ECONNREFUSED …". */
  readonly answer: string
}

/** What kube-apiserver's own probe is asked with. */
export type Administrator = () => Promise<(Partial<Credentials> & { readonly pin?: Buffer | undefined }) | undefined>

/**
 * Asks a component whether it is ready and well, in the way that its spec describes.
 * @param administrator asked for only where the probe needs an administrator
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
    return { isWell: status === 200, question, answer: `${status}: ${body.slice(0, 2_000)}` }
  } catch (error) {
    return { isWell: false, question, answer: messageOf(error) } // No process listens yet, or the one that does is not trusted.
  }
}

/** How both sides of the request show who they are. */
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
