import { X509Certificate } from "node:crypto"
import type { ComponentName } from "../components/registry.ts"
import { kubeconfigOf, nowOf } from "./facts.ts"
import type { Observation } from "./observation.ts"
import { componentOf, concerns, flagOf, isUnwell, said, AT_ONCE, type Named, type Sign } from "./symptom.ts"

/** The certificate that a component shows, and the CA that its clients trust. */
interface Judged {
  readonly path: string
  readonly certificate: X509Certificate
  readonly caPath: string
  readonly ca: X509Certificate | undefined
  /** The host name or address that clients call it by. */
  readonly host: string
  /** The machine's clock. */
  readonly now: Date
}

/** What curl ends with where it cannot verify the server's certificate: see curl(1). */
const NOT_VERIFIED = 60

/** Something is wrong with the certificate that a component shows. The fact `path` is its file. */
export function certificate<Names extends string>(
  name: ComponentName,
  tell: (judged: Judged) => Named<Names> | undefined,
): Sign<Named<Names | "path">> {
  return (seen): Named<Names | "path"> | undefined => {
    const judged = isInQuestion(seen, name) ? judge(seen, name) : undefined
    const told = judged === undefined ? undefined : tell(judged)
    return judged === undefined || told === undefined ? undefined : { ...told, path: judged.path }
  }
}

function isInQuestion(seen: Observation, name: ComponentName): boolean {
  const component = componentOf(seen, name)
  const { failure } = seen
  if (component === undefined) return false
  if (isUnwell(component) || concerns(seen, name)) return true
  const isUnverified = failure?.kind === "command-failed" && failure.exitCode === NOT_VERIFIED
  return isUnverified || said(/certificate|x509/)(seen) !== undefined
}

function judge(seen: Observation, name: ComponentName): Judged | undefined {
  const kubeconfig = kubeconfigOf(seen)
  const path = flagOf(componentOf(seen, name), "--tls-cert-file") ?? ""
  const caPath = kubeconfig?.caPath ?? ""
  const shown = parse(seen.files[path])
  const now = nowOf(seen)
  if (shown === undefined || now === undefined) return undefined
  const server = URL.canParse(kubeconfig?.server ?? "") ? new URL(kubeconfig?.server ?? "").hostname : "127.0.0.1"
  return {
    path,
    certificate: shown,
    caPath,
    ca: parse(seen.files[caPath]),
    host: name === "kube-apiserver" ? server : "127.0.0.1",
    now,
  }
}

function parse(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem)
  } catch {
    return undefined // It is not a certificate; the program that reads it says so.
  }
}

export const otherCa = ({ certificate: shown, ca, caPath }: Judged): Named<"caPath"> | undefined =>
  ca === undefined || shown.verify(ca.publicKey)
    ? undefined
    : {
        evidence: `issuer of the certificate: ${oneLine(shown.issuer)}; subject of ${caPath}: ${oneLine(ca.subject)}`,
        caPath,
      }

export const expired = ({ certificate: shown, now }: Judged): Named<"date" | "now"> | undefined =>
  new Date(shown.validTo) >= now
    ? undefined
    : { evidence: `notAfter=${shown.validTo}`, date: shown.validTo, now: now.toUTCString() }

export const notYetValid = ({ certificate: shown, now }: Judged): Named<"date" | "now"> | undefined =>
  new Date(shown.validFrom) <= now
    ? undefined
    : { evidence: `notBefore=${shown.validFrom}`, date: shown.validFrom, now: now.toUTCString() }

export const otherName = ({ certificate: shown, host }: Judged): Named<"host" | "names"> | undefined =>
  (shown.checkIP(host) ?? shown.checkHost(host)) !== undefined
    ? undefined
    : {
        evidence: `subjectAltName: ${shown.subjectAltName ?? "none"}`,
        host,
        names: shown.subjectAltName ?? "no host at all",
      }

function oneLine(name: string): string {
  return name.replaceAll("\n", ", ")
}

/** Lasting: certain if the readiness probe of a component refuses the certificate. */
export function isUnverified({ failure }: Observation): number | undefined {
  return failure?.kind === "not-ready" && /certificate/i.test(failure.answer ?? "") ? AT_ONCE : undefined
}
