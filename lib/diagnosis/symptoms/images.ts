import { stuck, waits } from "../containers.ts"
import { containerdOf } from "../facts.ts"
import { symptom, AT_ONCE, SOON, UNLESS_RESTARTED, type Symptom } from "../symptom.ts"

/** Problems between a Pod and its image, the most specific first. */
export const images: readonly Symptom[] = [
  symptom({
    id: "sandbox-image",
    component: "containerd",
    lasting: SOON,
    sign: (seen) =>
      stuck(
        /^FailedCreatePodSandBox: .*failed to (?:get sandbox|pull) image "([^"]+)": (?:failed to pull and unpack image "[^"]+": )?(.*)/,
        "image",
        "reason",
      )(seen),
    cause: ({ image, reason }) =>
      `containerd cannot get ${image}, the image that every Pod's sandbox needs (${reason}), so no Pod can start`,
    remedy: (_, seen) =>
      `Make that image available, or name another one as sandbox below pinned_images in ${containerdOf(seen).path}.`,
    look: (_, seen) => `grep -n sandbox ${containerdOf(seen).path}; ctr -n k8s.io images ls`,
  }),
  symptom({
    id: "image-never-pulled",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) => waits(/Container image "([^"]+)" is not present with pull policy of Never/, "image")(seen),
    cause: ({ pod, image }) =>
      `Pod ${pod} forbids pulling its image ${image} (imagePullPolicy: Never), and this Node does not have the image`,
    remedy: "Import it (ctr -n k8s.io images import ARCHIVE), or allow pulling: imagePullPolicy: IfNotPresent.",
    look: "ctr -n k8s.io images ls",
  }),
  symptom({
    id: "image-name-invalid",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) => waits(/^InvalidImageName: (.*)/, "reason")(seen),
    cause: ({ pod, reason }) => `the image of Pod ${pod} has an invalid name: ${reason}`,
    remedy: "Write it as NAME:TAG, with NAME in lower case.",
    look: ({ pod }) => `kubectl get pod ${pod} -o jsonpath={.spec.containers[*].image}`,
  }),
  symptom({
    id: "registry-without-route",
    component: "containerd",
    lasting: UNLESS_RESTARTED,
    sign: (seen) =>
      waits(
        /image "?([^":]+[^"]*?)"?: .*failed to do request: \w+ "https?:\/\/([^/"]+).*?(no such host|network is unreachable|no route to host|i\/o timeout|server misbehaving|no servers)/,
        "image",
        "registry",
        "reason",
      )(seen),
    cause: ({ pod, registry, reason }) =>
      `the image of Pod ${pod} comes from the registry ${registry}, which this machine cannot reach: ${reason}`,
    remedy: ({ registry }) =>
      `Give the machine a route to ${registry}, or give containerd a mirror: /etc/containerd/certs.d/${registry}/hosts.toml`,
    look: ({ registry }) => `ls /etc/containerd/certs.d; getent hosts ${registry}; ip route`,
  }),
  symptom({
    id: "registry-refuses",
    component: "containerd",
    lasting: UNLESS_RESTARTED,
    sign: (seen) =>
      waits(/failed to do request: .*dial tcp ([\d.]+:\d+): connect: connection refused/, "address")(seen),
    cause: ({ pod, address }) =>
      `the registry for the image of Pod ${pod} does not run: no process listens on ${address}`,
    remedy: "Start the registry, or correct its address in /etc/containerd/certs.d.",
    look: "ss -tlnp; grep -r http /etc/containerd/certs.d",
  }),
  symptom({
    id: "image-not-found",
    component: "containerd",
    lasting: SOON,
    sign: (seen) => waits(/failed to resolve image: (\S+): not found/, "image")(seen),
    cause: ({ pod, image }) => `the registry of Pod ${pod}'s image does not have ${image}`,
    remedy:
      "Check its name and its tag. The images of the registry on this machine: curl http://127.0.0.1:5000/v2/_catalog",
    look: ({ pod }) => `kubectl describe pod ${pod}`,
  }),
]
