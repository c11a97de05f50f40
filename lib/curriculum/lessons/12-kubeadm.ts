import { withoutHostDevices } from "../../components/containerd.ts"
import { SHEET } from "../../kubeadm/sheet.ts"
import {
  ADMIN_CONF,
  IGNORED,
  IMAGES_OF_NODE,
  INIT,
  initConfig,
  JOIN,
  joinConfig,
  KUBEADM_CONFIG,
  KUBELET_UNIT,
  PREPARE,
  pushImages,
} from "../../kubeadm/typed.ts"
import { SHARED } from "../../machines/network.ts"
import type { LessonSpec } from "../lesson-spec.ts"
import type { Hand } from "../transcript/hand.ts"
import { reference } from "../transcript/reference.ts"
import { word, writes } from "../transcript/bash.ts"

const JOIN_CONFIG = `${SHARED}/kubeadm-join.yaml`

/** A comment for each check of kubeadm that is ignored. */
const WHY_IGNORED = Object.entries(IGNORED).map(([check, why]) => `# ${check}: ${why}`)

/** Lines that prepare a machine for kubeadm. */
function prepares({ start }: Hand, only?: string): string[] {
  return [
    PREPARE,
    start(withoutHostDevices(reference.containerd)),
    "# A registry on loopback, with the images that kubeadm requests.",
    start(reference.registry),
    pushImages(only),
    "# On a host with systemd, a unit does this.",
    `sh -c ${word(KUBELET_UNIT)} >>/var/log/byhand/kubelet.log 2>&1 &`,
  ]
}

const parts: LessonSpec["parts"] = [
  {
    on: "kubeadm-1",
    lines: (hand) => [
      ...prepares(hand),
      writes({
        path: KUBEADM_CONFIG,
        content: initConfig("$(kubeadm version --output=short)", "$NODE_IP"),
        mode: 0o600,
      }),
      ...WHY_IGNORED,
      INIT.join(" "),
      `export KUBECONFIG=${ADMIN_CONF}`,
      hand.waitFor("kubectl wait --for=condition=Ready --timeout=1s node/kubeadm-1"),
      "# What the second machine needs. Both machines see this folder.",
      "read -r _ _ endpoint _ token _ hash < <(kubeadm token create --print-join-command)",
      `install -m 0600 /dev/stdin ${JOIN_CONFIG} <<EOF\n${joinConfig({ endpoint: "$endpoint", token: "$token", caHash: "$hash" })}EOF`,
    ],
  },
  {
    on: "kubeadm-2",
    lines: (hand) => [
      ...prepares(hand, IMAGES_OF_NODE),
      hand.waitFor(`[ -s ${JOIN_CONFIG} ]`),
      `cp ${JOIN_CONFIG} ${KUBEADM_CONFIG}`,
      ...WHY_IGNORED,
      JOIN.join(" "),
    ],
  },
]

const SEE = "npx byhand compare kubeadm"

/** Lesson 12. */
export const kubeadm = {
  number: 12,
  slug: "kubeadm",
  title: "kubeadm: it does what you did by hand, and you recognize each step",
  row: {
    topic: "kubeadm, recognized",
    proves:
      "`kubeadm init` and `join` run on machines of their own; each certificate, flag, file and object is yours too, or differs for a known reason",
  },
  components: ["etcd", "kube-apiserver", "kube-scheduler", "kubelet", "kube-controller-manager", "kube-proxy"],
  extras: ["kubeadm"],
  needsKubeadm: true,
  isThere: () => false,
  sheet: { file: SHEET, write: "for each phase of `kubeadm init`, which of your scripts does the same" },
  parts,
  outcomes: {
    "kubeadm init makes a cluster: its Node is Ready, kube-proxy and CoreDNS run": {
      see: `kubectl get nodes,pods -A --kubeconfig=${ADMIN_CONF}`,
      permits: "observe",
    },
    "its phases are those of the table, and leave their traces in this order": {
      see: "ls -l --time-style=full-iso /etc/kubernetes/pki /etc/kubernetes/*.conf /etc/kubernetes/manifests /var/lib/kubelet/config.yaml",
      permits: "observe",
    },
    "a second machine joins with a token and the hash of the CA; with another hash, it does not": {
      see: "kubeadm token create --print-join-command",
      permits: "observe",
    },
    "each certificate of kubeadm is one of yours, or differs for a known reason": { see: SEE, permits: "observe" },
    "each kubeconfig of kubeadm is one of yours, or differs for a known reason": { see: SEE, permits: "observe" },
    "each flag of kubeadm's components is one of yours, or differs for a known reason": {
      see: SEE,
      permits: "observe",
    },
    "each field of the kubelet's configuration is one of yours, or differs for a known reason": {
      see: SEE,
      permits: "observe",
    },
    "each file that kubeadm writes is one of yours, or is there for a known reason": { see: SEE, permits: "observe" },
    "each addon and each grant of kubeadm is one of yours, or is there for a known reason": {
      see: SEE,
      permits: "observe",
    },
    "your table names the script that does what each phase does": { see: `cat ${SHEET}`, permits: "observe" },
  },
} satisfies LessonSpec
