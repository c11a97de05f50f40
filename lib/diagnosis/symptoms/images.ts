import { Document } from "../../base/document.ts"
import { stuck, waits } from "../containers.ts"
import { containerdOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { AT_ONCE, complainedOf, first, SOON, symptom, UNLESS_RESTARTED, type Named, type Symptom } from "../symptom.ts"

/** Problems between a Pod and its image, the most specific first. */
export const images: readonly Symptom[] = [
  symptom({
    id: "mirror-unparsable",
    component: "containerd",
    lasting: SOON,
    sign: (seen) =>
      withoutImage(seen) &&
      complainedOf(
        "containerd",
        /msg="failed to decode (\/[^"]+hosts\.toml)".* error="((?:[^"\\]|\\.)*)"/,
        "path",
        "reason",
      )(seen),
    cause: ({ path, reason }) => `containerd cannot read ${path}, so it uses no mirror for that registry: ${reason}`,
    remedy: ({ path }) =>
      `Correct ${path}: [host."http://ADDRESS"], and below it capabilities = ["pull", "resolve"]. containerd reads it at the next pull.`,
    look: ({ path }) => `cat -n ${path}`,
  }),
  symptom({
    id: "mirror-without-host",
    component: "containerd",
    lasting: SOON,
    sign: (seen) => withoutImage(seen) && first(mirrorsOf(seen), ({ path, text }) => withoutHost(path, text)),
    cause: ({ path }) => `${path} names no mirror: it has no table [host."http://ADDRESS"]`,
    remedy: ({ path }) => `Write [host."http://ADDRESS"] into ${path}, with the address of the mirror.`,
    look: ({ path }) => `cat -n ${path}`,
  }),
  symptom({
    id: "mirrors-elsewhere",
    component: "containerd",
    lasting: SOON,
    sign: (seen) => {
      const { path, mirrorsFolder } = containerdOf(seen)
      const folder = mirrorsFolder ?? ""
      const [other] = mirrorsOf(seen)
      if (withoutImage(seen) === undefined || other === undefined || other.path.startsWith(`${folder}/`))
        return undefined
      return { evidence: `${path}: config_path = "${folder}"`, path, folder, other: other.path }
    },
    cause: ({ folder, other }) => `containerd looks for mirrors of registries in ${folder}, and not at ${other}`,
    remedy: ({ path, other }) =>
      `Write config_path = "${other.replace(/\/[^/]+\/hosts\.toml$/, "")}" below [plugins."io.containerd.cri.v1.images".registry] in ${path}, and start containerd again.`,
    look: ({ path, folder }) => `grep -n config_path ${path}; ls ${folder}`,
  }),
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

/** A container, or the sandbox of a Pod, waits for an image that cannot be pulled. */
function withoutImage(seen: Observation): Named<"pod"> | undefined {
  return (
    waits(/^(?:ErrImagePull|ImagePullBackOff): /)(seen) ??
    stuck(/^FailedCreatePodSandBox: .*failed to (?:get sandbox|pull) image/)(seen)
  )
}

/** The hosts.toml files that are there. */
function mirrorsOf({ files }: Observation): { readonly path: string; readonly text: string }[] {
  return Object.entries(files).flatMap(([path, text]) => (path.endsWith("/hosts.toml") ? [{ path, text }] : []))
}

function withoutHost(path: string, text: string): Named<"path"> | undefined {
  return Document.toml(text).at("host") === undefined
    ? { evidence: `${path}: ${text.trim().split("\n")[0] ?? ""}`, path }
    : undefined
}
