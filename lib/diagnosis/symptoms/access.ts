import { certificate, expired, notYetValid, otherCa, otherName, isUnverified } from "../certificates.ts"
import { kubeconfigFlaw } from "../../kubeconfig/flaw.ts"
import {
  apiserverAddressOf,
  apiserverUrlOf,
  hostOf,
  kubeconfigAt,
  kubeconfigOf,
  kubeconfigsOf,
  listens,
} from "../facts.ts"
import type { Observation } from "../observation.ts"
import {
  complainedOf,
  componentOf,
  concerns,
  first,
  flagOf,
  isUnwell,
  matched,
  mismatchOf,
  said,
  symptom,
  AT_ONCE,
  SOON,
  type Named,
  type Symptom,
} from "../symptom.ts"
import { lineNamed, originOfText } from "../written.ts"

const WHOAMI = "kubectl config view; kubectl auth whoami -v=6"

/** kubectl without a cluster asks its default address. */
const DEFAULT_ADDRESS =
  /localhost:8080 was refused|localhost:8080: connect: connection refused|dial tcp (?:127\.0\.0\.1|\[::1\]):8080/
/**
 * kube-apiserver does not know who calls. A bare "Unauthorized" is a kubelet's. That it has no credentials for the
 * kubelet is another matter.
 */
