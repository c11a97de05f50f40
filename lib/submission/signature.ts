import { execa } from "execa"
import { join } from "node:path"
import { messageOf, RemediedError } from "../base/errors.ts"
import { MANIFEST, SIGNATURE } from "./manifest.ts"

/** The purpose of the signature: a signature for another purpose, such as a git commit, does not count. */
const NAMESPACE = "byhand-submission"

/** The manifest could not be signed. */
class SigningError extends RemediedError {}

/**
 * Signs the manifest in a folder with an ssh key. ssh-keygen asks for a passphrase on the terminal; a public key's file
 * means the key in the agent.
 * @throws SigningError
 */
export async function sign(folder: string, key: string): Promise<void> {
  await sshKeygen(["-Y", "sign", "-n", NAMESPACE, "-f", key, join(folder, MANIFEST)], "inherit").catch(
    (error: unknown) => {
      throw new SigningError(
        `The submission could not be signed with ${key}: ${messageOf(error)}.`,
        "Name an ssh key, such as ~/.ssh/id_ed25519. Make one with: ssh-keygen -t ed25519",
      )
    },
  )
}

/** What a signature says. */
export type Signature =
  | { readonly kind: "none" }
  /** It is a signature of this manifest. `by` is the fingerprint of the key. It is not known whose key that is. */
  | { readonly kind: "unknown signer"; readonly by: string }
  /** It is the signature of a person that the list of signers allows. */
  | { readonly kind: "good"; readonly by: string }
  | { readonly kind: "bad"; readonly reason: string }

/**
 * Checks the signature of a manifest.
 * @param manifest the bytes that must have been signed
 * @param signers a file in the format ALLOWED SIGNERS of ssh-keygen(1), and the identity in it that must have signed;
 * undefined if any key counts
 */
export async function checkSignature(
  folder: string,
  manifest: Buffer,
  signers?: { readonly file: string; readonly identity: string },
): Promise<Signature> {
  const signature = join(folder, SIGNATURE)
  const common = ["-n", NAMESPACE, "-s", signature]
  try {
    const { stdout } =
      signers === undefined
        ? await sshKeygen(["-Y", "check-novalidate", ...common], manifest)
        : await sshKeygen(["-Y", "verify", "-f", signers.file, "-I", signers.identity, ...common], manifest)
    const by = /SHA256:\S+/.exec(stdout)?.[0] ?? ""
    return { kind: signers === undefined ? "unknown signer" : "good", by }
  } catch (error) {
    return { kind: "bad", reason: messageOf(error).replace(/\.$/, "") }
  }
}

async function sshKeygen(words: readonly string[], input: Buffer | "inherit"): Promise<{ stdout: string }> {
  const result = await execa("ssh-keygen", words, {
    reject: false,
    ...(input === "inherit" ? { stdin: "inherit" } : { input }),
  })
  if (result.exitCode === 0) return { stdout: result.stdout }
  if (result.code === "ENOENT") throw new Error("ssh-keygen is not installed (Debian: openssh-client)")
  throw new Error(
    `${result.stderr}\n${result.stdout}`.trim().split("\n").at(0) ?? `exit status ${result.exitCode ?? ""}`,
  )
}
