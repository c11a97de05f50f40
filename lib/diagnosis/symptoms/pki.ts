import type { Plain } from "../../failures/failure.ts"
import { portOf } from "../../clients/sockets.ts"
import { Document } from "../../base/document.ts"
import { kubeletOf, nowOf } from "../facts.ts"
import { linksOf, servedOf } from "../links.ts"
import type { ApiObject, Observation } from "../observation.ts"
import { componentOf, first, flagOf, holds, matched, mismatchOf, symptom, type Symptom } from "../symptom.ts"
import { lineNamed, originOfText } from "../written.ts"

const CLIENTS = ["kube-scheduler", "kubelet"] as const
/**
 * What a configuration for encryption calls the Secrets, alone or with others.
 * https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
 */
const ALL_SECRETS = ["secrets", "*.", "*.*"]
const SERVERS = ["etcd", "kube-apiserver", "kube-scheduler", "kubelet"] as const

/** Connections that are open to strangers, and components that may do more than their work. */
export const pki: readonly Symptom[] = [
  ...SERVERS.map((name) =>
    symptom({
      id: "plain-http",
      component: name,
      sign: (seen) => {
        const shown = matched(actual(seen), /^[23]\d\d http:\/\/([^/]+)\/\S*$/, "address")
        const listener = seen.listeners.find(({ local }) => portOf(local) === portOf(shown?.address ?? ""))
        return shown === undefined || listener?.pid !== componentOf(seen, name)?.pid ? undefined : shown
      },
      cause: ({ address }) =>
        `${name} answers requests without TLS on ${address}, so every client that reaches that port can read its answers`,
      remedy: ({ address }) => `Remove the flag that names ${address}, or serve https there with a certificate.`,
      look: ({ address }) => `curl -i http://${address}/metrics; ps -o args= -C ${name}`,
    }),
  ),
  symptom({
    id: "etcd-accepts-any-client",
    component: "etcd",
    sign: (seen) => {
      const shown = matched(actual(seen), /^[23]\d\d https:\/\/([^/]+)\/\S*$/, "address")
      const etcd = componentOf(seen, "etcd")
      const listener = seen.listeners.find(({ local }) => portOf(local) === portOf(shown?.address ?? ""))
      // With either flag, etcd demands a certificate.
      const isClosed =
        ["", "true"].includes(flagOf(etcd, "--client-cert-auth") ?? "false") ||
        flagOf(etcd, "--trusted-ca-file") !== undefined
      return shown === undefined || isClosed || listener?.pid !== etcd?.pid ? undefined : shown
    },
    cause: ({ address }) =>
      `etcd uses TLS on ${address} and accepts clients without a certificate of its CA, because it has neither --client-cert-auth nor --trusted-ca-file: every client that reaches that port can read and change every object`,
    remedy: "Give etcd --client-cert-auth, and --trusted-ca-file with the CA of its clients.",
    look: "ps -o args= -C etcd",
  }),
  symptom({
    id: "certificate-lacks-service-name",
    component: "kube-apiserver",
    sign: (seen) => {
      const shown = matched(actual(seen), /^(?:IP|Hostname) (\S+) does NOT match certificate$/, "name")
      const { at, certificate } = servedOf(seen).find(({ server }) => server === "kube-apiserver") ?? {}
      const isOfService = [serviceAddress(seen), "kubernetes.default.svc"].includes(shown?.name)
      return shown === undefined || at === undefined || !isOfService
        ? undefined
        : { ...shown, path: at, names: certificate?.subjectAltName ?? "no name" }
    },
    cause: ({ name, path, names }) =>
      `Pods call kube-apiserver by ${name}, a name of the Service kubernetes, and its certificate (${path}) is valid for ${names}`,
    remedy: ({ name }) =>
      `Make the certificate again with ${name} in its subjectAltName. The first address of --service-cluster-ip-range and kubernetes.default.svc both belong there.`,
    look: ({ path }) => `openssl x509 -noout -ext subjectAltName -in ${path}; kubectl get service kubernetes`,
  }),
  symptom({
    id: "private-key-readable",
    component: undefined,
    sign: (seen) => matched(actual(seen), /^([0-7]{3,4}) (\/\S+)$/, "mode", "path"),
    cause: ({ mode, path }) =>
      `${path} holds a private key and has the mode ${mode}: other users of the machine can read it, and then be whom its certificate names`,
    remedy: ({ path }) => `chmod 600 ${path}. Set umask 077 before keys are made.`,
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "role-for-strangers",
    component: "kube-apiserver",
    sign: (seen) => {
      const { expected } = mismatchOf(seen) ?? {}
      const isAdmitted = actual(seen).some((text) => /(?:^| )200$/.test(text))
      const isRefusalExpected = texts(expected).some((text) => /(?:^| )40[13]$/.test(text))
      return isAdmitted && isRefusalExpected ? first(seen.api?.clusterRoleBindings ?? [], givenToStrangers) : undefined
    },
    cause: ({ binding, group, role }) =>
      `the ClusterRoleBinding ${binding} gives the role ${role} to ${group}, so every client has it`,
    remedy: ({ binding }) => `kubectl delete clusterrolebinding ${binding}`,
    look: ({ binding }) => `kubectl get clusterrolebinding ${binding} -o yaml`,
  }),
  ...CLIENTS.map((client) =>
    symptom({
      id: "component-is-administrator",
      component: client,
      sign: (seen) => {
        const link = linksOf(seen).find((one) => one.client === client && one.server === "kube-apiserver")
        const subject = oneLine(link?.certificate?.subject)
        return link === undefined || !/(?:^|, )O=system:masters(?:,|$)/.test(subject) || mismatchOf(seen) === undefined
          ? undefined
          : { evidence: `subject of ${link.at}: ${subject}`, at: link.at }
      },
      cause: ({ at }) =>
        `${client} shows kube-apiserver the certificate ${at} of the group system:masters, so it may do everything, and its requests look like an administrator's`,
      remedy: (_, seen) =>
        `Make a certificate for it (${subjectFor(client, seen)}), and name that in the kubeconfig of ${client}.`,
      look: ({ at }) => `openssl x509 -noout -subject -in ${at}`,
    }),
  ),
  symptom({
    id: "kubelet-without-group",
    component: "kubelet",
    sign: (seen) => {
      const link = linksOf(seen).find(({ client }) => client === "kubelet")
      const subject = oneLine(link?.certificate?.subject)
      const isNode = /(?:^|, )CN=system:node:/.test(subject)
      return link === undefined || seen.failure === undefined || !isNode || /O=system:nodes(?:,|$)/.test(subject)
        ? undefined
        : { evidence: `subject of ${link.at}: ${subject}`, at: link.at }
    },
    cause: ({ at }) =>
      `the kubelet's certificate ${at} has no O=system:nodes: a client is a Node for the Node authorizer only with the user system:node:NAME and the group system:nodes`,
    remedy: (_, seen) => `Make it again with the subject ${subjectFor("kubelet", seen)}.`,
    look: ({ at }) => `openssl x509 -noout -subject -in ${at}`,
  }),
  symptom({
    id: "node-restriction-off",
    component: "kube-apiserver",
    sign: (seen) => {
      const plugins = flagOf(componentOf(seen, "kube-apiserver"), "--enable-admission-plugins") ?? ""
      return plugins.split(",").includes("NodeRestriction") || !holds(mismatchOf(seen)?.actual, '"kind":"Node"')
        ? undefined
        : { evidence: `--enable-admission-plugins=${plugins}` }
    },
    cause:
      "the admission plugin NodeRestriction is off, so each kubelet may change every Node: its labels decide where Pods run",
    remedy: "--enable-admission-plugins=NodeRestriction",
    look: "ps -o args= -C kube-apiserver",
  }),
  symptom({
    id: "kubelet-allows-everything",
    component: "kubelet",
    sign: (seen) => {
      const { path, authorization = "" } = kubeletOf(seen)
      return authorization !== "AlwaysAllow" || !holds(mismatchOf(seen)?.actual, '"kind":"PodList"')
        ? undefined
        : { evidence: `${path}: authorization.mode: ${authorization}`, path }
    },
    cause:
      "the kubelet lets every client with a certificate of its CA do everything (authorization.mode: AlwaysAllow), such as run commands in each container",
    remedy: ({ path }) =>
      `Set authorization.mode to Webhook in ${path}: then the kubelet asks kube-apiserver, and RBAC decides.`,
    look: ({ path }) => `grep -A3 authorization ${path}`,
  }),
  symptom({
    id: "secrets-in-plain-text",
    component: "kube-apiserver",
    sign: unencrypted,
    cause: ({ why }) => `kube-apiserver stores Secrets without encryption: ${why}`,
    remedy: ({ remedy }) => remedy,
    look: "ps -o args= -C kube-apiserver; etcdctl get /registry/secrets --prefix --limit=1",
  }),
  symptom({
    id: "kubeconfig-skips-verification",
    component: "kube-apiserver",
    sign: (seen) => {
      const served = servedOf(seen).find(({ server }) => server === "kube-apiserver")
      const now = nowOf(seen)
      const isSkipped = /insecure-skip-tls-verify: *true/.test(seen.files[seen.kubeconfigPath] ?? "")
      if (!isSkipped || served === undefined || now === undefined || mismatchOf(seen) === undefined) return undefined
      return new Date(served.certificate.validTo) >= now
        ? undefined
        : { evidence: `${seen.kubeconfigPath}: insecure-skip-tls-verify: true`, date: served.certificate.validTo }
    },
    cause: ({ date }, seen) =>
      `kubectl verifies no certificate (insecure-skip-tls-verify in ${seen.kubeconfigPath}), so it talks to a server whose certificate was valid until ${date}, and would talk to any other`,
    remedy: (_, seen) => `Name the CA as certificate-authority in ${seen.kubeconfigPath} instead.`,
    look: "kubectl config view",
  }),
]