const UNAUTHENTICATED =
  /asked for the client to provide credentials(?! \( ?pods\/)|\(Unauthorized\)|\\?"(?:message|reason)\\?": ?\\?"Unauthorized|Please enter Username|error: EOF/

/** What a client says when its kubeconfig leads to no server, or kube-apiserver does not know who it is. */
const NOT_LET_IN =
  /Unauthorized|asked for the client to provide credentials|You must be logged in|User \\?"system:anonymous\\?"|invalid configuration|error loading config|unable to (?:read|load).*(?:kubeconfig|client config)/

/** A component that calls another address than those that reach kube-apiserver, wherever that runs. */
export const clients: readonly Symptom[] = (
  ["kubelet", "kube-scheduler", "kube-controller-manager", "kube-proxy"] as const
).map((client) =>
  symptom({
    id: "kubeconfigs-disagree",
    component: client,
    lasting: SOON,
    sign: (seen) => {
      const component = componentOf(seen, client)
      const named = kubeconfigsOf(seen).map((one) => ({ ...one, server: hostOf(kubeconfigAt(seen, one.path)?.server) }))
      const own = named.find((one) => one.client === client && !one.isBootstrap)
      const right = named.find(({ server }) => seen.connections.some(({ peer }) => peer === server))
      if (own?.server === undefined || right?.server === undefined || own.server === right.server) return undefined
      const isConnected = seen.connections.some(({ pid, peer }) => pid === component?.pid && peer === own.server)
      if (component?.state !== "running" || !isUnwell(component) || isConnected) return undefined
      const origin = originOfText(seen, own.path, own.server)
      return {
        evidence: `${own.path}: server: https://${own.server}; ${right.client} is connected to ${right.server}`,
        path: own.path,
        server: own.server,
        client: right.client,
        right: right.server,
        where: origin === undefined ? own.path : lineNamed(origin),
      }
    },
    cause: ({ path, server, client: other, right }) =>
      `${client} calls kube-apiserver at ${server}, as ${path} says, and is not connected; ${other} reaches it at ${right}`,
    remedy: ({ where, right }) => `Write server: https://${right} into ${where}, and start ${client} again.`,
    look: ({ path, right }) => `grep server ${path}; ss -tnp dst ${right}`,
  }),
)

/**
 * Problems between a client and kube-apiserver: kubeconfig, tokens, certificates, versions. The most specific first.
 */
export const access: readonly Symptom[] = [
  symptom({
    id: "certificate-expired",
    component: "kube-apiserver",
    lasting: isUnverified,
    sign: (seen) => certificate("kube-apiserver", expired)(seen),
    cause: ({ path, date, now }) =>
      `the certificate of kube-apiserver (${path}) was valid until ${date}, and the machine's clock says ${now}`,
    remedy: "Make a new certificate, or set the clock. kube-apiserver reads a changed file by itself.",
    look: ({ path }) => `openssl x509 -noout -dates -in ${path}; date -u`,
  }),
  symptom({
    id: "certificate-not-yet-valid",
    component: "kube-apiserver",
    lasting: isUnverified,
    sign: (seen) => certificate("kube-apiserver", notYetValid)(seen),
    cause: ({ path, date, now }) =>
      `the certificate of kube-apiserver (${path}) is valid only from ${date}, and the machine's clock says ${now}: the clock of this machine, or of the host that made the certificate, is wrong`,
    remedy: "Set the clock, or make a new certificate.",
    look: ({ path }) => `openssl x509 -noout -dates -in ${path}; date -u`,
  }),
  symptom({
    id: "certificate-of-another-ca",
    component: "kube-apiserver",
    lasting: isUnverified,
    sign: (seen) => certificate("kube-apiserver", otherCa)(seen),
    cause: ({ path, caPath }) =>
      `the certificate of kube-apiserver (${path}) was not signed by the CA that clients trust (${caPath})`,
    remedy: (_, seen) =>
      `Sign the certificate with that CA, or name the CA that signed it as certificate-authority in ${seen.kubeconfigPath}.`,
    look: ({ path, caPath }) => `openssl verify -CAfile ${caPath} ${path}`,
  }),
  symptom({
    id: "certificate-for-other-names",
    component: "kube-apiserver",
    lasting: isUnverified,
    sign: (seen) => certificate("kube-apiserver", otherName)(seen),
    cause: ({ path, host, names }) =>
      `clients call kube-apiserver by the name ${host}, and its certificate (${path}) is valid for ${names}`,
    remedy: ({ host }) =>
      `Make a certificate with ${host} in its subjectAltName, or call a name that the certificate has.`,
    look: ({ path }) => `openssl x509 -noout -ext subjectAltName -in ${path}`,
  }),
  symptom({
    id: "certificate-authority-missing",
    component: "kube-apiserver",
    sign: (seen) => said(/unable to read certificate-authority (\S+) for \S+ due to .*no such file/, "path")(seen),
    cause: ({ path }, seen) =>
      `${seen.kubeconfigPath} names ${path} as the CA's certificate, and that file does not exist`,
    remedy: (_, seen) => `Name the CA's certificate as certificate-authority in ${seen.kubeconfigPath}.`,
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "untrusted-certificate",
    component: "kube-apiserver",
    // "error trying to reach service" is what kube-apiserver says: it is the client of a kubelet then.
    sign: (seen) => said(/^(?!.*error trying to reach service).*certificate signed by unknown authority/)(seen),
    cause: (_, seen) =>
      `the client does not trust kube-apiserver's certificate: ${seen.kubeconfigPath} does not name the CA that signed it`,
    remedy: (_, seen) => `Name that CA's certificate as certificate-authority in ${seen.kubeconfigPath}.`,
    look: "kubectl config view",
  }),
  symptom({
    id: "kubeconfig-missing",
    component: "kube-apiserver",
    sign: (seen) => (kubeconfigOf(seen) === undefined ? said(DEFAULT_ADDRESS)(seen) : undefined),
    cause: (_, seen) =>
      `kubectl has no kubeconfig (${seen.kubeconfigPath} does not exist), so it calls its default address, localhost:8080`,
    remedy: (_, seen) => `Write ${seen.kubeconfigPath}, or name another kubeconfig: export KUBECONFIG=PATH`,
    look: (_, seen) => `ls -l ${seen.kubeconfigPath}; kubectl config view`,
  }),
  symptom({
    id: "kubeconfig-without-context",
    component: "kube-apiserver",
    sign: (seen) => (kubeconfigOf(seen)?.context === undefined ? said(DEFAULT_ADDRESS)(seen) : undefined),
    cause: (_, seen) =>
      `${seen.kubeconfigPath} names no current-context, so kubectl uses none of its clusters and calls its default address, localhost:8080`,
    remedy: "kubectl config use-context CONTEXT",
    look: "kubectl config get-contexts",
  }),
  symptom({
    id: "kubeconfig-malformed",
    component: "kube-apiserver",
    sign: (seen) => said(/error loading config file "?([^":]+)"?: (.*)/, "path", "reason")(seen),
    cause: ({ path, reason }) => `kubectl cannot read the kubeconfig ${path}: ${reason}`,
    remedy: "Correct its YAML: two spaces for each level, no tabs.",
    look: ({ path }) => `cat -A ${path}`,
  }),
  symptom({
    id: "kubeconfig-without-token",
    component: "kube-apiserver",
    sign: (seen) => (kubeconfigOf(seen)?.hasCredentials === false ? said(UNAUTHENTICATED)(seen) : undefined),
    cause: (_, seen) =>
      `${seen.kubeconfigPath} holds neither a token nor a client certificate, so kube-apiserver does not know who calls and answers 401 Unauthorized; with --authorization-mode=AlwaysAllow, anonymous requests are not allowed either`,
    remedy: (_, seen) => {
      const user = kubeconfigOf(seen)?.userName ?? "admin"
      const path = flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
      return `Put a token${path === undefined ? "" : ` from ${path}`} into the kubeconfig: kubectl config set-credentials ${user} --token=TOKEN`
    },
    look: WHOAMI,
  }),
  symptom({
    id: "wrong-token",
    component: "kube-apiserver",
    lasting: ({ failure }) =>
      failure?.kind === "not-ready" && failure.answer?.startsWith("401") === true ? AT_ONCE : undefined,
    sign: (seen) => {
      const path = tokenFileOf(seen)
      const token = kubeconfigOf(seen)?.token
      const shown = said(UNAUTHENTICATED)(seen) ?? refusedToken(seen)
      if (shown === undefined || path === undefined || token === undefined || seen.files[path] === undefined)
        return undefined
      return tokensIn(seen, path).some((row) => row.token === token) ? undefined : { ...shown, path }
    },
    cause: ({ path }, seen) =>
      `the token in ${seen.kubeconfigPath} is not in kube-apiserver's token file ${path}, so kube-apiserver refuses it`,
    remedy: ({ path }) =>
      `Use a token of ${path}. If that file has changed, start kube-apiserver again: it reads the file only when it starts.`,
    look: WHOAMI,
  }),
  symptom({
    id: "token-read-before",
    component: "kube-apiserver",
    sign: (seen) => {
      const path = tokenFileOf(seen)
      const shown = said(UNAUTHENTICATED)(seen)
      return shown === undefined || path === undefined || kubeconfigOf(seen)?.token === undefined
        ? undefined
        : { ...shown, path }
    },
    cause: ({ path }, seen) =>
      `kube-apiserver refuses the token, although ${seen.kubeconfigPath} and ${path} hold the same one now: it reads ${path} only when it starts`,
    remedy: "Start kube-apiserver again.",
    look: WHOAMI,
  }),
  symptom({
    id: "kubeconfig-elsewhere",
    component: "kube-apiserver",
    sign: (seen) => {
      const server = hostOf(kubeconfigOf(seen)?.server)
      const one = componentOf(seen, "kube-apiserver")
      const actual = apiserverAddressOf(seen)
      if (server === undefined || listens(seen, server) || one?.state !== "running" || !listens(seen, actual))
        return undefined
      const shown = said(/connection to the server \S+ was refused|connection refused|ECONNREFUSED/)(seen)
      return shown && { ...shown, server, actual }
    },
    cause: ({ server, actual }, seen) =>
      `${seen.kubeconfigPath} names ${server}, where no process listens; kube-apiserver listens on ${actual}`,
    remedy: (_, seen) =>
      `kubectl config set-cluster ${kubeconfigOf(seen)?.clusterName ?? "CLUSTER"} --server=${apiserverUrlOf(seen)}`,
    look: "kubectl config view; ss -tlnp",
  }),
  symptom({
    id: "kubeconfig-without-tls",
    component: "kube-apiserver",
    sign: (seen) => {
      const server = kubeconfigOf(seen)?.server
      const shown = said(/rejected our request|HTTP request to an HTTPS server|malformed HTTP response/)(seen)
      return server?.startsWith("http://") === true && shown !== undefined ? { ...shown, server } : undefined
    },
    cause: ({ server }, seen) =>
      `${seen.kubeconfigPath} names ${server}, without TLS, and kube-apiserver serves only TLS`,
    remedy: (_, seen) =>
      `kubectl config set-cluster ${kubeconfigOf(seen)?.clusterName ?? "CLUSTER"} --server=${apiserverUrlOf(seen)}`,
    look: "kubectl config view",
  }),
  symptom({
    id: "kubeconfig-incomplete",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) =>
      first([...kubectlsIn(seen), ...usedByComponents(seen)], ({ client, path, answer }) => {
        const text = seen.files[path]
        const flaw = text === undefined ? undefined : kubeconfigFlaw(text)
        return flaw === undefined
          ? undefined
          : { evidence: `${path}; ${client}: ${answer.slice(0, 160)}`, client, path, flaw }
      }),
    cause: ({ client, path, flaw }) => `${client} uses the kubeconfig ${path}, and ${flaw}`,
    remedy: ({ path, client }) => `Correct ${path}${client === "kubectl" ? "." : `, and start ${client} again.`}`,
    look: ({ path }) => `kubectl config view --kubeconfig=${path}`,
  }),
  symptom({
    id: "node-is-somebody-else",
    component: "kubelet",
    // A kubelet whose Node has another name than its host can be refused for a moment, until the Node is known.
    lasting: (seen) =>
      flagOf(componentOf(seen, "kubelet"), "--hostname-override") === undefined ? AT_ONCE : undefined,
    sign: (seen) => {
      const shown = complainedOf(
        "kubelet",
        /is forbidden: User \\?"system:node:([^"\\]+)\\?"|is forbidden: node \\?"([^"\\]+)\\?" is not allowed to modify/,
        "node",
        "node",
      )(seen)
      return shown === undefined || shown.node === seen.hostname ? undefined : shown
    },
    cause: ({ node }, seen) =>
      `the kubelet's certificate is for Node ${node}, and the kubelet runs on ${seen.hostname}: the authorization mode Node lets a kubelet change only its own Node`,
    remedy: ({ node }, seen) =>
      `Make the kubelet's certificate for this host (/O=system:nodes/CN=system:node:${seen.hostname}), or start the kubelet with --hostname-override=${node}`,
    look: "openssl x509 -noout -subject -in CERTIFICATE; hostname",
  }),
  symptom({
    id: "forbidden",
    component: "kube-apiserver",
    sign: (seen) =>
      said(/is forbidden: User "([^"]+)" cannot (\w+) resource "([^"]+)"/, "user", "verb", "resource")(seen),
    cause: ({ user, verb, resource }, seen) =>
      `kube-apiserver knows the user ${user}, and --authorization-mode=${modeOf(seen)} does not let that user ${verb} ${resource}`,
    remedy: ({ user }) => grant(user),
    look: "kubectl auth whoami; kubectl auth can-i --list",
  }),
  symptom({
    id: "forbidden",
    component: "kube-apiserver",
    sign: (seen) => {
      const { failure } = seen
      const mismatch = mismatchOf(seen)
      const isForbidden =
        (mismatch?.expected === 200 && mismatch.actual === 403) ||
        (failure !== undefined && "tried" in failure && failure.tried?.some(({ answer }) => answer === "no"))
      return modeOf(seen).includes("AlwaysAllow") || isForbidden !== true
        ? undefined
        : { evidence: `--authorization-mode=${modeOf(seen)}`, user: userOf(seen) ?? "USER" }
    },
    cause: ({ user }, seen) =>
      `kube-apiserver knows the user ${user}, and --authorization-mode=${modeOf(seen)} does not allow the request`,
    remedy: ({ user }) => grant(user),
    look: "kubectl auth whoami; kubectl auth can-i --list",
  }),
  symptom({
    id: "snapshot-restore-moved",
    component: "etcd",
    sign: (seen) => {
      const argv = seen.failure?.kind === "command-failed" ? seen.failure.argv : []
      return argv[1] === "snapshot" && argv[2] === "restore"
        ? said(/unknown flag: --data-dir|unknown command "restore"/)(seen)
        : undefined
    },
    cause:
      "etcdctl cannot restore snapshots any more: the commands snapshot restore and snapshot status moved to etcdutl in etcd 3.6",
    remedy:
      "Use etcdutl snapshot restore. If etcdutl itself answers so, the program of that name is not etcdutl: etcdutl version",
    look: "etcdutl version; etcdctl version",
  }),
]

