import { CONTAINERD_SOCKET } from "../../components/containerd.ts"
import type { Observation } from "../observation.ts"
import { frozen } from "../signs.ts"
import { componentOf, flagOf, logged, type Shown, type Symptom } from "../symptom.ts"

/** containerd's configuration, and where it lies. */
export function containerdConfig(seen: Observation): { path: string; text: string } {
  const path = flagOf(componentOf(seen, "containerd"), "--config") ?? "/etc/containerd/config.toml"
  return { path, text: seen.files.get(path) ?? "" }
}

/** What containerd lives through, most specific first. */
export const containerd: readonly Symptom[] = [
  {
    id: "frozen",
    component: "containerd",
    sign: frozen("containerd"),
    cause: "containerd has been stopped (SIGSTOP): its process $1 is there and does nothing",
    remedy: "Let it go on: kill -CONT $1",
    look: "ps -o pid,stat,args -C containerd",
  },
  {
    id: "containerd-plugin-name",
    component: "containerd",
    sign: logged("containerd", /invalid disabled plugin URI "([^"]+)"/),
    cause: 'its configuration disables a plugin "$1", which is a name of containerd 1\'s',
    remedy:
      "Take the line disabled_plugins out: the kubelet needs the plugin cri. Packages of containerd come with that line.",
    look: "grep -n disabled_plugins /etc/containerd/config.toml",
  },
  {
    id: "containerd-config-version",
    component: "containerd",
    sign: logged("containerd", /expected containerd config version equal to or less than `(\d+)`, got `(\d+)`/),
    cause: "its configuration says version = $2, and this containerd reads versions up to $1",
    remedy: "Say version = 3, as containerd 2 has it, or let it write one: containerd config default",
    look: "head -3 /etc/containerd/config.toml; containerd --version",
  },
  {
    id: "containerd-config-unparsable",
    component: "containerd",
    sign: logged("containerd", /containerd: failed to (?:unmarshal|load) TOML(?: from \S+:)?(?: at)? (.*)$/),
    cause: "its configuration cannot be read: $1",
    remedy: "Mend that line: values that are text stand in quotes.",
    look: "cat -n /etc/containerd/config.toml",
  },
  {
    id: "containerd-socket-elsewhere",
    component: "containerd",
    sign: (seen) => {
      const { path, text } = containerdConfig(seen)
      const address = /^\s*address = "([^"]+)"/m.exec(text)?.[1]
      const one = componentOf(seen, "containerd")
      if (
        address === undefined ||
        address === CONTAINERD_SOCKET ||
        one === undefined ||
        !(one.state === "running" || one.isMeantToBe)
      )
        return undefined
      return { evidence: `${path}: address = "${address}"`, names: [address] }
    },
    cause: `containerd listens on $1; ctr and the kubelet look for it on ${CONTAINERD_SOCKET}`,
    remedy: `Say address = "${CONTAINERD_SOCKET}" below [grpc], or tell the kubelet (containerRuntimeEndpoint) and ctr (--address) where it is.`,
    look: "ss -xlp | grep containerd",
  },
  {
    id: "cri-disabled",
    component: "containerd",
    sign: criDisabled,
    cause: "containerd runs without its plugin cri, which is what the kubelet talks to: $1",
    remedy: "Take it out of disabled_plugins in containerd's configuration, and start containerd again.",
    look: "grep -n disabled_plugins /etc/containerd/config.toml; ctr plugins ls | grep cri",
  },
]

function criDisabled(seen: Observation): Shown | undefined {
  const line = /^disabled_plugins = .*cri.*$/m.exec(containerdConfig(seen).text)?.[0]
  return line === undefined
    ? logged("kubelet", /(unknown service runtime\.v1\.RuntimeService)/)(seen)
    : { evidence: line, names: [line] }
}
