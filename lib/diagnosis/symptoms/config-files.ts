import { parseDocument } from "yaml"
import { learnersSpecs, type ComponentName } from "../../components/registry.ts"
import type { Observation } from "../observation.ts"
import { componentOf, concerns, isUnwell, matched, symptom, type Symptom } from "../symptom.ts"
import { filesOf, originOf, type WrittenLine } from "../written.ts"

/** What a component says of a configuration file that it cannot read; containerd's files are TOML. */
const UNREADABLE =
  /((?:error converting YAML to JSON: )?yaml: (?:line \d+: |unmarshal errors:).*?|strict decoding error: .*?|error unmarshaling JSON: .*?|json: cannot unmarshal .*?|couldn't get version\/kind.*?|no kind "[^"]*" is registered.*?)"?\}?$/

/** Configuration files that cannot be read, with the line, and with the script that wrote it. */
export const configFiles: readonly Symptom[] = learnersSpecs
  .filter(({ name }) => name !== "containerd")
  .map(({ name }) =>
    symptom({
      id: "config-unparsable",
      component: name,
      sign: (seen) => unreadable(seen, name),
      cause: ({ path, reason }) => `${name} cannot read ${path}: ${reason}`,
      remedy: ({ where }) => `Correct ${where}. In YAML, indentation counts.`,
      look: ({ path }) => `cat -n ${path}`,
    }),
  )

function unreadable(seen: Observation, name: ComponentName) {
  const component = componentOf(seen, name)
  if (component === undefined || !(concerns(seen, name) || isUnwell(component))) return undefined
  const log = [...component.log, ...(seen.failure !== undefined && "log" in seen.failure ? seen.failure.log : [])]
  const said = matched(log.toReversed(), UNREADABLE, "reason")
  if (said === undefined) return undefined
  const paths = filesOf(seen, component)
  // Of several files, the one that the line names, or the one with a mistake.
  const path =
    paths.find((one) => said.evidence.includes(one)) ?? paths.find((one) => mistakeIn(seen, one) !== undefined)
  if (path === undefined) return undefined
  const reason = said.reason.replaceAll('\\"', '"')
  const place = placeIn(seen, path, reason)
  return {
    evidence: place === undefined ? said.evidence : `${place.file}:${place.line}: ${place.text}; ${said.evidence}`,
    path,
    reason,
    where: place === undefined ? path : `line ${place.line} of ${place.file}`,
  }
}

/** The line of a file that cannot be parsed, from 1. */
function mistakeIn({ files }: Observation, path: string): number | undefined {
  const [error] = parseDocument(files[path] ?? "").errors
  return error?.linePos?.[0].line
}

/** The line that is meant: in the script that wrote the file, in the learner's folder, or in the file itself. */
function placeIn(seen: Observation, path: string, reason: string): WrittenLine | undefined {
  const [field] =
    /unknown field "(?:.*\.)?([^".]+)"|into Go struct field \S*\.(\S+) of/.exec(reason)?.slice(1).filter(Boolean) ?? []
  const lines = (seen.files[path] ?? "").split("\n")
  const ofField = field === undefined ? -1 : lines.findIndex((line) => line.includes(field))
  const at = ofField >= 0 ? ofField + 1 : (mistakeIn(seen, path) ?? Number(/\bline (\d+)/.exec(reason)?.[1] ?? 0))
  return originOf(seen, path, at)
}
