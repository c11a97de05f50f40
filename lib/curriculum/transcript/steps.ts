import { APISERVER_PORT, apiserver } from "../../components/apiserver.ts"
import type { Component } from "../../components/component.ts"
import { containerd } from "../../components/containerd.ts"
import { etcd } from "../../components/etcd.ts"
import { kubelet } from "../../components/kubelet.ts"
import { imageRegistry } from "../../components/image-registry.ts"
import { scheduler } from "../../components/scheduler.ts"
import type { ClusterFacts } from "../../components/spec.ts"
import { REFERENCES } from "../../images/resolve.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../../kubeconfig/kubeconfig.ts"
import { pki, pkiCommands } from "../../pki/pki.ts"
import { broken, word, writes } from "./bash.ts"

/** One step of the workshop. */
export interface Step {
  readonly number: number
  readonly title: string
  readonly parts: readonly Part[]
}

/** What is typed in one go. */
export interface Part {
  /** The start script of a learner's folder that it belongs into, without the .sh; none where nothing is started that stays. */
  readonly script?: string
  /** Lines for bash. */
  readonly lines: readonly string[]
}

/** How what differs between a script and a person's typing is written. */
export interface Hand {
  /** A component's files and its command. */
  readonly start: (component: Component) => string
  /** Only its command, for one that was killed. */
  readonly again: (component: Component) => string
  /** SIGKILL. */
  readonly kill: (components: readonly Component[]) => string
  /** The lines that make the registry and fill it. */
  readonly registry: (component: Component, pushes: readonly string[]) => string
  /** Waits until a command succeeds. */
  readonly waitFor: (command: string) => string
}

/** Every component as the lessons start it, with what only the machine knows left open. */
const facts: ClusterFacts = {
  token: "$TOKEN",
  nodeIp: "$NODE_IP",
  pauseImage: REFERENCES.pause,
  images: [REFERENCES.pause, REFERENCES.nginx],
  mayAdjustOomScore: false, // Right on every machine; without CAP_SYS_RESOURCE containerd must be told so.
}

export const reference = {
  etcd: etcd.describe(facts),
  apiserver: apiserver.describe(facts),
  scheduler: scheduler.describe(facts),
  registry: imageRegistry.describe(facts),
  containerd: containerd.describe(facts),
  kubelet: kubelet.describe(facts),
} as const

const podIp = "POD_IP=$(kubectl get pod hello -o jsonpath='{.status.podIP}')"

/** The workshop's steps, 1 to 7. */
export function steps({ start, again, kill, registry, waitFor }: Hand): readonly Step[] {
  return [
    {
      number: 1,
      title: "etcd: all that the cluster knows",
      parts: [{ script: "01-etcd", lines: [start(reference.etcd), "etcdctl put /hello world", "etcdctl get /hello"] }],
    },
    {
      number: 2,
      title: "kube-apiserver: the only one that speaks with etcd",
      parts: [
        {
          script: "02-apiserver",
          lines: [
            "# Certificates and keys, readable by their owner alone; made once, since whoever knows them would not know others.",
            `if [ ! -e ${pki.serviceAccount.public} ]; then`,
            ...[
              `mkdir -p ${pki.folder}`,
              "umask 077",
              ...pkiCommands("$NODE").map((argv) => `${broken(argv.map(word))} 2>/dev/null`),
              "umask 022",
            ].map((line) => `  ${line.replaceAll("\n", "\n  ")}`),
            "fi",
            writes({
              path: KUBECONFIG_FILE,
              mode: 0o600,
              content: kubeconfig({
                server: `https://127.0.0.1:${APISERVER_PORT}`,
                ca: { file: pki.ca.certificate },
                token: "$TOKEN",
              }),
            }),
            start(reference.apiserver),
            waitFor("kubectl get namespace default"),
            "kubectl get nodes # No resources found",
            "kubectl get namespaces",
            "etcdctl get /registry/namespaces --prefix --keys-only",
          ],
        },
      ],
    },
    {
      number: 3,
      title: "An object is a value in etcd",
      parts: [
        {
          lines: [
            "kubectl create configmap demo --from-literal=k=v",
            `etcdctl get /registry/configmaps/default/demo | grep '"k":"v"'`,
          ],
        },
      ],
    },
    {
      number: 4,
      title: "kube-scheduler: finds each Pod a Node",
      parts: [{ script: "04-scheduler", lines: [start(reference.scheduler)] }],
    },
    {
      number: 5,
      title: "containerd and kubelet: a Node",
      parts: [
        {
          script: "05-containerd",
          lines: [
            registry(
              reference.registry,
              (reference.registry.completion ?? []).map(({ argv }) => argv.join(" ")),
            ),
            start(reference.containerd),
          ],
        },
        {
          script: "05-kubelet",
          lines: [
            start(reference.kubelet),
            waitFor(`kubectl get node "$NODE"`),
            `kubectl wait --for=condition=Ready --timeout=60s "node/$NODE"`,
            "etcdctl get /registry/minions --prefix --keys-only",
          ],
        },
      ],
    },
    {
      number: 6,
      title: "A Pod",
      parts: [
        {
          lines: [
            "kubectl run hello --image=nginx",
            "kubectl wait --for=condition=Ready --timeout=60s pod/hello",
            "kubectl get pods -o wide",
            "kubectl get events --field-selector involvedObject.name=hello",
            "etcdctl get /registry/pods/default/hello --keys-only",
            podIp,
            `curl -sf "http://$POD_IP"`,
            "kubectl logs hello",
            "kubectl exec hello -- nginx -v",
          ],
        },
      ],
    },
    {
      number: 7,
      title: "The control plane dies; the Pod does not",
      parts: [
        {
          lines: [
            "who_is_it() { kubectl get pod hello -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}'; }",
            "BEFORE=$(who_is_it)",
            podIp,
            kill([reference.scheduler, reference.apiserver]),
            "if kubectl get pods; then exit 1; fi # refused",
            `curl -sf "http://$POD_IP" >/dev/null # nginx goes on serving`,
            again(reference.apiserver),
            again(reference.scheduler),
            `[ "$(who_is_it)" = "$BEFORE" ] # the same Pod`,
            "kubectl run second --image=nginx",
            "kubectl wait --for=condition=Ready --timeout=60s pod/second",
            "kubectl get pods -o wide",
          ],
        },
      ],
    },
  ]
}
