import { parse, TomlError } from "smol-toml"
import { CONTAINERD_SOCKET } from "../../components/containerd.ts"
import { settingsOf } from "../../components/registry.ts"
import { knownFiles } from "../../components/settings/files.ts"
import { containerdOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { frozen, refusedFlags } from "../signs.ts"
import {
  complainedOf,
  componentOf,
  logged,
  matched,
  symptom,
  AT_ONCE,
  concerns,
  SOON,
  type Symptom,
} from "../symptom.ts"
import { lineNamed, originOf } from "../written.ts"

/** Problems of containerd, the most specific first. */
export const containerd: readonly Symptom[] = [
  frozen("containerd"),
  ...refusedFlags("containerd", /flag provided but not defined: (-[\w-]+)/),
  symptom({
    id: "containerd-plugin-name",
    component: "containerd",
    sign: (seen) => logged("containerd", /invalid disabled plugin URI "([^"]+)"/, "plugin")(seen),
    cause: ({ plugin }, seen) =>
      `${containerdOf(seen).path} disables a plugin "${plugin}", which is a name from containerd 1`,
    remedy:
      "Remove the line disabled_plugins: the kubelet needs the plugin cri. Packages of containerd come with that line.",
    look: (_, seen) => `grep -n disabled_plugins ${containerdOf(seen).path}`,
  }),
  symptom({
    id: "containerd-config-version",
    component: "containerd",
    sign: (seen) =>
      logged(
        "containerd",
        /expected containerd config version equal to or less than `(\d+)`, got `(\d+)`/,
        "newest",
        "given",
      )(seen),
    cause: ({ newest, given }, seen) =>
      `${containerdOf(seen).path} says version = ${given}, and this containerd reads versions up to ${newest}`,
    remedy: ({ newest }) => `Write version = ${newest}, or let containerd write the file: containerd config default`,
    look: (_, seen) => `head -3 ${containerdOf(seen).path}; containerd --version`,
  }),
  symptom({
    id: "containerd-config-unparsable",
    component: "containerd",
    sign: (seen) =>
      logged(
        "containerd",
        /containerd: failed to (?:unmarshal|load) TOML(?: from \S+)?:?(?: at)? (.*)$/,
        "reason",
      )(seen),
    cause: ({ reason }, seen) => `containerd cannot read its configuration ${containerdOf(seen).path}: ${reason}`,
    remedy: ({ reason }, seen) => {
      const { path } = containerdOf(seen)
      const line = Number(/^row (\d+)/.exec(reason)?.[1] ?? mistakeIn(seen.files[path]))
      const origin = Number.isNaN(line) ? undefined : originOf(seen, path, line)
      return `Correct ${origin === undefined ? "it" : lineNamed(origin)}. TOML needs quotes around text, and each table may be there once.`
    },
    look: (_, seen) => `cat -n ${containerdOf(seen).path}`,
  }),
  symptom({
    id: "containerd-socket-elsewhere",
    component: "containerd",
    // At its own socket containerd is well, so only the socket is wrong.
    lasting: (seen) =>
      concerns(seen, "containerd") && componentOf(seen, "containerd")?.answer?.isWell === true ? AT_ONCE : undefined,
    sign: (seen) => {
      const { path, socket } = containerdOf(seen)
      const one = componentOf(seen, "containerd")
      if (socket === CONTAINERD_SOCKET || one === undefined) return undefined
      return one.state === "running" || one.isMeantToBe
        ? { evidence: `${path}: address = "${socket}"`, socket }
        : undefined
    },
    cause: ({ socket }) =>
      `containerd listens on ${socket}, and ctr and the kubelet look for it on ${CONTAINERD_SOCKET}`,
    remedy: ({ socket }) =>
      `Write address = "${CONTAINERD_SOCKET}" below [grpc], or tell the kubelet (containerRuntimeEndpoint: unix://${socket}) and ctr (--address ${socket}).`,
    look: "ss -xlp | grep containerd",
  }),
  symptom({
    id: "runtime-unreachable",
    component: "containerd",
    lasting: SOON,
    sign: (seen) => {
      const { socket } = containerdOf(seen)
      const one = componentOf(seen, "containerd")
      const isServed = one?.log.some((line) => line.includes(`msg=serving... address=${socket}`)) === true
      return one?.state === "running" && isServed
        ? matched(
            (one.answer?.isWell === false ? one.answer.text : "").split("\n"),
            /(\/\S+): .*no such file or directory/,
            "socket",
          )
        : undefined
    },
    cause: ({ socket }) => `containerd serves at ${socket}, and that file was removed while containerd runs`,
    remedy: "Start containerd again: it makes the file. Find out what removes it.",
    look: ({ socket }) => `ls -l ${socket}; grep -n containerd.sock *.sh`,
  }),
  symptom({
    id: "containerd-plugin-failed",
    component: "containerd",
    lasting: AT_ONCE,
    sign: (seen) =>
      complainedOf(
        "containerd",
        /failed to load plugin.*error="(.*?)" id=(io\.containerd\.(?:grpc\.v1\.cri|cri\.v1\.\w+)|[\w.]*cri[\w.]*)/,
        "reason",
        "plugin",
      )(seen),
    cause: ({ plugin, reason }) =>
      `containerd runs without its plugin ${plugin}, which the kubelet needs, because its configuration is invalid: ${reason.replaceAll("\\", "")}`,
    remedy: ({ reason }, seen) =>
      /mirrors|configs/.test(reason)
        ? `Remove the tables registry.mirrors and registry.configs from ${containerdOf(seen).path}, and write one file for each registry below config_path: ${mirrorsFolderOf(seen)}/HOST/hosts.toml`
        : `Correct that in ${containerdOf(seen).path}, and start containerd again.`,
    look: (_, seen) => `containerd --config ${containerdOf(seen).path} config dump | head; ctr plugins ls | grep -v ok`,
  }),
  symptom({
    id: "cri-disabled",
    component: "containerd",
    sign: (seen) => {
      const { path, disabledPlugins } = containerdOf(seen)
      const plugin = disabledPlugins.find((name) => name.includes("cri"))
      return plugin === undefined
        ? logged("kubelet", /unknown service runtime\.v1\.RuntimeService/)(seen)
        : { evidence: `${path}: disabled_plugins: ${plugin}` }
    },
    cause: "containerd runs without its plugin cri, and the kubelet talks to that plugin",
    remedy: (_, seen) => `Remove it from disabled_plugins in ${containerdOf(seen).path}, and start containerd again.`,
    look: (_, seen) => `grep -n disabled_plugins ${containerdOf(seen).path}; ctr plugins ls | grep cri`,
  }),
]

/** The folder with a file of mirrors for each registry. */
function mirrorsFolderOf(seen: Observation): string {
  const own = componentOf(seen, "containerd")
  return (
    settingsOf("containerd", own ?? { argv: ["containerd"] }, knownFiles(seen.files)).mirrorsFolder ??
    "/etc/containerd/certs.d"
  )
}

/** The line of a TOML file that cannot be parsed, from 1. */
function mistakeIn(text: string | undefined): number | undefined {
  try {
    parse(text ?? "")
    return undefined
  } catch (error) {
    return error instanceof TomlError ? error.line : undefined
  }
}
