import { learnersSpecs } from "../../components/registry.ts"
import type { Observation } from "../observation.ts"
import { lateHeredocsOf, scriptsOf, SCRIPTS_FOLDER, startCommandsOf, type StartCommand } from "../scripts.ts"
import { componentOf, concerns, first, isUnwell, matched, symptom, AT_ONCE, type Symptom } from "../symptom.ts"

/** Programs that belong to hosts with an init system. A machine of the lessons has none. */
const OF_INIT = "systemctl|service|journalctl|loginctl|initctl|rc-service"

/**
 * Problems of a learner's scripts, before any component can have one. Each is proved by what bash, or the component that
 * got the wrong words, says.
 */
export const scriptText: readonly Symptom[] = [
  symptom({
    id: "windows-line-ends",
    component: undefined,
    sign: (seen) => {
      if (!isOfComponent(seen)) return undefined
      const said = matched(saidIn(seen), /(.*(?:\r|\^M|\\r|%0D).*)/)
      const inWords = seen.components.some(({ argv }) => argv.some((word) => word.includes("\r")))
      const scripted = scriptsOf(seen).filter(({ text }) => text.includes("\r\n"))
      // Other files do harm only where a script reads words from them.
      const others = said === undefined && !inWords ? [] : filesWithReturns(seen)
      const all = [...scripted, ...others]
      const [one] = all
      if (one === undefined) return undefined
      const count = one.text.split("\r\n").length - 1
      return {
        evidence: `${one.name}: ${count} lines end in \\r\\n${said === undefined ? "" : `; ${JSON.stringify(said.evidence)}`}`,
        names: all.map(({ name }) => name).join(" "),
      }
    },
    cause: ({ names }) =>
      `the lines of ${names} have Windows line endings (CRLF), and the carriage return becomes a part of the last word of each line`,
    remedy: ({ names }) =>
      `sed -i 's/\\r$//' ${names}, and let the editor and git write LF: git config core.autocrlf input`,
    look: ({ names }) => `grep -c $'\\r' ${names}`,
  }),
  symptom({
    id: "no-systemd",
    component: undefined,
    sign: (seen) => {
      if (!isOfComponent(seen)) return undefined
      const line = matched(
        scriptsOf(seen).flatMap(({ name, text }) => text.split("\n").map((one) => `${name}: ${one.trim()}`)),
        new RegExp(`^(\\S+): (?:sudo +)?(${OF_INIT}) `),
        "script",
        "program",
      )
      const said = matched(
        saidIn(seen),
        new RegExp(
          `((?:${OF_INIT}): (?:command )?not found|not been booted with systemd.*|Failed to connect to (?:\\w+ )*bus.*|Failed to \\w+ \\S+\\.service.*)`,
        ),
      )
      return line === undefined || said === undefined
        ? undefined
        : { ...line, evidence: `${line.evidence}; ${said.evidence}`, unit: unitIn(seen) ?? "the command of its unit" }
    },
    cause: ({ script, program }) =>
      `${script} asks an init system (systemd) to start the component with ${program}, and none runs on this machine: a script starts its component itself`,
    remedy: ({ unit }) =>
      `Replace the systemctl lines with the command itself, in the background or with exec: ${unit}`,
    look: ({ script }) => `grep -n systemctl ${script}; ps -p 1`,
  }),
  symptom({
    id: "sudo-missing",
    component: undefined,
    sign: (seen) =>
      isOfComponent(seen)
        ? matched(saidIn(seen), /(\S+\.sh): line (\d+): sudo: command not found/, "script", "line")
        : undefined,
    cause: ({ script, line }) => `line ${line} of ${script} uses sudo, which this machine does not have`,
    remedy: "The scripts already run as root: remove sudo.",
    look: ({ script }) => `grep -n sudo ${script}; id -un`,
  }),
  symptom({
    id: "heredoc-without-end",
    component: undefined,
    sign: (seen) =>
      isOfComponent(seen)
        ? matched(
            saidIn(seen),
            /(\S+\.sh): line \d+: warning: here-document at line (\d+) delimited by end-of-file \(wanted .(\w+).\)/,
            "script",
            "line",
            "word",
          )
        : undefined,
    cause: ({ script, line, word }) =>
      `the heredoc that begins in line ${line} of ${script} has no end: no line below it consists of ${word} alone, so the rest of the script is part of it`,
    remedy: ({ word }) => `Write ${word} alone on a line, without blanks before or after it.`,
    look: ({ script, word }) => `grep -n ${word} ${script} | cat -A`,
  }),
  symptom({
    id: "heredoc-ends-late",
    component: undefined,
    lasting: AT_ONCE,
    sign: (seen) =>
      isOfComponent(seen)
        ? first(lateHeredocsOf(seen), ({ script, line, word, meant }) =>
            JSON.stringify(seen.failure).includes(script)
              ? {
                  evidence: `${script}:${meant.line}: ${meant.text}`,
                  script,
                  line: String(line),
                  word,
                  at: String(meant.line),
                  where: meant.isLike ? `into line ${meant.line}` : `below line ${meant.line}`,
                }
              : undefined,
          )
        : undefined,
    cause: ({ script, line, word, at }) =>
      `the heredoc that begins in line ${line} of ${script} does not end at line ${at}, because that line is not ${word} alone: the commands below it are part of the text`,
    remedy: ({ word, where, script }) =>
      `Write ${word} alone ${where} of ${script}, without blanks before or after it.`,
    look: ({ script, word }) => `grep -n ${word} ${script} | cat -A`,
  }),
  symptom({
    id: "variable-unset",
    component: undefined,
    sign: (seen) =>
      isOfComponent(seen)
        ? matched(saidIn(seen), /(\S+\.sh): line (\d+): (\w+): unbound variable/, "script", "line", "variable")
        : undefined,
    cause: ({ script, line, variable }) =>
      `line ${line} of ${script} uses the variable ${variable}, which has no value`,
    remedy: ({ variable }) =>
      `Set ${variable} before that line. Each script runs in a shell of its own: variables of another script are not there.`,
    look: ({ script, variable }) => `grep -n ${variable} ${script}`,
  }),
]

