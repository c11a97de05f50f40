/** A value that must not leave the machine. */
export interface Secret {
  readonly value: string
  /** Where it was found, such as /etc/kubernetes/tokens.csv. */
  readonly origin: string
}

/** A place in a file that contains a secret. The secret itself is in no message. */
export interface Leak {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** What it is, such as "a private key". */
  readonly what: string
}

/** Characters. A shorter value also occurs in ordinary words, so it cannot be searched for. */
export const SHORTEST = 8

/** What replaces a secret in a text that we write ourselves. */
const REDACTED = "[secret]"

/** A signed token (JWT), such as that of a ServiceAccount. */
export const SIGNED_TOKEN = /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/g

/** Forms that only secrets have, whatever their value is. The first one that matches a line names it. */
const FORMS: readonly (readonly [what: string, form: RegExp])[] = [
  ["a private key", /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:\\n|\s)*[A-Za-z0-9+/=]{16,}/g],
  ["a signed token (JWT)", SIGNED_TOKEN],
  ["a bearer token", /\bAuthorization["']?\s*[:=]\s*["']?Bearer\s+[\w.~+/-]{4,}=*/gi],
  ["a bearer token", /\bBearer\s+(?=[\w.~+/-]*\d)[\w.~+/-]{12,}=*/gi],
  ["a client key of a kubeconfig", /\bclient-key-data["']?\s*:\s*["']?[A-Za-z0-9+/]{16,}/g],
  [
    "a token or password of a kubeconfig",
    /(?:^|[\s{,"'])(?:token|password)["']?\s*:\s*["']?[^\s"'$<{[(…,}]{6,}(?=["']?\s*(?:[,}#]|\\n|$))/gm,
  ],
  ["a token or password on a command line", /--(?:token|password)[= ]["']?(?![-$<"'])[^\s"'$<[…]{6,}/g],
  ["a line of a token file", /^\s*["']?[^\s,"'$#<]{4,},[^,\s]+,[^,\s]+,"?[^\n"]*\bsystem:/gm],
  ["an encryption key", /\bsecret["']?\s*:\s*["']?[A-Za-z0-9+/]{21,}=*/g],
  ["a bootstrap token", /\b[a-z0-9]{6}\.(?=[a-z]*\d)[a-z0-9]{16}\b/g],
  [
    "an access token of GitHub, GitLab or AWS",
    /\b(?:gh[pousr]_\w{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|AKIA[0-9A-Z]{16})\b/g,
  ],
]

/** Text in base64, which can contain a secret in another form. */
const BASE64 = /[A-Za-z0-9+/_-]{20,}={0,2}/g
/** How often a text that is encoded in base64 is decoded: client-key-data in a kubeconfig in a Secret. */
const DEEPEST = 3

/**
 * Finds secrets in a text: by value, as they are or in base64, and by form.
 * @param file the name that the leaks have
 * @returns one leak for each line and kind
 */
export function leaksIn(file: string, text: string, secrets: readonly Secret[]): Leak[] {
  const found = new Map<string, Leak>()
  const add = (at: number, what: string) => {
    const line = text.slice(0, at).split("\n").length
    found.set(`${line} ${what}`, { file, line, what })
  }
  for (const { at, what } of secretsIn(text, secrets)) add(at, what)
  for (const { index, 0: run } of text.matchAll(BASE64))
    for (const what of new Set(inBase64(run, secrets, DEEPEST))) add(index, `${what}, in base64`)
  return [...found.values()].toSorted((a, b) => a.line - b.line)
}

/** The text without the secrets of known values. Texts of programs are changed, scripts are not. */
export function redacted(text: string, secrets: readonly Secret[]): string {
  // A long value can contain a short one.
  const values = linesOf(secrets)
    .map(({ value }) => value)
    .toSorted((a, b) => b.length - a.length)
  return values.reduce((safe, value) => safe.replaceAll(value, REDACTED), text)
}

function secretsIn(text: string, secrets: readonly Secret[]): { at: number; what: string }[] {
  const byValue = linesOf(secrets).flatMap(({ value, origin }) =>
    placesOf(value, text).map((at) => ({ at, what: `a secret of ${origin}` })),
  )
  const byForm = FORMS.flatMap(([what, form]) =>
    [...text.matchAll(form)].map(({ index, 0: match }) => {
      // A match can begin with the line break before it.
      return { at: index + (match.length - match.trimStart().length), what }
    }),
  )
  return [...byValue, ...byForm]
}

/** The secrets in a run of characters of base64. What precedes the encoded text, such as a path, shifts its beginning. */
function inBase64(run: string, secrets: readonly Secret[], depth: number): string[] {
  if (depth === 0) return []
  return [0, 1, 2, 3].flatMap((shift) => {
    const text = Buffer.from(run.slice(shift), "base64").toString("latin1")
    const inner = [...text.matchAll(BASE64)].flatMap(({ 0: deeper }) => inBase64(deeper, secrets, depth - 1))
    return [...secretsIn(text, secrets).map(({ what }) => what), ...inner]
  })
}

function placesOf(value: string, text: string): number[] {
  const places: number[] = []
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + value.length)) places.push(at)
  return places
}

/** A private key has many lines, and each of them is a part of the secret. */
function linesOf(secrets: readonly Secret[]): Secret[] {
  return secrets.flatMap(({ value, origin }) =>
    value
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line.length >= SHORTEST && !line.startsWith("-----"))
      .map((line) => ({ value: line, origin })),
  )
}
