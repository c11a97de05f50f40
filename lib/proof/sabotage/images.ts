import { file, REMOVE_WEB, type Sabotage } from "./sabotage.ts"

/** A Pod that waits for its image for ever. @param rest what follows kubectl run web */
const waiting = (rest: string) => `kubectl run web ${rest}
until kubectl get pod web | grep -Eq 'ErrImage|ImagePullBackOff|InvalidImageName'; do sleep 0.2; done`

/** What goes wrong between a Pod and its image. */
export const images: readonly Sabotage[] = [
  {
    id: "image-mistyped",
    breaks: "an image's name is mistyped",
    script: waiting("--image=ngnix"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-not-found",
  },
  {
    id: "image-without-tag",
    breaks: "an image does not have this tag",
    script: waiting("--image=nginx:1.99"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-not-found",
  },
  {
    id: "image-never-pulled",
    breaks: "an image that is not there may not be pulled",
    script: waiting("--image=byhand.local/app:1 --image-pull-policy=Never"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-never-pulled",
  },
  {
    id: "image-name-invalid",
    breaks: "an image's name has capitals",
    script: waiting(`--image=nginx --overrides='{"spec": {"containers": [{"name": "web", "image": "NGINX:Latest"}]}}'`),
    undo: REMOVE_WEB,
    fails: [],
    finding: "image-name-invalid",
  },
  {
    id: "registry-without-route",
    breaks: "an image is to come from a registry that cannot be reached",
    script: waiting("--image=ghcr.io/example/app:1"),
    undo: REMOVE_WEB,
    fails: [],
    finding: "registry-without-route",
  },
  {
    id: "registry-gone",
    breaks: "the registry that stands in for the public ones is gone, and a Pod is to start",
    before: "07 and a new Pod",
    script: "pkill -KILL -x crane\nwhile pidof crane; do sleep 0.1; done",
    fails: ["07 and a new Pod"],
    finding: "registry-refuses",
  },
  {
    id: "sandbox-image-missing",
    breaks: "containerd is to use a sandbox image that there is not",
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
