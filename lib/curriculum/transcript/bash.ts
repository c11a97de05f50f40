import { TOKENS_FILE } from "../../components/apiserver.ts"
import { argvOf, type Component, type ComponentFile } from "../../components/component.ts"
import type { HttpProbe } from "../../components/probe.ts"
import { pki } from "../../pki/pki.ts"
import { SHARED } from "../../machines/network.ts"
import { SECURED_FILES } from "../../components/secured.ts"
import { quote } from "../../base/shell.ts"

/** Shell variables that the lines use, and the command that sets each. */
const VARIABLES: Readonly<Record<string, string>> = {
  TOKEN: `TOKEN=$(cut -d, -f1 ${TOKENS_FILE} 2>/dev/null || openssl rand -hex 16)`,
  ENCRYPTION_KEY: `ENCRYPTION_KEY=$(sed -n 's/^ *secret: //p' ${SECURED_FILES.encryption} 2>/dev/null | grep . || head -c 32 /dev/urandom | base64)`,
  BOOTSTRAP_TOKEN: `BOOTSTRAP_TOKEN=$(cat ${SHARED}/bootstrap-token 2>/dev/null || echo "$(openssl rand -hex 3).$(openssl rand -hex 8)")`,
  NODE: "NODE=$(hostname)",
  NODE_IP: `NODE_IP=$(ip -4 -oneline address show scope global | awk '{ sub("/.*", "", $4); print $4; exit }')`,
}

const VARIABLE = new RegExp(String.raw`\$(${Object.keys(VARIABLES).join("|")})\b`)

/** Definitions of the variables that lines use and do not set themselves. */
export function definitionsFor(lines: readonly string[]): string[] {
  const text = lines.join("\n")
  const has = (pattern: string) => new RegExp(pattern, "m").test(text)
  return Object.entries(VARIABLES).flatMap(([name, definition]) =>
    has(String.raw`\$${name}\b`) && !has(`^${name}=`) ? [definition] : [],
  )
}

/** One word as a person would type it. Shell variables stay variables. */
export function word(text: string): string {
  return VARIABLE.test(text) ? `"${text.replaceAll(/["\\`]/g, "\\$&")}"` : quote([text])
}

/** Words as a command, one flag a line. */
export function broken(words: readonly string[]): string {
  return words.join(" ").replaceAll(/ (?="?--?[a-z])/gi, " \\\n  ")
}

/** A component's command, one flag a line. */
export function commandOf(component: Component): string {
  return broken(argvOf(component).map(word))
}

/** A comment for each flag whose reason is stated. */
export function reasonsOf(component: Component): string[] {
  return component.flags.flatMap(({ flag, why }) => (why === undefined ? [] : [`# ${flag}: ${why}`]))
}

/** A health query. If the server asks for a client certificate, the query shows the one of the probe. */
export function asks({ host, port, path, tls }: HttpProbe, ...options: readonly string[]): string {
  if (tls === undefined) return `curl -sf http://${host}:${port}${path}`
  const { trust, certificate, key } = tls
  const shown = certificate === undefined || key === undefined ? [] : ["--cert", certificate, "--key", key]
  const ca = shown.length === 0 ? pki.ca.certificate : (trust[0] ?? "")
  return ["curl", "-sf", "--cacert", ca, ...shown, ...options, `https://${host}:${port}${path}`].join(" ")
}

/**
 * Lines that make certificates and keys, which only their owner can read, unless a file of theirs exists.
 * @param folder a folder to create first
 */
export function madeOnce(file: string, commands: readonly (readonly string[])[], folder?: string): string[] {
  const lines = [
    ...(folder === undefined ? [] : [`mkdir -p ${folder}`]),
    "umask 077",
    ...commands.map((argv) => `${broken(argv.map(word))} 2>/dev/null`),
    "umask 022",
  ]
  return [`if [ ! -e ${file} ]; then`, ...lines.map((line) => `  ${line.replaceAll("\n", "\n  ")}`), "fi"]
}

/** An array of words in bash, in which a flag has another value. @param flag --name=value */
export function withOther(array: string, flag: string): string {
  return `"\${${array}[@]/#${flag.replace(/=.*/, "")}=*/${flag.replaceAll("/", "\\/")}}"`
}

/** A file as a heredoc. It is created with its mode, so that a secret is never readable by others. */
export function writes({ path, content, mode = 0o644 }: ComponentFile): string {
  const end = VARIABLE.test(content) ? "EOF" : "'EOF'"
  return `install -D -m ${mode.toString(8).padStart(4, "0")} /dev/stdin ${word(path)} <<${end}\n${content}EOF`
}

/** Sets the shell variable POD_IP to the address of the Pod hello. */
export const POD_IP = "POD_IP=$(kubectl get pod hello -o jsonpath='{.status.podIP}')"
