import { isIP } from "node:net"
import { dirname, resolve } from "node:path/posix"
import { assertNever } from "../base/assert-never.ts"
import { RemediedError } from "../base/errors.ts"
import { quote } from "../base/shell.ts"
import type { Part } from "../clusters/part.ts"
import { APISERVER_PORT, TOKENS_FILE, type ApiserverSettings } from "../components/apiserver.ts"
import { withFlags, type Component, type ComponentName, type FlagChanges } from "../components/component.ts"
import { CONTAINERD_SOCKET } from "../components/containerd.ts"
import { kubeconfigsOn, type Access } from "../components/discovery/access.ts"
import { etcdTls } from "../components/etcd.ts"
import { KUBE_PROXY_CONFIG } from "../components/kube-proxy.ts"
import { settingsOf, type SettingsOf } from "../components/registry.ts"
import { withFilesOf } from "../components/settings/files.ts"
import { absolute, flagOf, type Started } from "../components/settings/flags.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../kubeconfig/kubeconfig.ts"
import type { Source } from "../kubeconfig/parse.ts"
import type { Machine } from "../machines/machine.ts"
import { APISERVER_NAMES, issue, pki, pkiCommands, pkiScript, signingKey, type Pair } from "../pki/pki.ts"
import { HOME } from "./folder.ts"

/** The folder on the machine with the files of stand-ins. No file of the learner is written over. */
const FOLDER = "/etc/kubernetes/stand-in"
const DATA_DIR = "/var/lib/stand-in/etcd"

/** Ours cannot be what the learner's files expect. */
class NoStandInError extends RemediedError {}

/** The cluster of a learner, as far as a stand-in must fit into it. */
export interface Site {
  readonly machine: Machine
  /** The learner's files that may name addresses and paths of the component: all except the script that starts it. */
  readonly texts: readonly string[]
  /** How the learner's component was started. If that is not known, the command line has only its first word. */
  readonly learners: Started
  readonly part: <Name extends ComponentName>(name: Name) => Part<Name>
  readonly access: () => Promise<Access>
  /** The bearer token of our administrator. */
  readonly token: string
}

/**
 * Fits a component of our own cluster into the cluster of a learner: it listens where the learner's files expect it,
 * and accepts the credentials and certificates that are there. Files that are missing are made.
 * @param ours the component as our own cluster starts it
 * @throws NoStandInError, NoAccessError
 */
export async function standInFor(ours: Component, site: Site): Promise<Component> {
  switch (ours.name) {
    case "etcd":
      return etcd(ours, site)
    case "kube-apiserver":
      return apiserver(ours, site)
    case "kube-scheduler":
      return withFlags(ours, {
        "--kubeconfig": (await site.access()).kubeconfig,
        "--tls-cert-file": null,
        "--tls-private-key-file": null,
      })
    case "containerd":
      return containerd(ours, site)
    case "kubelet":
      return kubelet(ours, site)
    case "kube-controller-manager":
      return controllerManager(ours, site)
    case "kube-proxy":
      return replaced(ours, {
        [KUBE_PROXY_CONFIG]: `${FOLDER}/kube-proxy.yaml`,
        [KUBECONFIG_FILE]: (await site.access()).kubeconfig,
      })
    case "registry":
      return ours
    default:
      return assertNever(ours.name)
  }
}

async function controllerManager(ours: Component, { part, access }: Site): Promise<Component> {
  const { kubeconfig, ca } = await access()
  const apiserver = part("kube-apiserver")
  const rootCa = `${FOLDER}/root-ca.crt`
  return {
    ...withFlags(ours, {
      "--kubeconfig": kubeconfig,
      "--tls-cert-file": null,
      "--tls-private-key-file": null,
      "--root-ca-file": rootCa,
      "--service-account-private-key-file":
        absolute(apiserver, flagOf(apiserver, "--service-account-signing-key-file")) ?? null,
    }),
    files: [{ path: rootCa, content: ca.toString() }],
  }
}

