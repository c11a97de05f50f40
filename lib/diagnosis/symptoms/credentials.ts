import { fileOf, isFor, linksOf, purposesOf, servedOf, type Link } from "../links.ts"
import { ignoredField, kubeletOf, NONE, nowOf, whatItIgnores } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { SOON, componentOf, first, flagOf, logged, matched, said, symptom, type Symptom } from "../symptom.ts"

/** What servers and clients say when a certificate does not authenticate the client. */
const REFUSED =
  /Unauthorized|asked for the client to provide credentials|You must be logged in|bad certificate|certificate required|incompatible key usage|certificate signed by unknown authority|certificate has expired|didn't provide a certificate|unknown certificate authority|User \\?"system:anonymous\\?"/

/** Problems of certificates by which a client authenticates, the most specific first. */
export const credentials: readonly Symptom[] = [
  symptom({
    id: "client-certificate-usage",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) =>
      first(linksOf(seen), (link) => {
        const refusal = isRefused(seen, link)
        return link.certificate === undefined || isFor(link.certificate, "clientAuth") || refusal === undefined
          ? undefined
          : {
              evidence: `extendedKeyUsage of ${link.at}: ${purposesOf(link.certificate)}; ${refusal}`,
              at: link.at,
              client: link.client,
              server: link.server,
              purposes: purposesOf(link.certificate),
            }
      }),
    cause: ({ client, server, at, purposes }) =>
      `${client} shows ${server} the certificate ${at}, which is made for ${purposes} and not for clientAuth, so ${server} refuses it`,
    remedy: ({ at, client }) => `Make ${at} again with extendedKeyUsage=clientAuth, and start ${client} again.`,
    look: ({ at }) => `openssl x509 -noout -ext extendedKeyUsage -in ${at}`,
  }),
  symptom({
    id: "server-certificate-usage",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) =>
      first(servedOf(seen), ({ server, certificate, at }) => {
        const shown = logOrWords(seen, /incompatible key usage|unsuitable certificate purpose|unsupported certificate/)
        return shown === undefined || isFor(certificate, "serverAuth")
          ? undefined
          : {
              evidence: `extendedKeyUsage of ${at}: ${purposesOf(certificate)}; ${shown}`,
              at,
              server,
              purposes: purposesOf(certificate),
            }
      }),
    cause: ({ server, at, purposes }) =>
      `${server} serves with the certificate ${at}, which is made for ${purposes} and not for serverAuth, so clients refuse it`,
    remedy: ({ at, server }) => `Make ${at} again with extendedKeyUsage=serverAuth, and start ${server} again.`,
    look: ({ at }) => `openssl x509 -noout -ext extendedKeyUsage -in ${at}`,
  }),
  symptom({
    id: "client-ca-missing",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) =>
      first(linksOf(seen), (link) => {
        const refusal = isRefused(seen, link)
        const isRunning = componentOf(seen, link.server)?.state === "running"
        const ignored = link.server === "kubelet" ? ignoredField(seen) : NONE
        return link.certificate === undefined || link.trusted !== undefined || refusal === undefined || !isRunning
          ? undefined
          : {
              evidence: `${link.server} has no ${link.trustedBy}; ${refusal}`,
              at: link.at,
              client: link.client,
              server: link.server,
              trustedBy: link.trustedBy,
              ignored,
              path: kubeletOf(seen).path,
            }
      }),
    cause: ({ client, server, at, trustedBy, ignored }) =>
      `${client} authenticates with the certificate ${at}, and ${server} has no ${trustedBy}: it trusts no client certificate${whatItIgnores(ignored)}`,
    remedy: ({ server, trustedBy, ignored, path }) =>
      ignored === NONE
        ? `Give ${server} the certificate of the CA that signed it: ${trustedBy}=CA.crt`
        : `Correct ${ignored} in ${path}, and start ${server} again: capital letters and indentation count.`,
    look: ({ server, at }) =>
      `tr '\\0' '\\n' </proc/$(pidof ${server})/cmdline | grep -i ca; openssl x509 -noout -issuer -in ${at}`,
  }),
  symptom({
    id: "client-certificate-of-another-ca",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) =>
      first(linksOf(seen), (link) => {
        const { certificate, trusted } = link
        const ca = fileOf(seen, trusted)
        const refusal = isRefused(seen, link)
        return certificate === undefined || ca === undefined || trusted === undefined || refusal === undefined
          ? undefined
          : certificate.verify(ca.publicKey)
            ? undefined
            : {
                evidence: `issuer of ${link.at}: ${oneLine(certificate.issuer)}; subject of ${trusted}: ${oneLine(ca.subject)}; ${refusal}`,
                at: link.at,
                client: link.client,
                server: link.server,
                trusted,
                trustedBy: link.trustedBy,
              }
      }),
    cause: ({ client, server, at, trusted, trustedBy }) =>
      `${client} shows ${server} the certificate ${at}, and ${server} trusts only certificates of ${trusted} (${trustedBy}), which did not sign it`,
    remedy: ({ at, trusted }) => `Sign ${at} with the CA of ${trusted}, or name the CA that signed it.`,
    look: ({ at, trusted }) => `openssl verify -CAfile ${trusted} ${at}`,
  }),
  symptom({
    id: "client-certificate-expired",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) =>
      first(linksOf(seen), (link) => {
        const now = nowOf(seen)
        const refusal = isRefused(seen, link)
        return link.certificate === undefined || now === undefined || refusal === undefined
          ? undefined
          : new Date(link.certificate.validTo) >= now
            ? undefined
            : {
                evidence: `notAfter of ${link.at}: ${link.certificate.validTo}; ${refusal}`,
                at: link.at,
                client: link.client,
                server: link.server,
                date: link.certificate.validTo,
                now: now.toUTCString(),
              }
      }),
    cause: ({ client, server, at, date, now }) =>
      `the certificate ${at}, which ${client} shows ${server}, was valid until ${date}, and the machine's clock says ${now}`,
    remedy: ({ at }) => `Make ${at} again, or set the clock.`,
    look: ({ at }) => `openssl x509 -noout -dates -in ${at}; date -u`,
  }),
  symptom({
    id: "etcd-client-certificate-missing",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) => {
      const apiserver = componentOf(seen, "kube-apiserver")
      const servers = flagOf(apiserver, "--etcd-servers") ?? ""
      if (!servers.includes("https://") || flagOf(apiserver, "--etcd-certfile") !== undefined) return undefined
      const link = linksOf(seen).find(({ server }) => server === "etcd")
      const shown =
        matched(
          componentOf(seen, "etcd")?.log.toReversed() ?? [],
          /rejected connection.*(client didn't provide a certificate)/,
        ) ?? logged("kube-apiserver", /remote error: tls: (?:bad certificate|certificate required)/)(seen)
      return shown === undefined ? undefined : { ...shown, servers, ca: link?.trusted ?? "etcd's CA" }
    },
    cause: ({ servers, ca }) =>
      `etcd at ${servers} accepts only clients with a certificate that ${ca} signed, and kube-apiserver has no --etcd-certfile`,
    remedy: "Give kube-apiserver --etcd-certfile, --etcd-keyfile and --etcd-cafile.",
    look: "ps -o args= -C etcd,kube-apiserver",
  }),
  symptom({
    id: "etcd-ca-missing",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) => {
      const apiserver = componentOf(seen, "kube-apiserver")
      const ca = flagOf(apiserver, "--etcd-cafile")
      const shown = logged(
        "kube-apiserver",
        /authentication handshake failed.*certificate signed by unknown authority/,
      )(seen)
      return shown === undefined ? undefined : { ...shown, ca: ca ?? "none" }
    },
    cause: ({ ca }) =>
      ca === "none"
        ? "etcd serves TLS, and kube-apiserver has no --etcd-cafile, so it does not trust etcd's certificate"
        : `kube-apiserver does not trust etcd's certificate: the CA in --etcd-cafile=${ca} did not sign it`,
    remedy: "Name the certificate of the CA that signed etcd's certificate in --etcd-cafile.",
    look: "ps -o args= -C etcd,kube-apiserver",
  }),
]

/** What a server or its client says about a refused certificate, in the failure or in their logs. */
function isRefused(seen: Observation, { client, server }: Link): string | undefined {
  if (seen.failure === undefined) return undefined
  const inWords = said(REFUSED)(seen)
  if (inWords !== undefined && (client === "kubectl" || server === "kubelet")) return inWords.evidence
  const logs = [client === "kubectl" ? server : client, server]
    .flatMap((name) => componentOf(seen, name)?.log.slice(-200) ?? [])
    .toReversed()
  return matched(logs, REFUSED)?.evidence.slice(0, 160)
}

/** A line in the failure, or at the end of any component's log. */
function logOrWords(seen: Observation, pattern: RegExp): string | undefined {
  return (
    said(pattern)(seen)?.evidence ??
    matched(
      seen.components.flatMap(({ log }) => log.slice(-200)),
      pattern,
    )?.evidence
  )
}

function oneLine(name: string): string {
  return name.replaceAll("\n", ", ")
}
