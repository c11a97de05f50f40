import { file, REMOVE_WEB, type Sabotage } from "./sabotage.ts"

/**
 * Creates a Pod whose image can never be pulled, and waits for the error.
 * @param rest the arguments after `kubectl run web`
 */
const waiting = (rest: string) => `kubectl run web ${rest}
until kubectl get pod web | grep -Eq 'ErrImage|ImagePullBackOff|InvalidImageName'; do sleep 0.2; done`

const MIRROR = "/etc/containerd/certs.d/docker.io/hosts.toml"
/** No Pod of lesson 06 starts. */
const noPod = { fails: ["06 "], until: 6 } as const

/** Sabotages of images and of the image registry. */
export const images: readonly Sabotage[] = [
  {
    id: "image-mistyped",
    breaks: "an image name is misspelled",
    script: waiting("--image=ngnix"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-not-found",
  },
  {
    id: "image-without-tag",
    breaks: "a Pod uses an image tag that does not exist",
    script: waiting("--image=nginx:1.99"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-not-found",
  },
  {
    id: "image-never-pulled",
    breaks: "an image is missing on the Node, and the Pod's pull policy is Never",
    script: waiting("--image=byhand.local/app:1 --image-pull-policy=Never"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-never-pulled",
  },
  {
    id: "image-name-invalid",
    breaks: "an image name contains capital letters",
    script: waiting(`--image=nginx --overrides='{"spec": {"containers": [{"name": "web", "image": "NGINX:Latest"}]}}'`),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-name-invalid",
  },
  {
    id: "registry-without-route",
    breaks: "a Pod's image is in a registry that cannot be reached",
    script: waiting("--image=ghcr.io/example/app:1"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "registry-without-route",
  },
  {
    id: "registry-gone",
    breaks: "the local registry, which replaces the public ones, is killed before a Pod starts",
    before: "07 and a new Pod",
    script: "pkill -KILL -x crane\nwhile pidof crane; do sleep 0.1; done",
    fails: ["07 and a new Pod"],
    finding: "registry-refuses",
  },
  {
    id: "mirror-unparsable",
    breaks: "a quote is missing in the file of a registry's mirror",
    component: { containerd: file(MIRROR, (text) => text.replace('"', "")) },
    ...noPod,
    finding: "mirror-unparsable",
  },
  {
    id: "mirror-of-no-host",
    breaks: "the table in the file of a registry's mirror has a misspelled name",
    component: { containerd: file(MIRROR, (text) => text.replace("[host", "[hst")) },
    ...noPod,
    finding: "mirror-without-host",
  },
  {
    id: "mirrors-elsewhere",
    breaks: "containerd's configuration names another folder for the files of mirrors",
    component: { containerd: file("/etc/containerd/config.toml", (text) => text.replace("certs.d", "cert.d")) },
    ...noPod,
    finding: "mirrors-elsewhere",
  },
  {
    id: "sandbox-image-missing",
    breaks: "containerd is configured with a sandbox image that does not exist",
    component: {
      containerd: file("/etc/containerd/config.toml", (text) =>
        text.replace(/sandbox = .*/, 'sandbox = "registry.k8s.io/pause:0.1"'),
      ),
    },
    script:
      "kubectl run web --image=nginx\nuntil kubectl get events | grep -q FailedCreatePodSandBox; do sleep 0.2; done",
    fails: [],
    finding: "sandbox-image",
  },
]
