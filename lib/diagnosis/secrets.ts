import { Document } from "../base/document.ts"
import { remembered } from "./facts.ts"
import type { Observation } from "./observation.ts"
import { componentOf, flagOf } from "./symptom.ts"

/**
 * Fields of YAML and JSON files whose values are secret: of kubeconfigs, and of kube-apiserver's encryption
 * configuration.
 */
const SECRET_FIELDS = new Set(["token", "password", "client-key-data", "secret"])
/** Characters; a shorter value would also be found inside ordinary words. */
const SHORTEST = 8
/** A variable that was not expanded is no secret: findings name it. */
const VARIABLE = /^\$\{?\w+\}?$/

/** Every secret in the observed files: tokens, passwords, keys. */
export const secretsOf = remembered((seen): string[] => {
  const tokenFile = flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
  const secrets = Object.entries(seen.files).flatMap(([path, text]) =>
    path === tokenFile || /token/i.test(path)
      ? text.split("\n").map((line) => line.split(",")[0] ?? "")
      : text.includes("BEGIN CERTIFICATE")
        ? []
        : secretsIn(Document.yaml(text).at()),
  )
  return [...new Set(secrets)].filter((secret) => secret.length >= SHORTEST && !VARIABLE.test(secret))
})

function secretsIn(tree: unknown): string[] {
  if (typeof tree !== "object" || tree === null) return []
  return Object.entries(tree).flatMap(([field, value]) =>
    typeof value === "string" ? (SECRET_FIELDS.has(field) ? [value] : []) : secretsIn(value),
  )
}

/** A function that replaces every secret of an observation in a text by "…". */
export function hider(seen: Observation): (text: string) => string {
  const secrets = secretsOf(seen)
  return (text) => secrets.reduce((safe, secret) => safe.replaceAll(secret, "…"), text)
}
