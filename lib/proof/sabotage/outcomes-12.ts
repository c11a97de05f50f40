import { upToTheLast, type Sabotage } from "./sabotage.ts"

/** Why no script of a learner can do it. */
const OWN = { ownClusterOnly: "kubeadm makes the same cluster beside that of a learner" } as const

/** Only this outcome runs, and fails. Something happens before it, on the machine of kubeadm's control plane. */
const before = (outcome: string) =>
  ({
    on: "kubeadm-1",
    from: 12,
    until: 12,
    since: outcome,
    before: outcome,
    fails: [outcome],
    finding: "none",
    ...OWN,
  }) as const

const KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"

const all: readonly Sabotage[] = [
  {
    id: "kubeadm-port-taken",
    breaks: "another program uses the port of kube-apiserver on the machine of kubeadm",
    on: "kubeadm-1",
    from: 12,
    until: 12,
    fails: ["12 kubeadm init makes"],
    ...OWN,
    finding: "none",
    script: `/run/byhand/node -e 'require("net").createServer().listen(6443, "0.0.0.0")' >/dev/null 2>&1 &
until ss -Htln sport = :6443 | grep -q .; do sleep 0.05; done`,
    blocks: 12,
  },
  {
    id: "kubeadm-phases-out-of-order",
    breaks: "a certificate of kubeadm is written again when everything runs",
    ...before("12 its phases are"),
    script: "touch /etc/kubernetes/pki/apiserver.crt",
  },
  {
    id: "kubeadm-without-cluster-info",
    breaks: "the ConfigMap cluster-info, which those who join read first, is deleted",
    ...before("12 a second machine joins"),
    script: `${KUBECTL} delete configmap cluster-info -n kube-public`,
  },
  {
    id: "kubeadm-certificate-of-another-ca",
    breaks: "another CA has signed the certificate that kubeadm's kube-apiserver shows to kubelets",
    ...before("12 each certificate"),
    script: `cd /etc/kubernetes/pki
openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=elsewhere -keyout /tmp/ca.key -out /tmp/ca.crt
openssl req -x509 -CA /tmp/ca.crt -CAkey /tmp/ca.key -newkey rsa:2048 -nodes -days 365 -subj /CN=kube-apiserver-kubelet-client -addext extendedKeyUsage=clientAuth -addext basicConstraints=critical,CA:FALSE -keyout apiserver-kubelet-client.key -out apiserver-kubelet-client.crt`,
  },
  {
    id: "kubeadm-kubeconfig-of-another-server",
    breaks: "the kubeconfig of kubeadm's kube-scheduler names another port",
    ...before("12 each kubeconfig"),
    script: "sed -i 's/:6443/:7443/' /etc/kubernetes/scheduler.conf",
  },
  {
    id: "kubeadm-flag-unexplained",
    breaks: "kubeadm's kube-scheduler has a flag that the course does not know",
    ...before("12 each flag"),
    script: `sed -i 's/^    - kube-scheduler$/&\\n    - --profiling=false/' /etc/kubernetes/manifests/kube-scheduler.yaml
until pgrep -f -- 'kube-scheduler .*--profiling=false'; do sleep 0.2; done`,
  },
  {
    id: "kubeadm-kubelet-field-unexplained",
    breaks: "the kubelet's configuration of kubeadm has a field that the course does not know",
    ...before("12 each field"),
    script: "echo 'maxOpenFiles: 12345' >>/var/lib/kubelet/config.yaml",
  },
  {
    id: "kubeadm-file-unexplained",
    breaks: "the folder of kubeadm has a file that the course does not know",
    ...before("12 each file"),
    script: "touch /etc/kubernetes/unknown.conf",
  },
  {
    id: "kubeadm-addon-missing",
    breaks: "the addon CoreDNS is not in kubeadm's cluster",
    ...before("12 each addon"),
    script: `${KUBECTL} delete deployment coredns -n kube-system`,
  },
  {
    id: "kubeadm-table-wrong",
    breaks: "the table of a learner names the wrong script",
    from: 12,
    until: 12,
    since: "12 your table",
    before: "12 your table",
    script: `mkdir -p /root/cluster
cp /etc/hostname /root/cluster/01-etcd.sh
printf '%s\\n' '| phase | script |' '| --- | --- |' '| certs | 01-etcd |' >/root/cluster/12-kubeadm.md`,
    fails: ["12 your table"],
    ownClusterOnly: "the table of a learner's folder is a file of that folder",
    finding: "none",
  },
]

/** Sabotages of outcomes of lesson 12. */
export const outcomes12: readonly Sabotage[] = all.map(upToTheLast)
