import { statSync } from "node:fs"
import { join, resolve } from "node:path"
import { UsageError } from "../base/errors.ts"
import { lessons } from "../curriculum/lessons.ts"
import { checkSubmission, type Checked } from "../submission/check.ts"
import { SCRIPTS, verdictsOf } from "../submission/compose.ts"
import type { Signature } from "../submission/signature.ts"
import { withGradedMachine } from "./graded-machine.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"

/** The options of verify, besides those that every command has. */
export interface VerifyOptions extends CommonOptions {
  /** A file in the format ALLOWED SIGNERS of ssh-keygen(1). */
  readonly signers?: string
  /** Who must have signed; by default the student whom the submission names. */
  readonly identity?: string
  /** Whether the scripts are graded here, and their verdicts compared. */
  readonly rerun?: boolean
}

/**
 * Checks whether a submission is as it was written, who signed it, and with --rerun whether its scripts have the same
 * verdicts here.
 * @throws UsageError
 */
export async function verify(given: string, options: VerifyOptions): Promise<Outcome> {
  const folder = resolve(given)
  const { signers, identity } = options
  if (signers !== undefined && statSync(signers, { throwIfNoEntry: false })?.isFile() !== true)
    throw new UsageError(
      `--signers ${signers} is not a file.`,
      "Name a file with a line for each signer: ID KEYTYPE KEY",
    )
  if (identity !== undefined && signers === undefined)
    throw new UsageError("--identity needs --signers.", "Name the file of allowed signers too.")
  const checked = await checkSubmission(
    folder,
    signers === undefined ? undefined : { file: resolve(signers), identity },
  )
  const others = options.rerun === true && checked.edited.length === 0 ? await rerun(folder, checked, options) : []
  const isTrusted = isGood(checked.signature, signers !== undefined)
  const isFine = checked.edited.length === 0 && isTrusted && others.length === 0
  const { manifest, edited, signature } = checked
  const count = Object.keys(manifest.files).length
  return {
    text: [
      ...(edited.length === 0
        ? [`Nothing was edited: all ${count} files have the digests of manifest.json.`]
        : ["This submission was edited:", ...edited.map((line) => `  ${line}`)]),
      sentenceOn(signature, identity ?? manifest.student, signers !== undefined),
      ...(options.rerun !== true
        ? []
        : edited.length > 0
          ? ["It was not graded again, because it was edited."]
          : others.length === 0
            ? ["Graded again here, its scripts have the same verdicts."]
            : ["Graded again here, these verdicts differ:", ...others.map((line) => `  ${line}`)]),
      `It claims ${manifest.points.reached} of ${manifest.points.most} points for ${manifest.student}, at ${manifest.created}.`,
      "",
    ].join("\n"),
    data: { isFine, student: manifest.student, points: manifest.points, edited, signature, verdictsThatDiffer: others },
    exitCode: isFine ? 0 : 1,
  }
}

/** A list of signers demands a signature of the right person; without it, a signature must only not be wrong. */
function isGood({ kind }: Signature, hasSigners: boolean): boolean {
  return kind === "good" || (!hasSigners && kind !== "bad")
}

function sentenceOn(signature: Signature, signedBy: string, hasSigners: boolean): string {
  switch (signature.kind) {
    case "none":
      return hasSigners
        ? "It is not signed."
        : "It is not signed: everybody could have written it, the digests included."
    case "unknown signer":
      return `Its signature is valid. The key is ${signature.by}; --signers FILE checks whose key that is.`
    case "good":
      return `${signedBy} has signed it, with the key ${signature.by}.`
    case "bad":
      return `It has no valid signature of ${signedBy}: ${signature.reason}.`
  }
}

/** The outcomes that have another verdict here. */
async function rerun(folder: string, { manifest }: Checked, options: VerifyOptions): Promise<string[]> {
  const settings = settingsOf({ ...options, kubernetes: options.kubernetes ?? manifest.kubernetes })
  return withGradedMachine(
    { folder: join(folder, SCRIPTS), settings, lessons, isQuiet: options.json === true },
    ({ result }) => {
      const here = verdictsOf(result)
      const ids = [...new Set([...Object.keys(manifest.verdicts), ...Object.keys(here)])]
      return Promise.resolve(
        ids
          .filter((id) => manifest.verdicts[id] !== here[id])
          .map((id) => `${id}: ${manifest.verdicts[id] ?? "not graded"} there, ${here[id] ?? "not graded"} here`),
      )
    },
  )
}
