import { SECURED_FILES } from "../../components/secured.ts"
import { KUBECONFIG_FILE } from "../../kubeconfig/kubeconfig.ts"
import { pki, secured } from "../../pki/pki.ts"
import { replaced } from "./certificates.ts"
import { file, flags, type Sabotage } from "./sabotage.ts"

/** Only this lesson runs: the cluster starts in the way in which this lesson changes it. */
const here = { from: 8, until: 8 } as const

/** Sabotages that break an outcome of lesson 08: a connection is open, or a component may do too much or too little. */
export const outcomes08: readonly Sabotage[] = [
  {
    id: "etcd-metrics-in-plain",
    breaks: "etcd serves its metrics to other machines, without TLS",
    component: { etcd: flags({ "--listen-metrics-urls": "http://0.0.0.0:2381" }) },
    ...here,
    fails: ["08 every port of the components"],
    finding: "plain-http",
  },
  {
    id: "etcd-accepts-any-client",
    breaks: "etcd uses TLS and requires no certificate of its clients",
    component: { etcd: flags({ "--client-cert-auth": null, "--trusted-ca-file": null }) },
    ...here,
    fails: ["08 every port refuses a client"],
    finding: "etcd-accepts-any-client",
  },
  {
    id: "certificate-without-service-address",
    breaks: "kube-apiserver's certificate does not contain the address of the Service kubernetes",
    before: "08 each serving certificate",
    script: replaced("-days 10", "IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"),
    ...here,
    fails: ["08 each serving certificate"],
    finding: "certificate-lacks-service-name",
  },
  {
    id: "private-key-readable",
    breaks: "every user of the machine can read the key of the CA",
    before: "08 private keys",
    script: `chmod 644 ${pki.ca.key}`,
    ...here,
    fails: ["08 private keys"],
    finding: "private-key-readable",
  },
  {
    id: "role-for-the-unauthenticated",
    breaks: "kube-apiserver accepts anonymous requests to all paths, and a ClusterRoleBinding gives them a role",
    component: {
      "kube-apiserver": file(SECURED_FILES.authentication, (text) => text.replace(/^ +conditions:.*\n/m, "")),
    },
    before: "08 without credentials",
    script:
      "kubectl create clusterrolebinding everybody --clusterrole=cluster-admin --group=system:unauthenticated; sleep 1",
    ...here,
    fails: ["08 without credentials"],
    finding: "role-for-strangers",
  },
  {
    id: "scheduler-is-administrator",
    breaks: "kube-scheduler uses the kubeconfig of the administrator",
    component: { "kube-scheduler": flags({ "--kubeconfig": KUBECONFIG_FILE }) },
    ...here,
    fails: ["08 each component"],
    finding: "component-is-administrator",
  },
  {
    id: "kubelet-without-group",
    breaks: "the kubelet's certificate does not contain the group system:nodes",
    before: "08 each component",
    script: `openssl req -x509 -CA ${pki.ca.certificate} -CAkey ${pki.ca.key} -key ${secured.kubelet.key} -days 10 -subj "/CN=system:node:$(hostname)" -addext extendedKeyUsage=clientAuth -out ${secured.kubelet.certificate}`,
    ...here,
    fails: ["08 each component", "08 a kubelet can neither", "08 what lessons"],
    finding: "kubelet-without-group",
  },
  {
    id: "role-for-everybody",
    breaks: "a ClusterRoleBinding lets every user list Pods",
    before: "08 a user without",
    script: `kubectl create clusterrole everybody --verb=list --resource=pods
kubectl create clusterrolebinding everybody --clusterrole=everybody --group=system:authenticated`,
    ...here,
    fails: ["08 a user without"],
    finding: "role-for-strangers",
  },
  {
    id: "node-restriction-off",
    breaks: "the admission plugin NodeRestriction is off",
    component: { "kube-apiserver": flags({ "--enable-admission-plugins": null }) },
    ...here,
    fails: ["08 a kubelet can neither"],
    finding: "node-restriction-off",
  },
  {
    id: "kubelet-allows-everything",
    breaks: "the kubelet allows everything to every client with a certificate of its CA",
    component: {
      kubelet: file("/etc/kubernetes/kubelet.yaml", (text) => text.replace("mode: Webhook", "mode: AlwaysAllow")),
    },
    ...here,
    fails: ["08 kubectl logs"],
    finding: "kubelet-allows-everything",
  },
  {
    id: "kubelet-role-removed",
    breaks: "kube-apiserver loses the role that lets it use the API of the kubelet",
    before: "08 kubectl logs",
    script: "kubectl delete clusterrolebinding kube-apiserver-to-kubelet",
    ...here,
    fails: ["08 kubectl logs"],
    finding: "kubelet-forbids-apiserver",
  },
  {
    id: "secrets-not-encrypted",
    breaks: "kube-apiserver has no configuration for encryption",
    component: { "kube-apiserver": flags({ "--encryption-provider-config": null }) },
    ...here,
    fails: ["08 a new Secret"],
    finding: "secrets-in-plain-text",
  },
  {
    id: "identity-first",
    breaks: "the first provider in the configuration for encryption is identity",
    component: {
      "kube-apiserver": file(SECURED_FILES.encryption, (text) =>
        text.replace(/^ {2}- identity: \{\}\n/m, "").replace("  providers:\n", "  providers:\n  - identity: {}\n"),
      ),
    },
    ...here,
    fails: ["08 a new Secret"],
    finding: "secrets-in-plain-text",
  },
  {
    id: "apiserver-frozen-at-renewal",
    breaks: "kube-apiserver is suspended when its certificate is renewed",
    before: "08 a certificate that is renewed",
    script: "pkill -STOP -x kube-apiserver",
    ...here,
    fails: ["08 a certificate that is renewed", "08 an expired", "08 what lessons"],
    finding: "frozen",
  },
  {
    id: "kubeconfig-skips-verification",
    breaks: "kubectl does not verify the certificate of kube-apiserver",
    before: "08 an expired",
    script: `sed -i 's/certificate-authority: .*/insecure-skip-tls-verify: true/' ${KUBECONFIG_FILE}`,
    ...here,
    fails: ["08 an expired"],
    finding: "kubeconfig-skips-verification",
  },
  {
    id: "kubelet-frozen-with-pki",
    breaks: "the kubelet is suspended",
    before: "08 what lessons",
    script: "pkill -STOP -x kubelet",
    ...here,
    fails: ["08 what lessons"],
    finding: "frozen",
  },
]