async function etcd(ours: Component, site: Site): Promise<Component> {
  const { machine, texts } = site
  const own = await intended("etcd", site)
  const local = ["127.0.0.1", "localhost", "[::1]", machine.address]
  const url = [...(own?.clientUrls ?? []), ...valuesOf(texts, "etcd-servers").flatMap((urls) => urls.split(","))].find(
    (one) => URL.canParse(one) && local.includes(new URL(one).hostname) && new URL(one).port !== "",
  )
  const plain = withFlags(ours, {
    "--data-dir": DATA_DIR, // The learner's data can be the cause.
    ...(url === undefined ? {} : { "--listen-client-urls": url, "--advertise-client-urls": url }),
  })
  if (url?.startsWith("https:") !== true) return plain
  const { certificate = "", key = "", clientCa = "" } = own ?? {}
  const there = await existing(machine, [certificate, key, clientCa])
  if (!there.has(certificate) || !there.has(key))
    throw new NoStandInError(
      `etcd must serve ${url}, but there is no serving certificate with a key for it.`,
      "Make both, and name them with --cert-file and --key-file.",
    )
  return withFlags(plain, {
    "--cert-file": certificate,
    "--key-file": key,
    ...(there.has(clientCa) ? { "--trusted-ca-file": clientCa, "--client-cert-auth": "true" } : {}),
  })
}

async function apiserver(ours: Component, site: Site): Promise<Component> {
  const { machine, texts, token } = site
  const own = await intended("kube-apiserver", site)
  const contexts = (await kubeconfigsOn(machine, [])).flatMap(({ context }) => context ?? [])
  const meant = contexts.find(({ server }) => URL.canParse(server))
  const { host, port } = own?.address ?? { host: "127.0.0.1", port: APISERVER_PORT }
  const server = new URL(meant?.server ?? `https://${host}:${port}`)
  const { ca, flags } = await serving(site, own, meant?.ca, [server.hostname, meant?.serverName])
  const account = { public: `${FOLDER}/sa.pub`, private: `${FOLDER}/sa.key` }
  await make(machine, signingKey(account))

  const { etcdServer, etcdFiles } = fromEtcd(site, own)
  const kubelets = [
    { ca: own?.kubeletCa, certificate: own?.kubeletCertificate, key: own?.kubeletKey },
    { ca: pki.ca.certificate, ...pki.kubeletClient },
  ]
  const kubeconfigs = [
    ...(contexts.length === 0 ? [KUBECONFIG_FILE] : []),
    ...valuesOf(texts, "kubeconfig").map((path) => resolve(HOME, path)),
  ]
  const there = await existing(machine, [
    own?.clientCa,
    ...kubeconfigs,
    ...kubelets.flatMap((files) => Object.values(files)),
  ])
  const kubelet = kubelets.find((files) => Object.values(files).every((path) => there.has(path ?? "")))
  const clientCa = there.has(own?.clientCa ?? "") ? own?.clientCa : "file" in ca ? ca.file : undefined
  const theirTokens = (await textOf(machine, own?.tokenFile ?? TOKENS_FILE)) ?? ""
  const content = kubeconfig({ server: server.origin, ca, user: { token } })
  return {
    ...withFlags(ours, {
      ...flags,
      "--etcd-servers": etcdServer,
      "--etcd-cafile": etcdFiles?.ca ?? null,
      "--etcd-certfile": etcdFiles?.certificate ?? null,
      "--etcd-keyfile": etcdFiles?.key ?? null,
      "--bind-address": isIP(server.hostname) === 0 ? "127.0.0.1" : server.hostname,
      "--secure-port": server.port === "" ? "443" : server.port,
      "--token-auth-file": `${FOLDER}/tokens.csv`,
      "--client-ca-file": clientCa ?? null,
      "--service-account-key-file": account.public,
      "--service-account-signing-key-file": account.private,
      "--kubelet-certificate-authority": kubelet?.ca ?? null,
      "--kubelet-client-certificate": kubelet?.certificate ?? null,
      "--kubelet-client-key": kubelet?.key ?? null,
    }),
    files: [
      {
        path: `${FOLDER}/tokens.csv`,
        content: tokensFile([token, ...contexts.flatMap((context) => context.token ?? [])], theirTokens),
        mode: 0o600,
      },
      ...[`${FOLDER}/kubeconfig`, ...kubeconfigs.filter((path) => !there.has(path))].map((path) => ({
        path,
        content,
        mode: 0o600,
      })),
    ],
  }
}

/** Where etcd serves, and the files that its clients need. */
function fromEtcd({ part }: Site, own: ApiserverSettings | undefined) {
  const etcd = part("etcd").settings
  const { host, port } = etcd.address
  return {
    etcdServer: `${etcd.isTls ? "https" : "http"}://${host}:${port}`,
    etcdFiles: etcdTls(etcd, { apiserver: own }),
  }
}

