import { quote } from "../base/shell.ts"

const FOLDER = "/etc/kubernetes/pki"

function pair(name: string): Pair {
  return { certificate: `${FOLDER}/${name}.crt`, key: `${FOLDER}/${name}.key` }
}

/** The paths of every certificate and key of the cluster. Those of the lesson about the PKI are in `secured`. */
export const pki = {
  folder: FOLDER,
  ca: pair("ca"),
  apiserver: pair("apiserver"),
  scheduler: pair("scheduler"),
  controllerManager: pair("controller-manager"),
  kubelet: pair("kubelet"),
  kubeletClient: pair("apiserver-kubelet-client"),
  serviceAccount: { private: `${FOLDER}/sa.key`, public: `${FOLDER}/sa.pub` },
} as const

/**
 * The certificates with which every connection uses TLS and each component has its own identity. etcd has its own CA:
 * with the CA of Kubernetes it would accept the certificate of every kubelet.
 */
export const secured = {
  etcd: { ca: pair("etcd/ca"), server: pair("etcd/server"), peer: pair("etcd/peer") },
  /** Shown by kube-apiserver to etcd and to the kubelet. */
  apiserver: { toEtcd: pair("apiserver-etcd-client"), toKubelet: pair("apiserver-to-kubelet") },
  /** Shown to kube-apiserver. */
  admin: pair("admin"),
  scheduler: pair("scheduler-client"),
  kubelet: pair("kubelet-client"),
} as const

/** The certificates of the lesson about networking. */
export const networked = {
  /** Presented by kube-apiserver. It contains the address of its Node too. */
  apiserver: pair("apiserver-on-network"),
  /** Shown by kube-proxy to kube-apiserver. */
  proxy: pair("kube-proxy"),
} as const

/** The certificate that a member of etcd's cluster shows to clients and to other members, and its key. */
export function memberPair(name: string): Pair {
  return pair(`etcd/${name}`)
}

/** The user as which kube-apiserver calls the kubelet: the common name of its certificate. */
export const APISERVER_AT_KUBELET = "kube-apiserver-kubelet-client"

/** The names and addresses in the certificate of kube-apiserver. */
export const APISERVER_NAMES =
  "IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"

/** The names and addresses of a server that only clients on its own machine call. */
const LOOPBACK = "IP:127.0.0.1,DNS:localhost"

/** The usage of a certificate that a component shows as a server and as a client, as each member of etcd does. */
const BOTH = "serverAuth,clientAuth"