/** Commands that end before their flags do, where the component has run without them. */
export const continuations: readonly Symptom[] = learnersSpecs.map(({ name }) =>
  symptom({
    id: "continuation-broken",
    component: name,
    sign: (seen) =>
      first(startCommandsOf(seen), (command) => {
        if (command.component !== name || command.broken === undefined || !isShort(seen, command)) return undefined
        const { line, text, how } = command.broken
        const said = matched(
          saidIn(seen),
          /(--?[\w-]+\S*: command not found|does not take any arguments.*|is not a valid flag)/,
        )
        return {
          evidence: `${command.script}:${line}: ${text}${said === undefined ? "" : `; ${said.evidence}`}`,
          place: `line ${line} of ${command.script}`,
          script: command.script,
          line: String(line),
          how: HOW[how],
          remedy: REMEDY[how],
          lost: command.lost.join(" "),
        }
      }),
    cause: ({ place, how, lost }) =>
      `the command that starts ${name} ends at ${place}: ${how}. It does not get ${lost}`,
    remedy: ({ remedy, place }) => `${remedy} (${place})`,
    look: ({ script, line }) => `sed -n ${line}p ${script} | cat -A; bash -x ${script}`,
  }),
)

const HOW = {
  blank: "a blank follows its backslash, so the backslash does not continue the line",
  doubled: "it ends in two backslashes, which are an argument and continue nothing",
  comment: "a comment stands there, and a backslash inside a comment continues nothing",
  missing: "it has no backslash at its end, although flags follow",
} as const

const REMEDY = {
  blank: "Remove the blank after the backslash",
  doubled: "Write one backslash",
  comment: "Move the comment above the command",
  missing: "End the line with one backslash",
} as const

/** Other files of the learner's folder that have Windows line endings. */
function filesWithReturns({ files }: Observation): { name: string; text: string }[] {
  return Object.entries(files)
    .filter(([path, text]) => path.startsWith(`${SCRIPTS_FOLDER}/`) && !path.endsWith(".sh") && text.includes("\r\n"))
    .map(([path, text]) => ({ name: path.slice(SCRIPTS_FOLDER.length + 1), text }))
}

/** Whether what failed is the start of a component. */
function isOfComponent({ failure }: Observation): boolean {
  return failure !== undefined && "log" in failure
}

/** What a failed start printed: bash's words and the component's. */
function saidIn({ failure }: Observation): readonly string[] {
  return failure !== undefined && "log" in failure ? [...(failure.bash ?? []), ...failure.log] : []
}

/** Whether the component lacks what the command lost: it runs without those flags, or its start is what failed. */
function isShort(seen: Observation, { component: name, lost }: StartCommand): boolean {
  const component = componentOf(seen, name)
  if (seen.failure === undefined || component === undefined) return false
  if (component.state === "running")
    return lost.length > 0 && !component.argv.some((word) => lost.some((flag) => word.startsWith(flag)))
  return concerns(seen, name) || isUnwell(component)
}

/** The command of a systemd unit that a script writes. */
function unitIn(seen: Observation): string | undefined {
  for (const { text } of scriptsOf(seen)) {
    const command = /^ExecStart=(.*)$/m.exec(text)?.[1]
    if (command !== undefined) return command.replace(/\\$/, "…")
  }
  return undefined
}