/** Tokens of administrators, and the lines of the learner's file that name other tokens and are complete. */
function tokensFile(tokens: readonly string[], theirs: string): string {
  const [first = "", ...rest] = [...new Set(tokens)].map((token) => `${token},admin,admin,"system:masters"`)
  const others = theirs.split("\n").filter((line) => {
    const [token = "", ...columns] = line.split(",")
    return columns.length >= 2 && /^[\w.-]+$/.test(token) && !tokens.includes(token)
  })
  return `${[first, ...rest, ...others].join("\n")}\n`
}

/**
 * The flags with which kube-apiserver presents a certificate that the learner's clients trust.
 * @param trusted the CA in the learner's kubeconfig
 * @param names names and addresses of the server
 * @returns also the CA for clients
 */
async function serving(
  { machine, learners }: Site,
  own: ApiserverSettings | undefined,
  trusted: Source | undefined,
  names: readonly (string | undefined)[],
): Promise<{ ca: Source; flags: FlagChanges }> {
  const file = trusted !== undefined && "file" in trusted ? trusted.file : undefined
  // The certificate that kube-apiserver makes for itself is its own CA.
  if (
    trusted !== undefined &&
    file !== undefined &&
    file === own?.certificate &&
    flagOf(learners, "--tls-cert-file") === undefined
  )
    return {
      ca: trusted,
      flags: { "--tls-cert-file": null, "--tls-private-key-file": null, "--cert-dir": dirname(file) },
    }
  const authority = await authorityOf(machine, trusted, [own?.clientCa, own?.kubeletCa])
  if (authority !== undefined) {
    if (file !== undefined && (await textOf(machine, file)) === undefined)
      await machine.write(file, await machine.read(authority.certificate))
    const also = names.flatMap((name) => (name === undefined ? [] : `${isIP(name) === 0 ? "DNS" : "IP"}:${name}`))
    const pair = await signed(machine, authority, "kube-apiserver", [APISERVER_NAMES, ...also].join(","))
    return {
      ca: trusted ?? { file: authority.certificate },
      flags: { "--tls-cert-file": pair.certificate, "--tls-private-key-file": pair.key },
    }
  }
  const flags = {
    "--tls-cert-file": own?.certificate ?? "",
    "--tls-private-key-file": flagOf(learners, "--tls-private-key-file") ?? "",
  }
  const there = await existing(machine, Object.values(flags))
  if (trusted !== undefined && there.size === 2) return { ca: trusted, flags }
  throw new NoStandInError(
    `There is no key of the CA that the kubeconfig trusts${file === undefined ? "" : `, ${file}`}.`,
    "Keep the key of the CA beside its certificate.",
  )
}

/**
 * The CA with which certificates can be signed that clients trust: its certificate and key.
 * @param trusted the CA that clients trust; undefined if any CA will do
 * @param others other files that may hold it
 */
async function authorityOf(
  machine: Machine,
  trusted: Source | undefined,
  others: readonly (string | undefined)[],
): Promise<Pair | undefined> {
  // Later scripts name the certificates that the workshop makes.
  if ((await existing(machine, Object.values(pki.ca))).size !== 1)
    await machine.run(["sh", "-ec", pkiScript(pkiCommands(machine.name))])
  const file = trusted !== undefined && "file" in trusted ? trusted.file : undefined
  const wanted = trusted !== undefined && "pem" in trusted ? trusted.pem.toString() : await textOf(machine, file)
  for (const certificate of [file, ...others, pki.ca.certificate]) {
    const text = await textOf(machine, certificate)
    if (certificate === undefined || text === undefined || (wanted ?? text).trim() !== text.trim()) continue
    const [key] = await existing(machine, [
      certificate.replace(/\.\w+$/, ".key"),
      certificate.replace(/\.\w+$/, "-key.pem"),
    ])
    if (key !== undefined) return { certificate, key }
  }
  return undefined
}

