import { kubeconfig, KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { APISERVER_AT_KUBELET, pki, secured, type Pair } from "../pki/pki.ts"
import { APISERVER_PORT, TOKENS_FILE } from "./apiserver.ts"
import { shellLine, withFlags, type Component, type ComponentFile, type Flag } from "./component.ts"
import { ETCD_PORT } from "./etcd.ts"
import type { ClusterFacts } from "./spec.ts"

/** The files of the PKI lesson, beside its certificates. */
export const SECURED_FILES = {
  authentication: "/etc/kubernetes/authentication.yaml",
  encryption: "/etc/kubernetes/encryption.yaml",
  scheduler: "/etc/kubernetes/scheduler.conf",
  kubelet: "/etc/kubernetes/kubelet.conf",
  controllerManager: "/etc/kubernetes/controller-manager.conf",
  proxy: "/etc/kubernetes/kube-proxy.conf",
  bootstrap: "/etc/kubernetes/bootstrap-kubelet.conf",
} as const

const CLIENTS = `https://127.0.0.1:${ETCD_PORT}`
const PEERS = "https://127.0.0.1:2380"

/**
 * Only health can be asked without credentials.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#anonymous-requests
 */
const authentication = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions: [{ path: /livez }, { path: /readyz }, { path: /healthz }]
`

/**
 * New Secrets are encrypted with the first provider. Secrets that were written before can be read with the last.
 * https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
 */
const encryption = (key: string) => `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys:
      - name: first
        secret: ${key}
  - identity: {}
`

/** @param server the URL of kube-apiserver; by default on the same machine */
export function kubeconfigFor(
  path: string,
  name: string,
  user: Pair | { readonly token: string },
  server = `https://127.0.0.1:${APISERVER_PORT}`,
): ComponentFile {
  return { path, content: kubeconfig({ server, ca: { file: pki.ca.certificate }, user, name }), mode: 0o600 }
}

/** The environment of a line in which kubectl is an administrator. */
export const ADMINISTRATOR = { KUBECONFIG: KUBECONFIG_FILE } as const

/** A command line of a shell that lets kube-apiserver use the API of the kubelet. It can run again. */
export const GRANT_KUBELET_API = `kubectl get clusterrolebinding kube-apiserver-to-kubelet >/dev/null 2>&1 || kubectl create clusterrolebinding kube-apiserver-to-kubelet --clusterrole=system:kubelet-api-admin --user=${APISERVER_AT_KUBELET}`

/** A copy of a component with flags that replace those of the same name, or are added. */
export function having(component: Component, flags: readonly Flag[]): Component {
  const kept = withFlags(component, Object.fromEntries(flags.map(({ flag }) => [flag, null])))
  return { ...kept, flags: [...kept.flags, ...flags] }
}

/**
 * How components of our own cluster differ from the PKI lesson on: every connection uses TLS, each component has its
 * own certificate, and RBAC and the Node authorizer decide what it may do.
 */
export const withPki = {
  etcd: (component: Component): Component =>
    having(component, [
      { flag: "--listen-client-urls", value: CLIENTS },
      { flag: "--advertise-client-urls", value: CLIENTS },
      { flag: "--cert-file", value: secured.etcd.server.certificate },
      { flag: "--key-file", value: secured.etcd.server.key },
      { flag: "--client-cert-auth", why: "clients need a certificate of etcd's own CA" },
      { flag: "--trusted-ca-file", value: secured.etcd.ca.certificate },
      { flag: "--listen-peer-urls", value: PEERS },
      { flag: "--initial-advertise-peer-urls", value: PEERS },
      { flag: "--initial-cluster", value: `default=${PEERS}`, why: "goes with the address for other members" },
      { flag: "--peer-cert-file", value: secured.etcd.peer.certificate },
      { flag: "--peer-key-file", value: secured.etcd.peer.key },
      { flag: "--peer-client-cert-auth", why: "other members need a certificate too" },
      { flag: "--peer-trusted-ca-file", value: secured.etcd.ca.certificate },
    ]),
  "kube-apiserver": (component: Component, { encryptionKey }: ClusterFacts): Component => ({
    ...having(withFlags(component, { "--token-auth-file": null }), [
      { flag: "--etcd-servers", value: CLIENTS },
      { flag: "--etcd-cafile", value: secured.etcd.ca.certificate },
      { flag: "--etcd-certfile", value: secured.apiserver.toEtcd.certificate },
      { flag: "--etcd-keyfile", value: secured.apiserver.toEtcd.key },
      {
        flag: "--client-ca-file",
        value: pki.ca.certificate,
        why: "a client is the user in the certificate (CN) and belongs to its groups (O)",
      },
      { flag: "--authentication-config", value: SECURED_FILES.authentication, why: "without credentials only health" },
      { flag: "--authorization-mode", value: "Node,RBAC" },
      {
        flag: "--enable-admission-plugins",
        value: "NodeRestriction",
        why: "a kubelet may change only its own Node and the Pods on it",
      },
      { flag: "--encryption-provider-config", value: SECURED_FILES.encryption, why: "Secrets are encrypted in etcd" },
      { flag: "--kubelet-client-certificate", value: secured.apiserver.toKubelet.certificate },
      { flag: "--kubelet-client-key", value: secured.apiserver.toKubelet.key },
    ]),
    files: [
      ...component.files.filter(({ path }) => path !== TOKENS_FILE),
      { path: SECURED_FILES.authentication, content: authentication },
      { path: SECURED_FILES.encryption, content: encryption(encryptionKey), mode: 0o600 },
      kubeconfigFor(KUBECONFIG_FILE, "admin", secured.admin),
    ],
    completion: [
      ...(component.completion ?? []),
      shellLine(GRANT_KUBELET_API, "kube-apiserver could not be allowed to use the API of the kubelet", ADMINISTRATOR),
    ],
  }),
  "kube-scheduler": (component: Component): Component =>
    asItself(component, SECURED_FILES.scheduler, secured.scheduler),
  kubelet: (component: Component): Component => ({
    ...having(component, [{ flag: "--kubeconfig", value: SECURED_FILES.kubelet }]),
    files: [
      ...component.files.map((file) => ({ ...file, content: delegating(file.content) })),
      kubeconfigFor(SECURED_FILES.kubelet, "kubelet", secured.kubelet),
    ],
  }),
} as const

/** kube-controller-manager as the user that RBAC knows by that name. It starts after the PKI lesson. */
export function managerWithPki(component: Component): Component {
  return asItself(component, SECURED_FILES.controllerManager, pki.controllerManager)
}

/**
 * A component that calls kube-apiserver as the user system:NAME, and lets it decide about the component's own clients.
 */
function asItself(component: Component, path: string, user: Pair): Component {
  return {
    ...having(component, [
      { flag: "--kubeconfig", value: path },
      { flag: "--authentication-kubeconfig", value: path, why: "its own clients are authenticated" },
      { flag: "--authorization-kubeconfig", value: path, why: "and authorized by kube-apiserver" },
    ]),
    files: [...component.files, kubeconfigFor(path, `system:${component.name}`, user)],
  }
}

/** The kubelet's configuration, changed so that kube-apiserver decides what each of the kubelet's clients may do. */
function delegating(config: string): string {
  return config
    .replace("webhook: { enabled: false }", "webhook: { enabled: true }")
    .replace("authorization: { mode: AlwaysAllow }", "authorization: { mode: Webhook }")
}