/** The texts in a value: itself, or those of a list. */
function texts(value: Plain | undefined): string[] {
  return (Array.isArray(value) ? value : [value]).flatMap((one: Plain | undefined) =>
    typeof one === "string" || typeof one === "number" ? String(one).split("\n") : [],
  )
}

/** What was seen in place of what an outcome expects. */
function actual(seen: Observation): string[] {
  return texts(mismatchOf(seen)?.actual)
}

/** The address of the Service kubernetes. */
function serviceAddress({ api }: Observation): string | undefined {
  const service = api?.services?.find(
    ({ metadata }) => metadata.name === "kubernetes" && metadata.namespace === "default",
  )
  return service === undefined ? undefined : new Document(service).text("spec", "clusterIP")
}

function givenToStrangers(binding: ApiObject) {
  const document = new Document(binding)
  const subjects = document.at("subjects")
  const group = (Array.isArray(subjects) ? subjects : [])
    .map((subject: unknown) => new Document(subject).text("name") ?? "")
    .find((name) => ["system:authenticated", "system:unauthenticated", "system:anonymous"].includes(name))
  const role = document.text("roleRef", "name") ?? ""
  const { name } = binding.metadata
  return group === undefined
    ? undefined
    : { evidence: `ClusterRoleBinding ${name}: ${role} for ${group}`, binding: name, group, role }
}

