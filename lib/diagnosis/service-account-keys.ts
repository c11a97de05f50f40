import { quote } from "../base/shell.ts"
import type { ObservedComponent } from "./observation.ts"
import { flagOf } from "./symptom.ts"

// The keys of ServiceAccount tokens. Private keys are not observed: openssl prints the public key that belongs to one.

/** The files with the private key with which kube-controller-manager signs tokens. */
export function signingKeysIn(components: readonly ObservedComponent[]): string[] {
  const manager = components.find(({ name }) => name === "kube-controller-manager")
  const path = flagOf(manager, "--service-account-private-key-file")
  return path === undefined || path === "" ? [] : [path]
}

/** The files with the keys with which kube-apiserver verifies tokens. The flag can be given several times. */
export function verifyingKeysOf({ argv }: ObservedComponent): string[] {
  return argv.flatMap((word, at) => {
    const found = /^--?service-account-key-file(?:=(.*))?$/.exec(word)
    return found === null ? [] : [found[1] ?? argv[at + 1] ?? ""]
  })
}

/** The command that prints the public key of a private key. */
export function publicKeyOf(path: string): string {
  return `openssl pkey -pubout -in ${quote([path])}`
}

/** The public keys in a text in PEM format, without line breaks. */
export function publicKeysIn(text: string): string[] {
  return [...text.matchAll(/-----BEGIN PUBLIC KEY-----([^-]+)-----END PUBLIC KEY-----/g)].map(([, body = ""]) =>
    body.replaceAll(/\s/g, ""),
  )
}
