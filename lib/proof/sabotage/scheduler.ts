import { pki } from "../../pki/pki.ts"
import { OTHER_CA, OTHER_FOLDER } from "./certificates.ts"
import { flags, listen, type Sabotage } from "./sabotage.ts"

const CONFIG = "/root/.kube/config"
const boots = { fails: ["04 once a scheduler"], blocks: 4 } as const
const schedulerFlags = (changes: Readonly<Record<string, string | null>>) => ({
  component: { "kube-scheduler": flags(changes) },
})

/** Sabotages that prevent kube-scheduler from starting or from scheduling Pods. */
export const scheduler: readonly Sabotage[] = [
  {
    id: "scheduler-port-taken",
    breaks: "another program already uses kube-scheduler's port",
    script: listen(10259),
    ...boots,
    finding: "port-taken",
  },
  {
    id: "scheduler-flag-removed",
    breaks: "kube-scheduler gets a flag that was removed years ago",
    ...schedulerFlags({ "--policy-config-file": "/etc/kubernetes/policy.json" }),
    ...boots,
    finding: "removed-flag",
  },
  {
    id: "scheduler-flag-mistyped",
    breaks: "a flag of kube-scheduler is misspelled",
    ...schedulerFlags({ "--leader-elect": null, "--leader-election": "false" }),
    ...boots,
    finding: "unknown-flag",
  },
  {
    id: "scheduler-kubeconfig-missing",
    breaks: "kube-scheduler's kubeconfig does not exist",
    ...schedulerFlags({ "--kubeconfig": "/etc/kubernetes/scheduler.conf" }),
    ...boots,
    finding: "kubeconfig-missing",
  },
  {
    id: "scheduler-with-another-key",
    breaks: "kube-scheduler's key and certificate do not belong together",
    ...schedulerFlags({ "--tls-private-key-file": pki.apiserver.key }),
    ...boots,
    finding: "certificate-key-mismatch",
  },
  {
    id: "scheduler-certificate-of-another-ca",
    breaks: "kube-scheduler's certificate is signed by a CA that no client trusts",
    script: OTHER_CA,
    ...schedulerFlags({
      "--tls-cert-file": `${OTHER_FOLDER}/apiserver.crt`,
      "--tls-private-key-file": `${OTHER_FOLDER}/apiserver.key`,
    }),
    ...boots,
    ownClusterOnly: "kube-scheduler may make a certificate of its own, and does so by default",
    finding: "certificate-of-another-ca",
  },
  {
    id: "scheduler-sent-elsewhere",
    breaks: "kube-scheduler's kubeconfig names a port on which no process listens",
    before: "04 without",
    script: `sed s/6443/7443/ ${CONFIG} >/etc/kubernetes/scheduler.conf`,
    ...schedulerFlags({ "--kubeconfig": "/etc/kubernetes/scheduler.conf" }),
    ...boots,
    finding: "scheduler-elsewhere",
  },
  {
    id: "scheduler-frozen",
    breaks: "SIGSTOP stops kube-scheduler as soon as it starts",
    script: "(until pkill -STOP -x kube-scheduler; do sleep 0.01; done) >/dev/null 2>&1 &",
    ...boots,
    finding: "frozen",
  },
]