/** The kubeconfigs of kubectl commands that have failed, with their answers. */
function kubectlsIn({ failure }: Observation): { client: "kubectl"; path: string; answer: string }[] {
  if (failure === undefined) return []
  if ("tried" in failure && failure.tried !== undefined)
    return failure.tried.map(({ kubeconfig, answer }) => ({ client: "kubectl", path: kubeconfig, answer }))
  if (failure.kind !== "command-failed" || failure.argv[0] !== "kubectl") return []
  const path = failure.argv.find((word) => word.startsWith("--kubeconfig="))?.slice("--kubeconfig=".length)
  return path === undefined ? [] : [{ client: "kubectl", path, answer: failure.stderr.trim() }]
}

/**
 * The kubeconfigs that components use, with what they say of them. A component that runs may say nothing of a flaw: it
 * only waits for what it does not get. The kubeconfig for its bootstrap counts only if it complains about it.
 */
function usedByComponents(seen: Observation) {
  if (seen.failure === undefined) return []
  return kubeconfigsOf(seen).flatMap(({ client, path, isBootstrap }) => {
    const component = componentOf(seen, client)
    const said = matched(
      component?.log.toReversed() ?? [],
      isBootstrap ? /cannot create certificate signing request|bootstrap kubeconfig/ : NOT_LET_IN,
    )
    if (said !== undefined) return [{ client, path, answer: said.evidence }]
    const isUsed = !isBootstrap && (component?.state === "running" || concerns(seen, client))
    return isUsed ? [{ client, path, answer: "it reads this file when it starts" }] : []
  })
}

