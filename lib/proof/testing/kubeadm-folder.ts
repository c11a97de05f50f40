import { cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import { REGISTRY_PORT } from "../../components/image-registry.ts"
import { ADMIN_CONF, INIT, initConfig, KUBEADM_CONFIG, KUBELET_UNIT, PREPARE, pushImages } from "../../kubeadm/typed.ts"

/** What the lessons need beyond kubeadm's defaults: a range for Pods, and a kubelet that restarts static Pods at once. */
const MORE = {
  cluster: "networking: { podSubnet: 10.88.0.0/16 }\n",
  kubelet: "crashLoopBackOff: { maxContainerRestartPeriod: 1s }\n",
}

/** The one script of a learner whose cluster kubeadm makes. */
const SCRIPT = `#!/bin/bash
# kubeadm makes the whole cluster: the kubelet runs etcd and the control plane as static Pods.
set -euo pipefail
${PREPARE}
until curl -sf http://127.0.0.1:${REGISTRY_PORT}/v2/ >/dev/null; do sleep 0.1; done

cp -R etc/containerd etc/cni /etc/
# kube-proxy's container is privileged, and gets all devices of the host, which a machine of ours does not have.
sed -i 's/^ *runtime_type = .*/&\\n    privileged_without_host_devices = true/' /etc/containerd/config.toml
containerd --config=/etc/containerd/config.toml >/var/log/containerd.log 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.1; done

(
${pushImages()}
)
cat >${KUBEADM_CONFIG} <<EOF
${initConfig("$(kubeadm version --output=short)", "$(hostname -I | awk '{ print $1 }')", MORE)}EOF

(
${KUBELET_UNIT}
) >/var/log/kubelet.log 2>&1 &
${INIT.join(" ")}
mkdir -p ~/.kube
cp ${ADMIN_CONF} ~/.kube/config
kubectl taint nodes --all node-role.kubernetes.io/control-plane-
wait
`

/** Writes the folder of a learner whose cluster kubeadm makes. */
export function writeKubeadmFolder(folder: string): void {
  cpSync(join(packageRoot, "fixtures", "solution", "etc"), join(folder, "etc"), { recursive: true })
  writeFileSync(join(folder, "01-kubeadm.sh"), SCRIPT)
}
