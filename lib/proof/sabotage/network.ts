import { file, type Sabotage } from "./sabotage.ts"

const CONFIG = "/etc/cni/net.d/10-byhand.conflist"
const stuck = `kubectl run web --image=nginx
until kubectl get events | grep -q FailedCreatePodSandBox; do sleep 0.2; done`

/** Sabotages of the Pods' network. */
export const network: readonly Sabotage[] = [
  {
    id: "cni-no-config",
    breaks: "there is no CNI configuration",
    component: { containerd: (one) => ({ ...one, files: one.files.filter(({ path }) => path !== CONFIG) }) },
    until: 5,
    fails: ["05 it becomes Ready"],
    finding: "cni-no-config",
  },
  {
    id: "cni-unparsable",
    breaks: "a bracket is missing in the CNI configuration",
    component: { containerd: file(CONFIG, (text) => text.replace("[", "")) },
    until: 5,
    fails: ["05 it becomes Ready"],
    finding: "cni-unparsable",
  },
  {
    id: "cni-of-no-kind",
    breaks: "the CNI configuration lists no plugin",
    component: { containerd: file(CONFIG, () => '{ "cniVersion": "1.0.0", "name": "byhand", "plugins": [] }\n') },
    until: 5,
    fails: ["05 it becomes Ready"],
    finding: "cni-not-ready",
  },
  {
    id: "cni-plugin-missing",
    breaks: "the CNI configuration names a plugin that is not installed",
    component: { containerd: file(CONFIG, (text) => text.replace('"host-local"', '"dhcp"')) },
    script: stuck,
    fails: [],
    finding: "cni-plugin-missing",
  },
  {
    id: "cni-subnet-used-up",
    breaks: "the Pods' network has only one free address",
    component: {
      containerd: file(CONFIG, (text) =>
        text.replace('"10.88.0.0/24"', '"10.88.0.0/24", "rangeStart": "10.88.0.2", "rangeEnd": "10.88.0.2"'),
      ),
    },
    fails: ["07 and a new Pod"],
    finding: "cni-subnet-used-up",
  },
  {
    id: "cni-subnet-changed",
    breaks: "the Pods' subnet is changed while the bridge exists",
    script: `kubectl run first --image=nginx
kubectl wait --for=condition=Ready --timeout=60s pod/first
sed -i s#10.88.0.0/24#10.99.0.0/24# ${CONFIG}
sleep 1
${stuck}`,
    fails: [],
    finding: "cni-bridge-of-another-subnet",
  },
]
