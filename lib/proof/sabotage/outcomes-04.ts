import { KUBECONFIG_FILE } from "../../kubeconfig/kubeconfig.ts"
import { deadLeader, flags, type Sabotage } from "./sabotage.ts"

const OWN = "/etc/kubernetes/scheduler.conf"
const ownKubeconfig = { component: { "kube-scheduler": flags({ "--kubeconfig": OWN }) } }

/** Sabotages that break an outcome of lesson 04: kube-scheduler does not schedule Pods as the lesson documents. */
export const outcomes04: readonly Sabotage[] = [
  {
    id: "second-scheduler",
    breaks: "a second scheduler runs in the background",
    before: "04 without",
    script: `kube-scheduler --kubeconfig=${KUBECONFIG_FILE} --bind-address=127.0.0.1 --secure-port=10300 --leader-elect=false >/dev/null 2>&1 &
kubectl run trial --image=nginx
until kubectl get pod trial -o jsonpath={.status.conditions[*].reason} | grep -q Unschedulable; do sleep 0.1; done
kubectl delete pod trial --force --grace-period=0`,
    fails: ["04 without", "04 killed"],
    until: 4,
    finding: "second-scheduler",
  },
  {
    id: "scheduler-of-another-cluster",
    breaks: "kube-scheduler is connected to another cluster",
    before: "04 without",
    script: `tr '\\0' '\\n' </proc/$(pidof kube-apiserver)/cmdline | sed 's/=6443$/=7443/' >/tmp/other
echo --etcd-prefix=/other >>/tmp/other
xargs -a /tmp/other sh -c 'exec "$@"' sh >/dev/null 2>&1 &
sed s/6443/7443/ ${KUBECONFIG_FILE} >${OWN}
until kubectl --kubeconfig=${OWN} get --raw /readyz 2>/dev/null; do sleep 0.1; done`,
    ...ownKubeconfig,
    fails: ["04 once a scheduler", "04 once there is", "04 by its sockets", "04 killed", "04 of two"],
    until: 4,
    finding: "scheduler-elsewhere",
  },
  {
    id: "scheduler-killed",
    breaks: "kube-scheduler is killed",
    before: "04 once there is",
    script: "pkill -KILL -x kube-scheduler\nwhile pidof kube-scheduler; do sleep 0.05; done",
    fails: ["04 once there is"],
    until: 5,
    finding: "scheduler-not-running",
  },
  {
    id: "node-deleted",
    breaks: "the only Node is deleted",
    before: "04 a scheduler of twenty",
    script: "kubectl delete node paper",
    fails: ["04 a scheduler of twenty"],
    until: 5,
    finding: "no-node",
  },
  {
    id: "scheduler-through-a-relay",
    breaks: "kube-scheduler connects to kube-apiserver through a proxy",
    before: "04 without",
    script: `/run/byhand/node -e 'const net = require("net"); net.createServer((one) => { const other = net.connect(6443, "127.0.0.1"); one.pipe(other).pipe(one); one.on("error", () => other.destroy()); other.on("error", () => one.destroy()) }).listen(7443, "127.0.0.1")' >/dev/null 2>&1 &
sed s/6443/7443/ ${KUBECONFIG_FILE} >${OWN}
until kubectl --kubeconfig=${OWN} get --raw /readyz 2>/dev/null; do sleep 0.1; done`,
    ...ownKubeconfig,
    fails: ["04 by its sockets"],
    until: 4,
    finding: "scheduler-elsewhere",
  },
  {
    id: "node-cordoned",
    breaks: "the only Node is cordoned",
    before: "04 killed",
    script: "kubectl cordon paper",
    fails: ["04 killed", "04 of two"],
    until: 4,
    finding: "nodes-cordoned",
  },
  {
    id: "lease-of-a-dead-leader",
    breaks: "a scheduler that no longer runs holds the leader lease for another hour",
    before: "04 of two",
    script: deadLeader("kube-scheduler"),
    fails: ["04 of two"],
    until: 6,
    finding: "scheduler-without-leadership",
  },
]
