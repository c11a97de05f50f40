import { Document } from "../../base/document.ts"
import { near } from "../../base/nearest.ts"
import { argvOf as describedArgvOf } from "../../components/component.ts"
import { learnersSpecs, specOf, type ComponentName } from "../../components/registry.ts"
import { sampleFacts } from "../../components/spec.ts"
import { removedAdmissionPlugins } from "../../components/removed/admission-plugins.ts"
import { removedFeatureGates } from "../../components/removed/feature-gates.ts"
import { absolute } from "../../components/settings/flags.ts"
import { portOf } from "../../clients/sockets.ts"
import { addressOf, containerdOf, etcdUrlOf, listens } from "../facts.ts"
import { etcdAddressOf } from "../signs.ts"
import type { Observation, ObservedComponent } from "../observation.ts"
import { scriptsOf, startCommandsOf } from "../scripts.ts"
import { AT_ONCE, componentOf, concerns, first, flagOf, isUnwell, logged, symptom, type Symptom } from "../symptom.ts"

/** Flags that may be given several times: each adds to the others. */
const LISTS =
  /^--(?:etcd-servers|etcd-servers-overrides|service-account-key-file|service-account-issuer|tls-sni-cert-key|runtime-config|feature-gates|(?:enable|disable)-admission-plugins|api-audiences|authorization-mode|node-labels|register-with-taints|vmodule|experimental-.*)$/