function grant(user: string): string {
  return `Put the user into the group system:masters (fourth column of the token file), or bind a role: kubectl create clusterrolebinding admin --clusterrole=cluster-admin --user=${user}`
}

function modeOf(seen: Observation): string {
  return flagOf(componentOf(seen, "kube-apiserver"), "--authorization-mode") ?? "AlwaysAllow"
}

function tokenFileOf(seen: Observation): string | undefined {
  return flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
}

/** The rows of a token file: TOKEN,USER,UID,GROUPS. */
function tokensIn(seen: Observation, path: string): { token: string; user: string | undefined }[] {
  return (seen.files[path] ?? "").split("\n").map((line) => {
    const [token = "", user] = line.split(",")
    return { token, user }
  })
}

/** kube-apiserver refused the token of its own readiness probe. */
function refusedToken(seen: Observation): Named<never> | undefined {
  return concerns(seen, "kube-apiserver")
    ? complainedOf("kube-apiserver", /Unable to authenticate the request.*invalid bearer token/)(seen)
    : undefined
}

/** The user that the kubeconfig's token belongs to. */
function userOf(seen: Observation): string | undefined {
  const token = kubeconfigOf(seen)?.token
  return tokensIn(seen, tokenFileOf(seen) ?? "").find((row) => token !== undefined && row.token === token)?.user
}
