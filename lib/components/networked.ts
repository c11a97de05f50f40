import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { ADDRESS, isMachineName, MACHINES } from "../machines/network.ts"
import { networked, pki } from "../pki/pki.ts"
import { APISERVER_PORT } from "./apiserver.ts"
import { shellLine, withFlags, type Component } from "./component.ts"
import { CNI_CONFIG, FIRST_RANGE } from "./containerd.ts"
import { APPLY_COREDNS, CLUSTER_DOMAIN, coredns, DNS_ADDRESS } from "./coredns.ts"
import { ADMINISTRATOR, having, kubeconfigFor, SECURED_FILES } from "./secured.ts"
import type { ClusterFacts } from "./spec.ts"

/** The range from which kube-controller-manager gives each Node a range for its Pods. */
const PODS = "10.88.0.0/16"
/** The CNI configuration of a further Node, before its range is known. */
const CNI_TEMPLATE = "/etc/kubernetes/pod-network.conflist"

/**
 * A command line of a shell that lets a new machine request a certificate with the token in $BOOTSTRAP_TOKEN. It can
 * run again. https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
 */
export const ADMIT_MACHINES = `kubectl get secret "bootstrap-token-\${BOOTSTRAP_TOKEN%.*}" -n kube-system >/dev/null 2>&1 || kubectl create secret generic "bootstrap-token-\${BOOTSTRAP_TOKEN%.*}" -n kube-system --type=bootstrap.kubernetes.io/token --from-literal=token-id="\${BOOTSTRAP_TOKEN%.*}" --from-literal=token-secret="\${BOOTSTRAP_TOKEN#*.}" --from-literal=usage-bootstrap-authentication=true
kubectl get clusterrolebinding kubelet-bootstrap >/dev/null 2>&1 || kubectl create clusterrolebinding kubelet-bootstrap --clusterrole=system:node-bootstrapper --group=system:bootstrappers`

/** A command line of a shell that writes the CNI configuration of a further Node when the Node has its range. */
export const WRITE_POD_NETWORK = `for _ in $(seq 300); do range=$(kubectl --kubeconfig=${SECURED_FILES.kubelet} get node "$(hostname)" -o jsonpath="{.spec.podCIDR}" 2>/dev/null) && [ -n "$range" ] && break; sleep 0.1; done
[ -n "$range" ] || { echo "Node $(hostname) has no range for Pods after 300 tries" >&2; exit 1; }
sed "s|${FIRST_RANGE}|$range|" ${CNI_TEMPLATE} >${CNI_CONFIG}`

/**
 * A command line of a shell that sends packets for the Pods of the other Node there. This Node's own range is longer.
 */
export const routeTo = (address: string) => `ip route replace ${PODS} via ${address}`

/**
 * How components of our own cluster differ from the lesson about networking on: Pods and other machines reach
 * kube-apiserver, kube-controller-manager signs the certificates of new Nodes, and Pods resolve the names of
 * Services. On a further machine, the kubelet requests its certificate with a bootstrap token.
 */
export const withNetwork = {
  "kube-apiserver": (component: Component, { nodeIp, bootstrapToken }: ClusterFacts): Component => ({
    ...having(withFlags(component, { "--endpoint-reconciler-type": null }), [
      { flag: "--bind-address", value: "0.0.0.0", why: "Pods and other machines call it too" },
      { flag: "--advertise-address", value: nodeIp, why: "the endpoint of the Service kubernetes" },
      { flag: "--tls-cert-file", value: networked.apiserver.certificate, why: "it contains that address" },
      { flag: "--tls-private-key-file", value: networked.apiserver.key },
      { flag: "--enable-bootstrap-token-auth", why: "a new machine has no certificate yet" },
    ]),
    completion: [
      ...(component.completion ?? []),
      shellLine(ADMIT_MACHINES, "the bootstrap token could not be created", {
        ...ADMINISTRATOR,
        BOOTSTRAP_TOKEN: bootstrapToken,
      }),
    ],
  }),
  "kube-controller-manager": (component: Component): Component =>
    having(component, [
      {
        flag: "--cluster-signing-cert-file",
        value: pki.ca.certificate,
        why: "it signs the certificates that people approve",
      },
      { flag: "--cluster-signing-key-file", value: pki.ca.key },
    ]),
  // A further Node gets its CNI configuration when it has its range.
  containerd: (component: Component, { node }: ClusterFacts): Component =>
    isMachineName(node)
      ? {
          ...component,
          files: component.files.map((file) => (file.path === CNI_CONFIG ? { ...file, path: CNI_TEMPLATE } : file)),
        }
      : component,
  kubelet: (component: Component, facts: ClusterFacts): Component =>
    isMachineName(facts.node) ? joining(component, facts) : inConfiguration(component, (text) => text + RESOLVING),
  "kube-proxy": (component: Component, { node }: ClusterFacts): Component => {
    const isFurther = isMachineName(node)
    const server = `https://${isFurther ? ADDRESS : "127.0.0.1"}:${APISERVER_PORT}`
    return {
      ...component,
      files: [
        ...component.files.map((file) => ({
          ...file,
          content: file.content.replace(KUBECONFIG_FILE, SECURED_FILES.proxy),
        })),
        kubeconfigFor(SECURED_FILES.proxy, "system:kube-proxy", networked.proxy, server),
        ...(isFurther ? [] : [coredns]),
      ],
      completion: [
        shellLine(
          routeTo(isFurther ? ADDRESS : MACHINES["node-2"]),
          "there is no route to the Pods of the other Node",
          {},
        ),
        ...(isFurther ? [] : [shellLine(APPLY_COREDNS, "the objects of CoreDNS could not be created", ADMINISTRATOR)]),
      ],
    }
  },
} as const

/** Lines of the kubelet's configuration: what it writes into the /etc/resolv.conf of each Pod. */
const RESOLVING = `clusterDNS: [${DNS_ADDRESS}]
clusterDomain: ${CLUSTER_DOMAIN}
`

/** The kubelet of a further machine, which has no certificate yet. */
function joining(component: Component, { bootstrapToken }: ClusterFacts): Component {
  const configured = inConfiguration(
    component,
    (text) =>
      `${text
        .replace(/^tlsCertFile: .*\n/m, "")
        .replace(/^tlsPrivateKeyFile: .*\n/m, "")
        .replace("address: 127.0.0.1", "address: 0.0.0.0")}${RESOLVING}rotateCertificates: true
serverTLSBootstrap: true
`,
  )
  const server = `https://${ADDRESS}:${APISERVER_PORT}`
  return {
    ...having(configured, [
      { flag: "--bootstrap-kubeconfig", value: SECURED_FILES.bootstrap, why: "for its first certificate only" },
    ]),
    files: [
      ...configured.files.filter(({ path }) => path !== SECURED_FILES.kubelet),
      kubeconfigFor(SECURED_FILES.bootstrap, "bootstrap", { token: bootstrapToken }, server),
    ],
    completion: [shellLine(WRITE_POD_NETWORK, "the CNI configuration could not be written", {})],
  }
}

/** A component whose configuration in YAML is changed. */
function inConfiguration(component: Component, change: (text: string) => string): Component {
  return {
    ...component,
    files: component.files.map((file) =>
      file.path.endsWith(".yaml") ? { ...file, content: change(file.content) } : file,
    ),
  }
}