async function containerd(ours: Component, site: Site): Promise<Component> {
  const own = await intended("containerd", site)
  const socket = [own?.socket, ...valuesOf(site.texts, "container-runtime-endpoint", "containerRuntimeEndpoint")]
    .map((one) => one?.replace(/^unix:\/\//, ""))
    .find((one) => one?.startsWith("/"))
  return replaced(ours, {
    "/etc/containerd/": `${FOLDER}/containerd/`,
    "/etc/containerd/certs.d": `${FOLDER}/containerd/certs.d`,
    "/etc/cni/net.d": `${FOLDER}/cni`,
    [CONTAINERD_SOCKET]: socket ?? CONTAINERD_SOCKET,
  })
}

async function kubelet(ours: Component, site: Site): Promise<Component> {
  const { machine, part, access } = site
  const { kubeletCa, clientCa } = part("kube-apiserver").settings
  const ca = kubeletCa ?? clientCa ?? pki.ca.certificate
  const authority = await authorityOf(machine, { file: ca }, [])
  const names = `IP:127.0.0.1,IP:${machine.address},DNS:localhost,DNS:${machine.name}`
  const pair = authority === undefined ? pki.kubelet : await signed(machine, authority, "kubelet", names)
  return replaced(withFlags(ours, { "--kubeconfig": (await access()).kubeconfig }), {
    "/etc/kubernetes/kubelet.yaml": `${FOLDER}/kubelet.yaml`,
    "address: 127.0.0.1": "address: 0.0.0.0", // kube-apiserver may call it by the Node's address.
    [pki.kubelet.certificate]: pair.certificate,
    [pki.kubelet.key]: pair.key,
    [pki.ca.certificate]: ca,
    [CONTAINERD_SOCKET]: part("containerd").settings.socket,
  })
}

/** A component in whose flags and files texts are replaced. */
function replaced(component: Component, texts: Readonly<Record<string, string>>): Component {
  const change = (text: string) =>
    Object.entries(texts).reduce((before, [from, to]) => before.replaceAll(from, to), text)
  return {
    ...component,
    flags: component.flags.map((flag) => (flag.value === undefined ? flag : { ...flag, value: change(flag.value) })),
    files: component.files.map((file) => ({ ...file, path: change(file.path), content: change(file.content) })),
  }
}

/** The settings that the learner wanted a component to have; undefined if its command line is not known. */
async function intended<Name extends ComponentName>(
  name: Name,
  { machine, learners }: Site,
): Promise<SettingsOf<Name> | undefined> {
  if (learners.argv.length < 2 && Object.keys(learners.env ?? {}).length === 0) return undefined
  return withFilesOf(machine, (files) => settingsOf(name, learners, files))
}

/** The values that texts give to a flag or to the key of a configuration file, as far as they are written out. */
export function valuesOf(texts: readonly string[], ...names: readonly string[]): string[] {
  const pattern = new RegExp(
    String.raw`(?<![\w-])["']?(?:--(?:${names.join("|")})(?:=|\s+)|(?:${names.join("|")})["']?:\s*)["']?([^\s"'\\$]+)["']?(?=[\s\\,}]|$)`,
    "gm",
  )
  return texts.flatMap((text) => [...expanded(text).matchAll(pattern)].map(([, value = ""]) => value))
}

/** A script without comments, and with the values of the variables that it sets to a text that is written out. */
function expanded(text: string): string {
  const code = text.replaceAll(/^\s*#.*$/gm, "")
  const set = code.matchAll(/^\s*(?:export\s+|readonly\s+)?([A-Za-z_]\w*)=(["']?)([^\s"'$`\\;&|()]+)\2\s*$/gm)
  return [...set].reduce(
    (before, [, name, , value = ""]) =>
      before.replaceAll(new RegExp(String.raw`\$(?:\{${name}\}|${name}(?!\w))`, "g"), () => value),
    code,
  )
}

/** A certificate that a CA has signed for a server. */
async function signed(machine: Machine, ca: Pair, server: string, names: string): Promise<Pair> {
  const pair = { certificate: `${FOLDER}/${server}.crt`, key: `${FOLDER}/${server}.key` }
  await make(machine, [issue(pair, `/CN=${server}`, "serverAuth", names, ca)])
  return pair
}

/** Runs commands that make files which only root can read. @throws NoStandInError */
async function make(machine: Machine, commands: readonly (readonly string[])[]): Promise<void> {
  const script = [`mkdir -p ${FOLDER}`, "umask 077", ...commands.map(quote)].join("\n")
  const { exitCode, stderr } = await machine.run(["sh", "-ec", script])
  if (exitCode !== 0)
    throw new NoStandInError(
      `openssl could not make the keys and certificates of the stand-in: ${stderr.trim()}.`,
      "Check the certificate and the key of the CA that signs them.",
    )
}

/** Those of some paths at which there is a file that is not empty. */
async function existing(machine: Machine, paths: readonly (string | undefined)[]): Promise<ReadonlySet<string>> {
  const script = 'for path; do if [ -s "$path" ]; then printf "%s\\n" "$path"; fi; done'
  const { stdout } = await machine.run(["sh", "-c", script, "sh", ...paths.map((path) => path ?? "")])
  return new Set(stdout.split("\n").filter((path) => path !== ""))
}

async function textOf(machine: Machine, path: string | undefined): Promise<string | undefined> {
  return path === undefined
    ? undefined
    : machine.read(path).then(
        (text) => text.toString(),
        () => undefined,
      )
}
