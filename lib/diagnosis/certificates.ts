import { X509Certificate } from "node:crypto"
import type { ComponentName } from "../components/component.ts"
import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import type { Observation } from "./observation.ts"
import { componentOf, flagOf, isUnwell, type Shown, type Sign } from "./symptom.ts"

/** A certificate that a component shows, and the CA by which whoever calls it judges it. */
interface Judged {
  readonly path: string
  readonly certificate: X509Certificate
  readonly caPath: string
  readonly ca: X509Certificate | undefined
  /** By what name it is called: a host name or an address. */
  readonly host: string
  /** The machine's clock. */
  readonly now: Date
}

/** What a component shows does not hold: names $1 its file, $2 and $3 what is told. */
export function certificate(
  name: ComponentName,
  tell: (judged: Judged) => readonly [evidence: string, ...names: string[]] | undefined,
): Sign {
  return (seen): Shown | undefined => {
    const component = componentOf(seen, name)
    const isInQuestion =
      component !== undefined &&
      (isUnwell(component) || seen.complaint.includes(name) || /certificate|x509|status 60/.test(seen.complaint))
    const judged = isInQuestion ? judge(seen, name) : undefined
    const told = judged === undefined ? undefined : tell(judged)
    return judged === undefined || told === undefined
      ? undefined
      : { evidence: told[0], names: [judged.path, ...told.slice(1)] }
  }
}

function judge(seen: Observation, name: ComponentName): Judged | undefined {
  const kubeconfig = seen.files.get(KUBECONFIG_FILE) ?? ""
  const path = flagOf(componentOf(seen, name), "--tls-cert-file") ?? ""
  const caPath = /certificate-authority: *(\S+)/.exec(kubeconfig)?.[1] ?? ""
  const shown = parse(seen.files.get(path))
  if (shown === undefined) return undefined
  const host =
    name === "kube-apiserver" ? (/server: *"?https:\/\/([^:/\s"]+)/.exec(kubeconfig)?.[1] ?? "127.0.0.1") : "127.0.0.1"
  return {
    path,
    certificate: shown,
    caPath,
    ca: parse(seen.files.get(caPath)),
    host,
    now: new Date(seen.looks.get("date -u") ?? Date.now()),
  }
}

function parse(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem)
  } catch {
    return undefined // It is no certificate, which its reader says itself.
  }
}

export const otherCa = ({ certificate: shown, ca, caPath }: Judged) =>
  ca === undefined || shown.verify(ca.publicKey)
    ? undefined
    : ([
        `issuer of the certificate: ${oneLine(shown.issuer)}; subject of ${caPath}: ${oneLine(ca.subject)}`,
        caPath,
      ] as const)

export const expired = ({ certificate: shown, now }: Judged) =>
  new Date(shown.validTo) >= now
    ? undefined
    : ([`notAfter=${shown.validTo}`, shown.validTo, now.toUTCString()] as const)

export const notYetValid = ({ certificate: shown, now }: Judged) =>
  new Date(shown.validFrom) <= now
    ? undefined
    : ([`notBefore=${shown.validFrom}`, shown.validFrom, now.toUTCString()] as const)

export const otherName = ({ certificate: shown, host }: Judged) =>
  (shown.checkIP(host) ?? shown.checkHost(host)) !== undefined
    ? undefined
    : ([`subjectAltName: ${shown.subjectAltName ?? "none"}`, host, shown.subjectAltName ?? "none"] as const)

function oneLine(name: string): string {
  return name.replaceAll("\n", ", ")
}
