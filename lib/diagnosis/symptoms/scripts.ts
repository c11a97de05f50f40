import { near } from "../../base/nearest.ts"
import { commandAt } from "../../base/shell.ts"
import { learnersSpecs, type ComponentName } from "../../components/registry.ts"
import { absolute } from "../../components/settings/flags.ts"
import type { ComponentFailure, ScriptPlace } from "../../failures/failure.ts"
import { kubeconfigOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { openQuoteIn, SCRIPTS_FOLDER } from "../scripts.ts"
import { symptom, type Symptom } from "../symptom.ts"

// What bash says about a learner's script, and what the script's own text shows. bash prints "FILE: line N: WORDS".

/** An error of bash. */
interface BashError {
  readonly evidence: string
  readonly file: string
  readonly line: string
  readonly words: string
}

/** Rows for each component that a learner's scripts start. They come before the component's own rows. */
export const scripts: readonly Symptom[] = learnersSpecs
  .flatMap(({ name, program }) => [
    symptom({
      id: "script-syntax",
      component: name,
      // "syntax error at or near" is what awk says of its own program.
      sign: (seen) => {
        const shown = bashError(seen, name, /^(?:syntax error(?! at or near)|unexpected EOF)/)
        const isQuote = shown !== undefined && /matching [`']["']'/.test(shown.words)
        const open = isQuote
          ? openQuoteIn(seen.files[absolute({ cwd: SCRIPTS_FOLDER }, shown.file) ?? ""] ?? "")
          : undefined
        return (
          shown && {
            ...shown,
            correct:
              open === undefined
                ? `Correct line ${shown.line} of ${shown.file}, or the lines above it: a quote, bracket, do, then, done or fi is missing or too much.`
                : `Close the quote: the first one that does not end on its own line is in line ${open.line} (${open.text}).`,
          }
        )
      },
      cause: ({ file, line, words }) => `bash cannot read ${file}: ${words} (line ${line})`,
      remedy: ({ file, correct }) => `${correct} Check it with: bash -n ${file}`,
      look: ({ file }) => `bash -n ${file}`,
    }),
    symptom({
      id: "blank-after-backslash",
      component: name,
      sign: (seen) => blankAfterBackslash(seen, name),
      cause: ({ file, line }) =>
        `in line ${line} of ${file}, a blank follows the backslash, so the command ends there and the next line is not part of it`,
      remedy: ({ file }) => `Remove the blanks at the ends of lines: sed -i 's/[[:blank:]]*$//' ${file}`,
      look: ({ file }) => `cat -A ${file}`,
    }),
    symptom({
      id: "line-not-continued",
      component: name,
      sign: (seen) => bashError(seen, name, /^-{1,2}[\w-]+\S*: /),
      cause: ({ file, line, words }) =>
        `in line ${line} of ${file}, bash takes a flag for a command (${words}): the line above does not end in a backslash`,
      remedy: ({ file, line }) => `End the line above line ${line} of ${file} with a blank and a backslash.`,
      look: ({ file, line }) => `sed -n '1,${line}p' ${file} | cat -A`,
    }),
    symptom({
      id: "program-mistyped",
      component: name,
      sign: (seen) => {
        const shown = bashError(seen, name, /: (?:command not found|No such file or directory|Permission denied)$/)
        const word = shown?.words.replace(/: [^:]*$/, "") ?? ""
        const isMeant = near(word.split("/").at(-1) ?? "", [program]) !== undefined
        return shown === undefined || !isMeant ? undefined : { ...shown, word }
      },
      cause: ({ file, line, word }) => `line ${line} of ${file} runs ${word}, and there is no such program`,
      remedy: ({ file, line, word }) => `Write ${program} instead of ${word} in line ${line} of ${file}.`,
      look: `type -a ${program}`,
    }),
    symptom({
      id: "command-not-found",
      component: name,
      sign: (seen) => {
        const shown = bashError(seen, name, /: command not found$/)
        const isOver = seen.failure?.kind === "script-ended" && String(seen.failure.place?.line) === shown?.line
        if (shown === undefined || !isOver) return undefined
        const word = shown.words.replace(/: [^:]*$/, "")
        const meant = functionNear(seen, name, word)
        return {
          ...shown,
          word,
          lacks: meant === undefined ? "program" : `program or function; line ${meant.line} defines ${meant.name}`,
          remedy:
            meant === undefined
              ? `Correct the name, or do without ${word}: it is not on this machine.`
              : `Write the same name in both lines: ${meant.name} in line ${meant.line}, ${word} in line ${shown.line}.`,
        }
      },
      cause: ({ file, line, word, lacks }) =>
        `line ${line} of ${file} runs ${word}, and there is no such ${lacks}, so the script ends before it starts ${name}`,
      remedy: ({ remedy }) => remedy,
      look: ({ word }) => `type -a ${word}`,
    }),
    symptom({
      id: "log-folder-missing",
      component: name,
      sign: (seen) => {
        const shown = bashError(seen, name, /: No such file or directory$/)
        const place = placeOf(seen, name)
        const path = shown?.words.replace(/: [^:]*$/, "") ?? ""
        const command = place === undefined ? "" : textFrom(seen, place)
        const isRedirected = shown !== undefined && command.includes(`>${path}`)
        return isRedirected ? { ...shown, path, folder: path.replace(/\/[^/]*$/, "") } : undefined
      },
      cause: ({ file, line, path }) =>
        `line ${line} of ${file} sends output to ${path}, whose folder does not exist, so bash does not start ${name}`,
      remedy: ({ folder, line, file }) => `Create the folder above line ${line} of ${file}: mkdir -p ${folder}`,
      look: ({ folder }) => `ls -ld ${folder}`,
    }),
  ])
  .concat(
    symptom({
      id: "kubeconfig-below",
      component: "kube-apiserver",
      sign: kubeconfigBelow,
      cause: ({ file, line, below }) =>
        `${file} runs kube-apiserver in line ${line} and waits until it ends, so it never comes to line ${below}, which writes the kubeconfig`,
      remedy: ({ below, line }) =>
        `Move what line ${below} does above line ${line}, or end the command of line ${line} with a blank and "&".`,
      look: ({ file, line }) => `sed -n '${line},$p' ${file}`,
    }),
    symptom({
      id: "kubeconfig-missing",
      component: "kube-apiserver",
      sign: (seen) => {
        const { failure } = seen
        return failure?.kind === "not-ready" && failure.tried?.length === 0 && kubeconfigOf(seen) === undefined
          ? { evidence: `${seen.kubeconfigPath}: No such file or directory` }
          : undefined
      },
      cause: (_, seen) =>
        `no kubeconfig was written: neither ${seen.kubeconfigPath} nor another one exists, so no administrator can reach kube-apiserver`,
      remedy: (_, seen) =>
        `Write ${seen.kubeconfigPath} in the script that starts kube-apiserver: the server's address, its CA and a token or client certificate. See: npx byhand hint 02`,
      look: (_, seen) => `ls -l ${seen.kubeconfigPath}; ls -R /etc/kubernetes`,
    }),
  )

/** The failure, if it belongs to a component. */
function failureOf({ failure }: Observation, name: ComponentName): ComponentFailure | undefined {
  return failure !== undefined && "log" in failure && failure.name === name ? failure : undefined
}

function placeOf(seen: Observation, name: ComponentName): ScriptPlace | undefined {
  const failure = failureOf(seen, name)
  return failure !== undefined && "place" in failure ? failure.place : undefined
}

/** The first error that bash printed about the component's script. @param pattern what the error must match */
function bashError(seen: Observation, name: ComponentName, pattern: RegExp): BashError | undefined {
  for (const evidence of [...(failureOf(seen, name)?.bash ?? []), ...notFoundIn(seen, name)]) {
    const [, file = "", line = "", said = ""] = /^(\S+): line (\d+): (.+)$/.exec(evidence) ?? []
    const words = said.replace(/^exec: (.+): not found$/, "$1: command not found")
    if (words !== "" && pattern.test(words)) return { evidence, file, line, words }
  }
  return undefined
}

/** The function of a component's script whose name is nearly this word. */
function functionNear(seen: Observation, name: ComponentName, word: string) {
  const text = seen.files[placeOf(seen, name)?.file ?? ""] ?? ""
  const functions = text.split("\n").flatMap((line, at) => {
    const found = /^\s*(?:function\s+)?([\w-]+)\s*\(\)/.exec(line)?.[1]
    return found === undefined ? [] : [{ name: found, line: at + 1 }]
  })
  const meant = near(
    word,
    functions.map((one) => one.name),
  )
  return functions.find((one) => one.name === meant)
}

/** The status with which bash reports a command that it does not find. */
const NOT_FOUND = 127

/**
 * What bash says of the command that ended a script, if it did not find it. The command may hide that (2>/dev/null).
 */
function notFoundIn(seen: Observation, name: ComponentName): string[] {
  const failure = failureOf(seen, name)
  const place = placeOf(seen, name)
  if (failure?.kind !== "script-ended" || failure.exit.code !== NOT_FOUND || place === undefined) return []
  const word = place.command.split(/\s+/).find((one) => one !== "exec") ?? ""
  return [`${place.file}: line ${place.line}: ${word}: command not found`]
}

/** The text of a script from a command on; empty if the script is not observed. */
function textFrom({ files }: Observation, { file, line }: ScriptPlace): string {
  return (files[file] ?? "")
    .split("\n")
    .slice(line - 1)
    .join("\n")
}

/** A line that ends in a backslash and blanks, in the command that starts the component. */
function blankAfterBackslash(seen: Observation, name: ComponentName) {
  const place = placeOf(seen, name)
  const isWell = failureOf(seen, name) === undefined || place === undefined
  if (isWell) return undefined
  const lines = commandAt(seen.files[place.file] ?? "", place.line).split("\n")
  const end = lines.length - 1
  const text = lines[end] ?? ""
  return /\\[ \t]+$/.test(text)
    ? { evidence: `${JSON.stringify(text)}`, file: place.file, line: String(place.line + end) }
    : undefined
}

/** kube-apiserver runs in the foreground, and its script would write the kubeconfig afterwards. */
function kubeconfigBelow(seen: Observation) {
  const { failure } = seen
  if (failure?.kind !== "not-ready" || failure.tried?.length !== 0 || failure.place === undefined) return undefined
  const { file, line, command } = failure.place
  const lines = textFrom(seen, failure.place).split("\n")
  const end = commandAt(lines.join("\n"), 1).split("\n").length - 1
  const below = lines.findIndex((text, at) => at > end && /kubeconfig|\.kube\b|kubectl config|kind: Config/.test(text))
  return below === -1
    ? undefined
    : { evidence: `line ${line}: ${command}`, file, line: String(line), below: String(line + below) }
}