/** A certificate and its key, as paths. */
export interface Pair {
  readonly certificate: string
  readonly key: string
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

function authority(files: Pair, name: string): string[] {
  return [
    "openssl",
    "req",
    "-x509",
    ...NEW_KEY,
    "-days",
    "3650",
    "-subj",
    `/CN=${name}`,
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
    "-keyout",
    files.key,
    "-out",
    files.certificate,
  ]
}

/**
 * The command that makes a key and a certificate that a CA signs. The path of the certificate is its last word.
 * @param names the names and addresses of a server, such as DNS:localhost,IP:127.0.0.1
 */
export function issue(files: Pair, subject: string, usage: string, names?: string, ca: Pair = pki.ca): string[] {
  return [
    "openssl",
    "req",
    "-x509",
    "-CA",
    ca.certificate,
    "-CAkey",
    ca.key,
    ...NEW_KEY,
    "-days",
    "365",
    "-subj",
    subject,
    "-addext",
    "basicConstraints=critical,CA:FALSE",
    "-addext",
    `extendedKeyUsage=${usage}`,
    ...(names === undefined ? [] : ["-addext", `subjectAltName=${names}`]),
    "-keyout",
    files.key,
    "-out",
    files.certificate,
  ]
}

/**
 * The commands that make a CA, the certificates that it signs, and the key pair for ServiceAccount tokens. A person can
 * type the same commands.
 * https://kubernetes.io/docs/setup/best-practices/certificates/
 * @param nodeName the name under which kube-apiserver reaches the kubelet
 */
export function pkiCommands(nodeName: string): string[][] {
  return [
    authority(pki.ca, "byhand-ca"),
    issue(pki.apiserver, "/CN=kube-apiserver", "serverAuth", APISERVER_NAMES),
    issue(pki.scheduler, "/CN=kube-scheduler", "serverAuth", LOOPBACK),
    issue(pki.kubelet, `/CN=system:node:${nodeName}`, "serverAuth", `${LOOPBACK},DNS:${nodeName}`),
    issue(pki.kubeletClient, `/O=system:masters/CN=${APISERVER_AT_KUBELET}`, "clientAuth"),
    ...signingKey(pki.serviceAccount),
  ]
}

/** The commands that make a key that signs tokens, and the public key that verifies them. */
export function signingKey(files: { readonly private: string; readonly public: string }): string[][] {
  return [
    ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", files.private],
    ["openssl", "pkey", "-in", files.private, "-pubout", "-out", files.public],
  ]
}

/**
 * The commands that make a CA for etcd, and a certificate for each connection that had none. They use the CA that
 * `pkiCommands` makes.
 * @param nodeName the name of the Node, which is a part of the kubelet's user name
 */
export function securedCommands(nodeName: string): string[][] {
  const { etcd, apiserver, admin, scheduler, kubelet } = secured
  return [
    authority(etcd.ca, "byhand-etcd-ca"),
    issue(etcd.server, "/CN=etcd", BOTH, LOOPBACK, etcd.ca),
    issue(etcd.peer, "/CN=etcd-peer", BOTH, LOOPBACK, etcd.ca),
    issue(apiserver.toEtcd, "/CN=kube-apiserver-etcd-client", "clientAuth", undefined, etcd.ca),
    issue(apiserver.toKubelet, `/CN=${APISERVER_AT_KUBELET}`, "clientAuth"),
    issue(admin, "/O=system:masters/CN=admin", "clientAuth"),
    issue(scheduler, "/CN=system:kube-scheduler", "clientAuth"),
    issue(kubelet, `/O=system:nodes/CN=system:node:${nodeName}`, "clientAuth"),
  ]
}

/** The commands that make a certificate for each member of etcd's cluster. etcd's CA signs them. */
export function memberCommands(members: readonly { readonly name: string; readonly address: string }[]): string[][] {
  return members.map(({ name, address }) =>
    issue(memberPair(name), `/CN=${name}`, BOTH, `${LOOPBACK},DNS:${name},IP:${address}`, secured.etcd.ca),
  )
}

/**
 * The command that makes the certificate of kube-controller-manager. It serves with it, and shows it to kube-apiserver:
 * RBAC knows this user.
 */
export function managerCommands(): string[][] {
  return [issue(pki.controllerManager, "/CN=system:kube-controller-manager", BOTH, LOOPBACK)]
}

/**
 * The commands that make the certificate with which kube-apiserver serves other machines, and that of kube-proxy, whose
 * user RBAC knows.
 * @param address the address of kube-apiserver's machine
 */
export function networkedCommands(address: string): string[][] {
  return [
    issue(networked.apiserver, "/CN=kube-apiserver", "serverAuth", `${APISERVER_NAMES},IP:${address}`),
    issue(networked.proxy, "/CN=system:kube-proxy", "clientAuth"),
  ]
}

/**
 * Commands as one script for a POSIX shell. Only the owner can read the keys. A certificate or key that exists is kept:
 * its path is the last word of a command.
 */
export function pkiScript(commands: readonly (readonly string[])[]): string {
  return [
    `mkdir -p ${FOLDER}/etcd`,
    "umask 077",
    ...commands.map((argv) => `[ -s ${argv.at(-1)} ] || ${quote(argv)} 2>/dev/null`),
    "umask 022",
  ].join("\n")
}