/** Why Secrets lie in etcd as they are: what the configuration for encryption lacks. */
function unencrypted(seen: Observation) {
  const path = flagOf(componentOf(seen, "kube-apiserver"), "--encryption-provider-config")
  const isStored = actual(seen).some((text) => text.includes('"kind":"Secret"') || text.startsWith("k8s\0"))
  if (!isStored) return undefined
  if (path === undefined)
    return {
      evidence: "kube-apiserver has no --encryption-provider-config",
      why: "it has no --encryption-provider-config",
      remedy: "Give it --encryption-provider-config with a provider such as aescbc, and identity last.",
    }
  const parts = Document.yaml(seen.files[path]).items("resources")
  const ofSecrets = parts.find((part) => part.texts("resources").some((name) => ALL_SECRETS.includes(name)))
  const [other] = parts.flatMap((part) => part.texts("resources"))
  if (ofSecrets === undefined && other !== undefined) {
    const origin = originOfText(seen, path, other)
    return {
      evidence: `resources in ${path}: ${other}`,
      why: `${path} is about ${other}, and not about secrets`,
      remedy: `Write resources: [secrets] in ${origin === undefined ? path : lineNamed(origin)}.`,
    }
  }
  if (ofSecrets?.items("providers")[0]?.keys()[0] !== "identity") return undefined
  return {
    evidence: `the first provider in ${path}: identity`,
    why: `identity is the first provider in ${path}, and new objects are written with the first`,
    remedy: `Put identity last in ${path}: then it only reads Secrets that were written before.`,
  }
}

function subjectFor(client: (typeof CLIENTS)[number], { hostname }: Observation): string {
  return client === "kubelet" ? `/O=system:nodes/CN=system:node:${hostname}` : `/CN=system:${client}`
}

function oneLine(subject: string | undefined): string {
  return (subject ?? "").replaceAll("\n", ", ")
}
