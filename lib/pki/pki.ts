import { quote } from "../base/shell.ts"

const FOLDER = "/etc/kubernetes/pki"

function pair(name: string): { readonly certificate: string; readonly key: string } {
  return { certificate: `${FOLDER}/${name}.crt`, key: `${FOLDER}/${name}.key` }
}

/** The paths of every certificate and key of the cluster. */
export const pki = {
  folder: FOLDER,
  ca: pair("ca"),
  apiserver: pair("apiserver"),
  scheduler: pair("scheduler"),
  kubelet: pair("kubelet"),
  kubeletClient: pair("apiserver-kubelet-client"),
  serviceAccount: { private: `${FOLDER}/sa.key`, public: `${FOLDER}/sa.pub` },
} as const

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

function issue(files: { certificate: string; key: string }, subject: string, usage: string, names?: string): string[] {
  return [
    "openssl",
    "req",
    "-x509",
    "-CA",
    pki.ca.certificate,
    "-CAkey",
    pki.ca.key,
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
    [
      "openssl",
      "req",
      "-x509",
      ...NEW_KEY,
      "-days",
      "3650",
      "-subj",
      "/CN=byhand-ca",
      "-addext",
      "keyUsage=critical,keyCertSign,cRLSign",
      "-keyout",
      pki.ca.key,
      "-out",
      pki.ca.certificate,
    ],
    issue(
      pki.apiserver,
      "/CN=kube-apiserver",
      "serverAuth",
      "IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc",
    ),
    issue(pki.scheduler, "/CN=kube-scheduler", "serverAuth", "IP:127.0.0.1,DNS:localhost"),
    issue(pki.kubelet, `/CN=system:node:${nodeName}`, "serverAuth", `IP:127.0.0.1,DNS:localhost,DNS:${nodeName}`),
    issue(pki.kubeletClient, "/O=system:masters/CN=kube-apiserver-kubelet-client", "clientAuth"),
    [
      "openssl",
      "genpkey",
      "-algorithm",
      "EC",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-out",
      pki.serviceAccount.private,
    ],
    ["openssl", "pkey", "-in", pki.serviceAccount.private, "-pubout", "-out", pki.serviceAccount.public],
  ]
}

/** The same commands as one script for a POSIX shell. Only the owner can read the keys. */
export function pkiScript(nodeName: string): string {
  return [
    `mkdir -p ${FOLDER}`,
    "umask 077",
    ...pkiCommands(nodeName).map((argv) => `${quote(argv)} 2>/dev/null`),
    "umask 022",
  ].join("\n")
}
