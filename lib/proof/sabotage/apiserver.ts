import { OTHER_CA, OTHER_FOLDER } from "./certificates.ts"
import { file, flags, listen, type Sabotage } from "./sabotage.ts"
import { TOKENS_FILE } from "../../components/apiserver.ts"

const boots = { fails: ["02 kube-apiserver starts"], blocks: 2 } as const
const apiserverFlags = (changes: Readonly<Record<string, string | null>>) => ({
  component: { "kube-apiserver": flags(changes) },
})
const tokens = (change: (content: string) => string) => ({ component: { "kube-apiserver": file(TOKENS_FILE, change) } })

/** What keeps kube-apiserver from starting, or from serving. */
export const apiserver: readonly Sabotage[] = [
  {
    id: "etcd-on-another-port",
    breaks: "kube-apiserver looks for etcd where nothing listens",
    ...apiserverFlags({ "--etcd-servers": "http://127.0.0.1:2399" }),
    ...boots,
    finding: "etcd-elsewhere",
  },
  {
    id: "etcd-by-its-peer-port",
    breaks: "kube-apiserver is sent to where etcd's members talk to each other",
    ...apiserverFlags({ "--etcd-servers": "http://127.0.0.1:2380" }),
    ...boots,
    finding: "etcd-peer-port",
  },
  {
    id: "etcd-by-tls",
    breaks: "kube-apiserver speaks TLS with an etcd that does not",
    ...apiserverFlags({ "--etcd-servers": "https://127.0.0.1:2379" }),
    ...boots,
    finding: "etcd-wrong-scheme",
  },
  {
    id: "etcd-nowhere",
    breaks: "kube-apiserver is not told where etcd is",
    ...apiserverFlags({ "--etcd-servers": null }),
    ...boots,
    finding: "etcd-address-missing",
  },
  {
    id: "apiserver-port-taken",
    breaks: "another program holds kube-apiserver's port",
    script: listen(6443),
    ...boots,
    finding: "port-taken",
  },
  {
    id: "apiserver-flag-removed",
    breaks: "kube-apiserver is given a flag that went years ago",
    ...apiserverFlags({ "--insecure-port": "0" }),
    ...boots,
    finding: "removed-flag",
  },
  {
    id: "apiserver-flag-mistyped",
    breaks: "a flag of kube-apiserver's is mistyped",
    ...apiserverFlags({ "--etcd-servers": null, "--etcd-server": "http://127.0.0.1:2379" }),
    ...boots,
    finding: "unknown-flag",
  },
  {
    id: "apiserver-value-mistyped",
    breaks: "a flag of kube-apiserver's has a value that it does not take",
    ...apiserverFlags({ "--authorization-mode": "AlwaysAlow" }),
    ...boots,
    finding: "invalid-value",
  },
  {
    id: "no-service-account-issuer",
    breaks: "--service-account-issuer is missing",
    ...apiserverFlags({ "--service-account-issuer": null }),
    ...boots,
    finding: "service-account-flags",
  },
  {
    id: "no-service-account-key",
    breaks: "--service-account-key-file is missing",
    ...apiserverFlags({ "--service-account-key-file": null }),
    ...boots,
    finding: "service-account-flags",
  },
  {
    id: "no-service-account-signing-key",
    breaks: "--service-account-signing-key-file is missing",
    ...apiserverFlags({ "--service-account-signing-key-file": null }),
    ...boots,
    finding: "service-account-flags",
  },
  {
    id: "token-file-missing",
    breaks: "the token file is not where kube-apiserver looks",
    ...apiserverFlags({ "--token-auth-file": "/etc/kubernetes/token.csv" }),
    ...boots,
    finding: "token-file-missing",
  },
  {
    id: "token-file-short",
    breaks: "the token file lacks the user's id",
    ...tokens((content) => content.replace(/,admin,.*/, ",admin")),
    ...boots,
    finding: "token-file-malformed",
  },
  {
    id: "token-file-misquoted",
    breaks: "the token file's quotes are in the wrong place",
    ...tokens((content) => content.replace('"system:masters"', 'system:"masters"')),
    ...boots,
    finding: "token-file-malformed",
  },
  {
    id: "token-file-of-another",
    breaks: "the token file holds another token than the kubeconfig",
    ...tokens((content) => content.replace(/^[^,]+/, "some-other-token")),
    ...boots,
    finding: "wrong-token",
  },
  {
    id: "certificate-missing",
    breaks: "the certificate is not where kube-apiserver looks",
    ...apiserverFlags({ "--tls-cert-file": "/etc/kubernetes/pki/api-server.crt" }),
    ...boots,
    finding: "file-missing",
  },
  {
    id: "certificate-with-another-key",
    breaks: "key and certificate do not belong together",
    ...apiserverFlags({ "--tls-private-key-file": "/etc/kubernetes/pki/scheduler.key" }),
    ...boots,
    finding: "certificate-key-mismatch",
  },
  {
    id: "certificate-of-another-ca",
    breaks: "kube-apiserver's certificate is of a CA that nobody trusts",
    script: OTHER_CA,
    ...apiserverFlags({
      "--tls-cert-file": `${OTHER_FOLDER}/apiserver.crt`,
      "--tls-private-key-file": `${OTHER_FOLDER}/apiserver.key`,
    }),
    ...boots,
    finding: "certificate-of-another-ca",
  },
  {
    id: "certificate-for-nobody",
    breaks: "kube-apiserver shows a client's certificate, which names no host",
    ...apiserverFlags({
      "--tls-cert-file": "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
      "--tls-private-key-file": "/etc/kubernetes/pki/apiserver-kubelet-client.key",
    }),
    ...boots,
    finding: "certificate-for-other-names",
  },
  {
    id: "no-service-range",
    breaks: "--service-cluster-ip-range is missing",
    ...apiserverFlags({ "--service-cluster-ip-range": null }),
    fails: ["02 the Service kubernetes"],
    until: 2,
    finding: "service-range-missing",
  },
  {
    id: "service-range-of-the-pods",
    breaks: "Services have their addresses from the Pods' network",
    ...apiserverFlags({ "--service-cluster-ip-range": "10.88.0.0/24" }),
    fails: ["06 the Pod's address"],
    until: 6,
    finding: "service-range-overlaps-pods",
  },
  {
    id: "apiserver-frozen",
    breaks: "kube-apiserver is stopped as soon as it starts, and hangs",
    script: "(until pkill -STOP -x kube-apiserver; do sleep 0.01; done) >/dev/null 2>&1 &",
    ...boots,
    finding: "frozen",
  },
  {
    id: "apiserver-killed",
    breaks: "kube-apiserver dies",
    before: "02 kubectl get nodes",
    script: "pkill -KILL -x kube-apiserver; while pidof kube-apiserver; do sleep 0.05; done",
    fails: ["02 kubectl get nodes"],
    until: 2,
    finding: "kube-apiserver-not-running",
  },
  {
    id: "service-accounts-demanded",
    breaks: "the admission plugin ServiceAccount is on, and nobody makes ServiceAccounts",
    ...apiserverFlags({ "--disable-admission-plugins": "TaintNodesByCondition" }),
    fails: ["04 without", "04 once a scheduler", "04 once there is", "04 a scheduler", "04 killed", "04 of two"],
    until: 4,
    finding: "no-default-serviceaccount",
  },
]
