import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { UsageError } from "../base/errors.ts"
import { differences, filesOf, MANIFEST, manifestSchema, SIGNATURE, type Manifest } from "./manifest.ts"
import { checkSignature, type Signature } from "./signature.ts"

/** What was found about a submission. */
export interface Checked {
  readonly manifest: Manifest
  /** What was edited, a line for each file; empty if nothing was. */
  readonly edited: readonly string[]
  readonly signature: Signature
}

/**
 * Compares a submission with its manifest, and checks the signature of that.
 * @param signers the file of allowed signers, and who must have signed; by default the student whom the manifest names
 * @throws UsageError if the folder is no submission
 */
export async function checkSubmission(
  folder: string,
  signers?: { readonly file: string; readonly identity: string | undefined },
): Promise<Checked> {
  const bytes = await readFile(join(folder, MANIFEST)).catch(() => undefined)
  if (bytes === undefined)
    throw new UsageError(
      `${folder} is no submission: it has no ${MANIFEST}.`,
      "Name the folder that byhand submit has written. Unpack an archive first: tar xzf SUBMISSION.tar.gz",
    )
  const manifest = parsed(bytes, folder)
  const files = await filesOf(folder)
  return {
    manifest,
    edited: differences(files, manifest),
    signature: files.has(SIGNATURE)
      ? await checkSignature(folder, bytes, signers && { ...signers, identity: signers.identity ?? manifest.student })
      : { kind: "none" },
  }
}

function parsed(bytes: Buffer, folder: string): Manifest {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString()))
  } catch (error) {
    throw new UsageError(
      `The ${MANIFEST} of ${folder} cannot be read: it is of another version, or was edited.`,
      "Ask for the submission again, or check it with the version of byhand that has written it.",
      { cause: error },
    )
  }
}
