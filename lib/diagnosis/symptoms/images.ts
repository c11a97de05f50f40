import { stuck, waits } from "../containers.ts"
import type { Symptom } from "../symptom.ts"

/** What goes wrong between a Pod and its image, most specific first. */
export const images: readonly Symptom[] = [
  {
    id: "sandbox-image",
    component: "containerd",
    sign: stuck(
      /^FailedCreatePodSandBox: .*failed to (?:get sandbox|pull) image "([^"]+)": (?:failed to pull and unpack image "[^"]+": )?(.*)/,
    ),
    cause: "containerd cannot get the image that holds every Pod's namespaces open ($2), so no Pod can start",
    remedy: "Let it have that image, or name another in its configuration: sandbox, below pinned_images.",
    look: "grep -n sandbox /etc/containerd/config.toml; ctr -n k8s.io images ls",
  },
  {
    id: "image-never-pulled",
    component: "kubelet",
    sign: waits(/Container image "([^"]+)" is not present with pull policy of Never/),
    cause: "Pod $1 may not pull its image $2 (imagePullPolicy: Never), and the image is not on this Node",
    remedy: "Put it there (ctr -n k8s.io images import ARCHIVE), or let it be pulled: imagePullPolicy: IfNotPresent.",
    look: "ctr -n k8s.io images ls",
  },
  {
    id: "image-name-invalid",
    component: "kubelet",
    sign: waits(/^InvalidImageName: (.*)/),
    cause: "the name of Pod $1's image cannot be one: $2",
    remedy: "Write it as NAME:TAG, in small letters.",
    look: "kubectl get pod $1 -o jsonpath={.spec.containers[*].image}",
  },
  {
    id: "registry-without-route",
    component: "containerd",
    sign: waits(
      /image "?([^":]+[^"]*?)"?: .*failed to do request: \w+ "https?:\/\/([^/"]+).*?(no such host|network is unreachable|no route to host|i\/o timeout|server misbehaving|no servers)/,
    ),
    cause: "the image of Pod $1 is to come from the registry $3, which this machine cannot reach: $4",
    remedy:
      "Give the machine a way there, or containerd a mirror that it can reach: /etc/containerd/certs.d/HOST/hosts.toml.",
    look: "ls /etc/containerd/certs.d; getent hosts $3; ip route",
  },
  {
    id: "registry-refuses",
    component: "containerd",
    sign: waits(/failed to do request: .*dial tcp ([\d.]+:\d+): connect: connection refused/),
    cause: "the registry that Pod $1's image is to come from does not run: nobody listens on $2",
    remedy: "Start the registry, or correct its address in /etc/containerd/certs.d.",
    look: "ss -tlnp; grep -r http /etc/containerd/certs.d",
  },
  {
    id: "image-not-found",
    component: "containerd",
    sign: waits(/failed to resolve image: (\S+): not found/),
    cause: "there is no image $2 in the registry that Pod $1 gets it from",
    remedy: "Check its name and its tag. What the registry on this machine has: curl http://127.0.0.1:5000/v2/_catalog",
    look: "kubectl describe pod $1",
  },
]