/** Contradictions between flags, files and the environment, and values that cannot be meant. */
export const configuration: readonly Symptom[] = [
  symptom({
    id: "environment-against-flag",
    component: "etcd",
    sign: (seen) => {
      const shown = logged(
        "etcd",
        /(conflicting environment variable is shadowed by corresponding command-line flag).*?"environment-variable":"(ETCD_\w+)"/,
        "message",
        "variable",
      )(seen)
      if (shown === undefined) return undefined
      const { message, variable } = shown
      const place = placeOf(seen, new RegExp(`\\b${variable}=`))
      return {
        evidence: `etcd: ${message}: ${variable}${place === undefined ? "" : `; ${place}`}`,
        variable,
        flag: `--${variable.replace("ETCD_", "").replaceAll("_", "-").toLowerCase()}`,
      }
    },
    cause: ({ variable, flag }) =>
      `the environment sets ${variable}, and the command line sets ${flag}: etcd refuses to start if a value is given both ways`,
    remedy: ({ variable, flag }) => `unset ${variable} before etcd starts, or leave ${flag} out.`,
    look: ({ variable }) => `grep -rn ${variable} *.sh; env | grep ^ETCD_`,
  }),
  symptom({
    id: "config-file-wins",
    component: "etcd",
    lasting: ifElsewhere,
    sign: configFileOfEtcd,
    cause: ({ by, path, inFile, shadowed }) =>
      `etcd reads its settings only from ${path}, because ${by} is given: it ignores all other flags. ${inFile}; the command line has ${shadowed}, without effect`,
    remedy: ({ by, path }) => `Leave ${by} out, or write every setting into ${path} and leave the other flags out.`,
    look: ({ path }) => `cat ${path}; ps -o args= -C etcd`,
  }),
  symptom({
    id: "config-file-wins",
    component: "kube-scheduler",
    sign: (seen) => {
      const one = componentOf(seen, "kube-scheduler")
      const kubeconfig = flagOf(one, "--kubeconfig")
      const path = one && absolute(one, flagOf(one, "--config"))
      if (path === undefined) return undefined
      const isSilent = Document.yaml(seen.files[path]).text("clientConnection", "kubeconfig") === undefined
      const shown = logged(
        "kube-scheduler",
        /(invalid configuration: no configuration has been provided|unable to load in-cluster configuration).*/,
      )(seen)
      return shown === undefined || !isSilent
        ? undefined
        : { ...shown, path, given: kubeconfig ?? seen.kubeconfigPath, isGiven: kubeconfig === undefined ? "no" : "yes" }
    },
    cause: ({ path, given, isGiven }) =>
      isGiven === "yes"
        ? `kube-scheduler ignores --kubeconfig=${given}, because --config is given, and ${path} names no kubeconfig`
        : `kube-scheduler has no kubeconfig: ${path} names none`,
    remedy: ({ path, given }) => `Write clientConnection: { kubeconfig: ${given} } into ${path}.`,
    look: ({ path }) => `cat ${path}`,
  }),
  ...learnersSpecs.flatMap(({ name }) => [
    symptom({
      id: "flag-without-value",
      component: name,
      sign: (seen) => {
        const missing =
          logged(name, /flag needs an argument: (--?[\w-]+)/, "flag")(seen) ??
          logged(name, /invalid (?:argument|value) "" for (?:flag )?"?(--?[\w-]+)/, "flag")(seen)
        if (missing !== undefined) {
          const flag = dashed(missing.flag)
          return { ...missing, flag, took: "nothing", variable: variableOf(seen, name, flag) }
        }
        const component = componentOf(seen, name)
        if (component === undefined || !isConcerned(seen, name)) return undefined
        const { argv } = component
        const empty = argv.find((word) => /^--?[\w-]+=$/.test(word) && valued(name).has(dashed(word)))
        if (empty !== undefined)
          return {
            evidence: empty,
            flag: dashed(empty),
            took: "nothing",
            variable: variableOf(seen, name, dashed(empty)),
          }
        const at = argv.findIndex(
          (word, index) =>
            !word.includes("=") && valued(name).has(dashed(word)) && /^--?[a-z][\w-]+/.test(argv[index + 1] ?? ""),
        )
        const [flag = "", took = ""] = argv.slice(at, at + 2)
        return at < 0 ? undefined : { evidence: `${flag} ${took}`, flag, took, variable: "none" }
      },
      cause: ({ flag, took, variable }) =>
        took === "nothing"
          ? `${flag} has no value${variable === "none" ? "" : `: the variable ${variable} was empty when ${name} started`}`
          : `${flag} has no value: ${name} takes the next word, ${took}, for its value`,
      remedy: ({ flag, variable }) =>
        variable === "none"
          ? `Write ${flag}=VALUE, or leave it out.`
          : `Set ${variable} before that command, or write ${flag}=VALUE.`,
      look: `ps -o args= -C ${name}`,
    }),
    symptom({
      id: "stray-argument",
      component: name,
      sign: (seen) => first(STRAY, (line) => logged(name, line, "word")(seen)),
      cause: ({ word }) => `${name} gets the word ${word}, which is neither a flag nor the value of one`,
      remedy: ({ word }) =>
        word.startsWith("=")
          ? `Write the name of its flag before it: --flag${word}`
          : "Remove it. A value with blanks needs quotes, and a value follows its flag directly: --flag=value.",
      look: `ps -o args= -C ${name}`,
    }),
    symptom({
      id: "flag-given-twice",
      component: name,
      lasting: ifElsewhere,
      sign: (seen) => {
        const component = componentOf(seen, name)
        return component === undefined || !isFelt(seen, name) ? undefined : twiceIn(component)
      },
      cause: ({ flag, last, values }) => `${flag} is given twice (${values}), and only the last value counts: ${last}`,
      remedy: ({ flag }) => `Keep one ${flag}.`,
      look: `ps -o args= -C ${name}`,
    }),
    symptom({
      id: "variable-not-expanded",
      component: name,
      sign: (seen) => unexpanded(seen, name),
      cause: ({ path, variable }) =>
        `${path} contains the text ${variable}: the variable was not expanded when that was written`,
      remedy: ({ name: bare, place }) =>
        `Set ${bare} first, and write the text where bash expands variables: a heredoc whose end word has no quotes (<<EOF, not <<'EOF'), or double quotes (${place})`,
      look: ({ path, name: bare }) => `grep -n ${bare} ${path} *.sh`,
    }),
    symptom({
      id: "address-without-host",
      component: name,
      sign: (seen) => {
        const component = componentOf(seen, name)
        return component === undefined || !isConcerned(seen, name) ? undefined : hostless(seen, component)
      },
      cause: ({ word, variable }) =>
        variable === "none"
          ? `${word} names no host`
          : `${word} names no host: the variable ${variable} was empty when ${name} started`,
      remedy: ({ flag, variable }, seen) =>
        `${variable === "none" ? "Write" : `Set ${variable} before that command, or write`} the whole address${
          flag === "--etcd-servers" ? `: --etcd-servers=${etcdUrlOf(seen)}` : `: ${flag}=SCHEME://HOST:PORT`
        }`,
      look: `ps -o args= -C ${name}; ss -tlnp`,
    }),
    symptom({
      id: "config-version-removed",
      component: name,
      sign: (seen) => {
        const shown = logged(
          name,
          /no kind \\?"(\w+)\\?" is registered for version \\?"([^"\\]+)\\?"/,
          "kind",
          "version",
        )(seen)
        if (shown === undefined) return undefined
        const { kind, version } = shown
        const [path = "its configuration"] =
          Object.entries(seen.files).find(
            ([where, text]) => !where.endsWith(".sh") && text.includes(kind) && text.includes(version),
          ) ?? []
        const known = specOf(name).configVersions?.[kind]
        const since = known?.removed?.[version]
        return {
          ...shown,
          path,
          since: since === undefined ? ": it is not one that it knows" : `, which was removed in Kubernetes ${since}`,
          current: known === undefined ? "the version that this program reads" : known.current,
        }
      },
      cause: ({ kind, version, path, since }) =>
        `${path} has apiVersion: ${version}, and this ${name} does not read a ${kind} of that version${since}`,
      remedy: ({ current, path }) =>
        `Write apiVersion: ${current} into ${path}, and correct the fields that it no longer has.`,
      look: ({ path }) => `head -n 5 ${path}`,
    }),
    symptom({
      id: "key-without-value",
      component: name,
      sign: (seen) => {
        const shown =
          logged(name, /err="(?:[^"]*: )?invalid value ([\w./-]+)="/, "key")(seen) ??
          logged(name, /missing bool value for ([\w./-]+)/, "key")(seen)
        if (shown === undefined) return undefined
        const component = componentOf(seen, name)
        const word = component?.argv.find((one) => /^--[\w-]+[= ]?/.test(one) && one.includes(shown.key)) ?? ""
        return { ...shown, flag: word === "" ? "a flag" : dashed(word) }
      },
      cause: ({ flag, key }) => `${flag} names ${key} without a value: it must be written as KEY=VALUE`,
      remedy: ({ flag, key }) => `${flag}=${key}=true`,
      look: `${name} --help`,
    }),
    symptom({
      id: "feature-gate-unknown",
      component: name,
      sign: (seen) => {
        const shown = logged(name, /unrecognized feature gate: (\w+)/, "gate")(seen)
        if (shown === undefined) return undefined
        const removed = removedFeatureGates[shown.gate]
        return {
          ...shown,
          state:
            removed === undefined
              ? "this version has no such gate"
              : `the gate was removed in Kubernetes ${removed.since}`,
          instead: removed?.instead ?? "Leave it out, or correct its name: --help lists the gates of this version.",
        }
      },
      cause: ({ gate, state }) => `${name} does not know the feature gate ${gate}: ${state}`,
      remedy: ({ instead }) => instead,
      look: `${name} --help | grep -A 400 feature-gates`,
    }),
    symptom({
      id: "feature-gate-locked",
      component: name,
      sign: (seen) =>
        logged(
          name,
          /cannot set feature gate (\w+) to (\w+), feature is locked to (\w+)/,
          "gate",
          "wanted",
          "locked",
        )(seen),
      cause: ({ gate, wanted, locked }) =>
        `the feature gate ${gate} cannot be ${wanted}: in this version it is always ${locked}`,
      remedy: ({ gate }) => `Leave ${gate} out of --feature-gates (featureGates in a configuration file).`,
      look: `${name} --help | grep -A 400 feature-gates`,
    }),
  ]),
  symptom({
    id: "admission-plugin-unknown",
    component: "kube-apiserver",
    sign: (seen) => {
      const shown = logged(
        "kube-apiserver",
        /((?:enable|disable)-admission-plugins) plugin \\?"([\w-]+)\\?" is unknown/,
        "flag",
        "plugin",
      )(seen)
      if (shown === undefined) return undefined
      const removed = removedAdmissionPlugins[shown.plugin]
      const nearest = near(shown.plugin, ADMISSION_PLUGINS)
      return {
        ...shown,
        state:
          removed === undefined
            ? "this version has none of that name"
            : `it was removed in Kubernetes ${removed.since}`,
        instead:
          removed?.instead ??
          (nearest === undefined ? "Leave it out: --help lists the plugins." : `The nearest plugin is ${nearest}.`),
      }
    },
    cause: ({ flag, plugin, state }) => `--${flag} names the admission plugin ${plugin}: ${state}`,
    remedy: ({ instead }) => instead,
    look: "kube-apiserver --help | grep -A 3 enable-admission-plugins",
  }),
]

/** The admission plugins of the current version. */
const ADMISSION_PLUGINS = [
  "AlwaysAdmit",
  "AlwaysDeny",
  "AlwaysPullImages",
  "CertificateApproval",
  "CertificateSigning",
  "CertificateSubjectRestriction",
  "DefaultIngressClass",
  "DefaultStorageClass",
  "DefaultTolerationSeconds",
  "DenyServiceExternalIPs",
  "EventRateLimit",
  "ExtendedResourceToleration",
  "ImagePolicyWebhook",
  "LimitPodHardAntiAffinityTopology",
  "LimitRanger",
  "MutatingAdmissionWebhook",
  "NamespaceAutoProvision",
  "NamespaceExists",
  "NamespaceLifecycle",
  "NodeRestriction",
  "OwnerReferencesPermissionEnforcement",
  "PersistentVolumeClaimResize",
  "PodNodeSelector",
  "PodSecurity",
  "PodTolerationRestriction",
  "Priority",
  "ResourceQuota",
  "RuntimeClass",
  "ServiceAccount",
  "StorageObjectInUseProtection",
  "TaintNodesByCondition",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionWebhook",
]

/** What components say of a word that is neither a flag nor the value of one. */
const STRAY: readonly RegExp[] = [
  /"failed to verify flags","error":"\\"(.*?)\\" is not a valid flag"/,
  /does not take any arguments, got \[\\?"?([^"\\\]]+)/,
  /err="unknown command \\?"?([^"\\]+)/,
]

/** Lasting: kube-apiserver calls an address where no process listens, and etcd listens elsewhere. */
function ifElsewhere(seen: Observation): number | undefined {
  const wanted = addressOf(flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers") ?? "")
  return wanted !== "" && !listens(seen, wanted) && listens(seen, etcdAddressOf(seen)) ? AT_ONCE : undefined
}

/** Whether a component's start is what failed, or it is not well. */
function isConcerned(seen: Observation, name: ComponentName): boolean {
  const component = componentOf(seen, name)
  return seen.failure !== undefined && component !== undefined && (concerns(seen, name) || isUnwell(component))
}

/**
 * Whether a component's own settings can be why something fails: its own start, or that of a component that needs it.
 */
function isFelt(seen: Observation, name: ComponentName): boolean {
  return (
    isConcerned(seen, name) ||
    learnersSpecs.some((other) => other.after.includes(name) && isConcerned(seen, other.name))
  )
}

/** --flag of a word such as --flag=value, -flag or --flag. */
function dashed(word: string): string {
  return word.startsWith("-") ? word.replace(/^--?/, "--").replace(/=.*/s, "") : ""
}

/** The flags of a component that must have a value, as our own cluster gives them. */
function valued(name: ComponentName): ReadonlySet<string> {
  const words = describedArgvOf(specOf(name).describe(sampleFacts)).slice(1)
  return new Set(words.filter((word) => /=(?!true$|false$)/.test(word)).map(dashed))
}

/** A flag with two different values. */
function twiceIn({ argv }: ObservedComponent) {
  const values = new Map<string, string[]>()
  argv.forEach((word, at) => {
    const flag = dashed(word)
    const next = argv[at + 1]
    const value = word.includes("=") ? word.slice(word.indexOf("=") + 1) : next?.startsWith("-") === false ? next : ""
    if (at > 0 && flag !== "") values.set(flag, [...(values.get(flag) ?? []), value])
  })
  for (const [flag, all] of values)
    if (new Set(all).size > 1 && !LISTS.test(flag))
      return {
        evidence: all.map((value) => `${flag}=${value}`).join(" "),
        flag,
        last: all.at(-1) ?? "",
        values: all.join(" and "),
      }
  return undefined
}

/** A flag whose address has no host, such as --etcd-servers=http://:2379, and the variable that was empty. */
function hostless(seen: Observation, { name, argv, isArgvFromScript, log }: ObservedComponent) {
  // A script does not tell what its variables held: the component's own words must.
  const words =
    isArgvFromScript === true
      ? argv.map(withoutVariables).filter((word) => {
          const port = /:(\d+)\/?$/.exec(word)?.[1]
          return port !== undefined && log.some((line) => new RegExp(`(?:dial tcp |//|\\[|")::?${port}\\b`).test(line))
        })
      : argv.slice(1)
  const word =
    words.find((one) => /(?:^|[=,])https?:\/\/(?::\d+)?(?:[,/]|$)/.test(one)) ??
    // With another port than etcd's, the port is what is wrong: see etcd-elsewhere.
    words.find(
      (one) =>
        /^--etcd-servers=(?::\d+)?(?:,|$)/.test(one) &&
        [undefined, portOf(etcdAddressOf(seen))].includes(/\d+/.exec(one)?.[0]),
    )
  if (word === undefined) return undefined
  const flag = dashed(word) || dashed(argv[argv.indexOf(word) - 1] ?? "")
  const source = typedFor(seen, name, flag)
  return {
    evidence: source === undefined ? word : `the script says ${source}, and ${name} got ${word}`,
    word,
    flag,
    variable: variableOf(seen, name, flag),
  }
}

/** A flag as the script writes it, if it has a variable in it. */
function typedFor(seen: Observation, name: ComponentName, flag: string): string | undefined {
  return startCommandsOf(seen)
    .filter(({ component }) => component === name)
    .flatMap((command) => command.argv)
    .find((word) => dashed(word) === flag && word.includes("$"))
}

/** The variable with which the script writes a flag; "none" if it has none. */
function variableOf(seen: Observation, name: ComponentName, flag: string): string {
  return /\$\{?(\w+)/.exec(typedFor(seen, name, flag) ?? "")?.[1] ?? "none"
}

/** A word in which every variable is empty. */
function withoutVariables(word: string): string {
  return word.replaceAll(/\$\{\w+[^}]*\}|\$\w+/g, "")
}

/** A file, or a word of the command line, that a failing component reads and that holds a variable by its name. */
function unexpanded(seen: Observation, name: ComponentName) {
  const component = componentOf(seen, name)
  if (component === undefined || !isConcerned(seen, name)) return undefined
  const { path: config, cniFolder } = containerdOf(seen)
  const isRead = (path: string) =>
    component.argv.some((word) => absolute(component, word.replace(/^--?[\w-]+=/, "")) === path) ||
    (name === "containerd" && (path === config || path.startsWith(`${cniFolder}/`)))
  const files = Object.entries(seen.files).filter(([path]) => isRead(path) && !path.endsWith(".sh"))
  const words = component.isArgvFromScript === true ? [] : component.argv.slice(1)
  return first([...files, ...words.map((word) => [`the command line of ${name}`, word] as const)], ([path, text]) => {
    const [line, variable, bare] =
      /^(?!\s*(?:#|\/\/)).*?(\$\{([A-Za-z_]\w*)\}|\$([A-Z][A-Z0-9_]+)\b).*$/m.exec(text) ?? []
    const named = bare ?? variable?.replace(/^\$/, "")
    if (line === undefined || variable === undefined || named === undefined) return undefined
    return {
      evidence: `${path}: ${line.trim()}`,
      path,
      variable,
      name: named,
      place: placeOf(seen, new RegExp(`\\$\\{?${named}\\b`)) ?? "see the script that writes it",
    }
  })
}

/** Where the scripts say something, as NAME:LINE: TEXT. */
function placeOf(seen: Observation, pattern: RegExp): string | undefined {
  for (const { name, text } of scriptsOf(seen)) {
    const lines = text.split("\n")
    const at = lines.findIndex((line) => pattern.test(line))
    if (at >= 0) return `${name}:${at + 1}: ${(lines[at] ?? "").trim()}`
  }
  return undefined
}

/** A configuration file of etcd that says otherwise than the flags beside it. */
function configFileOfEtcd(seen: Observation) {
  const one = componentOf(seen, "etcd")
  if (one === undefined || seen.failure === undefined) return undefined
  const fromFlag = flagOf(one, "--config-file")
  const path = absolute(one, fromFlag ?? one.env?.["ETCD_CONFIG_FILE"])
  if (path === undefined) return undefined
  const file = Document.yaml(seen.files[path])
  const shadowed = one.argv
    .slice(1)
    .filter((word) => /^--?[\w-]+=/.test(word) && dashed(word) !== "--config-file")
    .flatMap((word) => {
      const key = dashed(word).slice(2)
      const value = word.slice(word.indexOf("=") + 1)
      return file.text(key) === value ? [] : [{ key, word, inFile: file.text(key) }]
    })
    .toSorted((a, b) => Number(b.key === "listen-client-urls") - Number(a.key === "listen-client-urls"))
  const [worst] = shadowed
  if (worst === undefined) return undefined
  const inFile =
    worst.inFile === undefined ? `The file has no ${worst.key}` : `The file says ${worst.key}: ${worst.inFile}`
  return {
    evidence: `${path}: ${worst.inFile === undefined ? `no ${worst.key}` : `${worst.key}: ${worst.inFile}`}; ${one.argv.slice(0, 8).join(" ")}`,
    path,
    by: fromFlag === undefined ? "ETCD_CONFIG_FILE" : "--config-file",
    inFile,
    shadowed: worst.word,
  }
}
