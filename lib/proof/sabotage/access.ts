import { knownVersions } from "../../binaries/versions.ts"
import { TOKENS_FILE } from "../../components/apiserver.ts"
import { KUBECONFIG_FILE } from "../../kubeconfig/kubeconfig.ts"
import { pki } from "../../pki/pki.ts"
import { replaced } from "./certificates.ts"
import { file, flags, type Sabotage } from "./sabotage.ts"

/** The minor versions before the default one. */
const [TWO_OLDER, ONE_OLDER] = knownVersions

const KUBECTL = [
  "02 kubectl get nodes",
  "02 the built-in",
  "02 the Service kubernetes",
  "02 the namespaces that",
  "02 a namespace written",
  "02 without a token",
]
/** Every kubectl command of lesson 02 fails. */
const kubectl = { before: "02 kubectl get nodes", fails: KUBECTL, until: 2 } as const
/** In addition, every other client that verifies the certificate fails. */
const clients = { ...kubectl, fails: [...KUBECTL, "02 a client that"] } as const
const edited = (expression: string) => `sed -i '${expression}' ${KUBECONFIG_FILE}`

/** Sabotages that prevent clients from using kube-apiserver. */
export const access: readonly Sabotage[] = [
  {
    id: "kubeconfig-missing",
    breaks: "the kubeconfig is not at the path from which kubectl reads it",
    script: `rm ${KUBECONFIG_FILE}`,
    ...kubectl,
    finding: "kubeconfig-missing",
  },
  {
    id: "kubeconfig-without-context",
    breaks: "the kubeconfig names no current context",
    script: edited("/current-context/d"),
    ...kubectl,
    finding: "kubeconfig-without-context",
  },
  {
    id: "kubeconfig-misindented",
    breaks: "the kubeconfig is not valid YAML",
    script: edited("s/^users:/ users:/"),
    ...kubectl,
    finding: "kubeconfig-malformed",
  },
  {
    id: "kubeconfig-elsewhere",
    breaks: "the kubeconfig names a port on which no process listens",
    script: edited("s/6443/6444/"),
    ...kubectl,
    finding: "kubeconfig-elsewhere",
  },
  {
    id: "kubeconfig-without-tls",
    breaks: "the kubeconfig uses http instead of https",
    script: edited("s/https:/http:/"),
    ...kubectl,
    finding: "kubeconfig-without-tls",
  },
  {
    id: "kubeconfig-without-token",
    breaks: "the kubeconfig contains no token",
    script: edited("/token:/d"),
    ...kubectl,
    finding: "kubeconfig-without-token",
  },
  {
    id: "kubeconfig-with-another-token",
    breaks: "the kubeconfig contains a token that kube-apiserver does not know",
    script: edited("s/token: .*/token: some-other-token/"),
    ...kubectl,
    finding: "wrong-token",
  },
  {
    id: "token-changed",
    breaks:
      "the token is changed in the token file and in the kubeconfig, but kube-apiserver still has the old token in memory",
    script: `sed -i 's/^[^,]*/some-other-token/' ${TOKENS_FILE}\n${edited("s/token: .*/token: some-other-token/")}`,
    ...kubectl,
    finding: "token-read-before",
  },
  {
    id: "kubeconfig-with-another-ca",
    breaks: "the kubeconfig names the certificate of another CA",
    script: edited(`s#${pki.ca.certificate}#${pki.kubelet.certificate}#`),
    ...kubectl,
    finding: "certificate-of-another-ca",
  },
  {
    id: "kubeconfig-without-ca",
    breaks: "the kubeconfig names no CA certificate",
    script: edited("/certificate-authority/d"),
    ...kubectl,
    finding: "untrusted-certificate",
  },
  {
    id: "kubeconfig-ca-missing",
    breaks: "the kubeconfig names a CA certificate file that does not exist",
    script: edited(`s#${pki.ca.certificate}#/etc/kubernetes/pki/root.crt#`),
    ...kubectl,
    finding: "certificate-authority-missing",
  },
  {
    id: "certificate-expired",
    breaks: "kube-apiserver's certificate has expired",
    script: replaced("-startdate 20200101000000Z -enddate 20210101000000Z"),
    ...clients,
    finding: "certificate-expired",
  },
  {
    id: "certificate-of-tomorrow",
    breaks: "kube-apiserver's certificate is not valid yet, because the clock of the host that made it was years ahead",
    script: replaced("-startdate 20400101000000Z -enddate 20410101000000Z"),
    ...clients,
    finding: "certificate-not-yet-valid",
  },
  {
    id: "certificate-for-another-host",
    breaks: "kube-apiserver's certificate is replaced by one for another address",
    script: replaced("-days 10", "IP:192.0.2.1,DNS:elsewhere"),
    ...clients,
    finding: "certificate-for-other-names",
  },
  {
    id: "user-without-a-role",
    breaks: "RBAC authorizes requests, and the user has no role",
    component: {
      "kube-apiserver": (component) =>
        flags({ "--authorization-mode": "RBAC", "--anonymous-auth": "false" })(
          file(TOKENS_FILE, (content) => content.replace(',"system:masters"', ""))(component),
        ),
    },
    fails: clients.fails,
    byScripts: { fails: ["02 kube-apiserver starts"], blocks: 2 },
    until: 2,
    finding: "forbidden",
  },
  {
    id: "kubelet-of-another-name",
    breaks: "the kubelet's certificate is for another Node name, and a kubelet may change only its own Node",
    component: {
      "kube-apiserver": flags({
        "--authorization-mode": "Node,RBAC",
        "--anonymous-auth": "false",
        "--client-ca-file": pki.ca.certificate,
      }),
      kubelet: flags({ "--kubeconfig": "/etc/kubernetes/kubelet.conf" }),
    },
    before: "05 the kubelet registers",
    script: `cd /etc/kubernetes
openssl req -x509 -CA pki/ca.crt -CAkey pki/ca.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /O=system:nodes/CN=system:node:elsewhere -addext extendedKeyUsage=clientAuth -keyout elsewhere.key -out elsewhere.crt
sed 's#token: .*#client-certificate: /etc/kubernetes/elsewhere.crt\\n    client-key: /etc/kubernetes/elsewhere.key#' ${KUBECONFIG_FILE} >kubelet.conf`,
    fails: ["05 it becomes Ready", "05 it renews"],
    until: 5,
    finding: "node-is-somebody-else",
  },
  {
    id: "kubectl-too-old",
    breaks: "kubectl is Debian's package, which is many versions older than kube-apiserver",
    brings: { package: "kubernetes-client", program: "usr/bin/kubectl" },
    fails: ["02 without a token"],
    until: 2,
    finding: "version-skew",
  },
  {
    id: "kubectl-two-versions-older",
    breaks: "kubectl is two minor versions older than kube-apiserver",
    brings: { kubernetes: TWO_OLDER, tools: ["kubectl"] },
    fails: [],
    finding: "version-skew",
  },
  {
    id: "controller-manager-two-versions-older",
    breaks: "kube-controller-manager is two minor versions older than kube-apiserver",
    brings: { kubernetes: TWO_OLDER, tools: ["kube-controller-manager"] },
    fails: [],
    finding: "version-skew",
  },
  {
    id: "kubelet-newer-than-apiserver",
    breaks: "the kubelet is one minor version newer than kube-apiserver and all others",
    brings: {
      kubernetes: ONE_OLDER,
      tools: ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl"],
    },
    fails: [],
    finding: "version-skew",
  },
]
