import { parse as parseToml } from "smol-toml"
import { parse as parseYaml } from "yaml"

/**
 * A configuration file as data. Its values are read by the path of their keys. A file that cannot be parsed has no
 * values.
 */
export class Document {
  readonly #value: unknown

  constructor(value: unknown) {
    this.#value = value
  }

  /**
   * Prints no warnings: a text can be anything.
   * @param text YAML or JSON, because JSON is a subset of YAML. Of a key that is there twice the last value counts, as in
   * components that read such a file with a warning.
   */
  static yaml(text: string | undefined): Document {
    return new Document(parsed(text, (whole) => parseYaml(whole, { uniqueKeys: false, logLevel: "error" }) as unknown))
  }

  static toml(text: string | undefined): Document {
    return new Document(parsed(text, parseToml))
  }

  /** The value at these keys. Undefined if there is none. */
  at(...keys: readonly string[]): unknown {
    return keys.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), this.#value)
  }

  /** The keys of a table. None if this is another kind of value. */
  keys(): string[] {
    return isRecord(this.#value) ? Object.keys(this.#value) : []
  }

  /**
   * The text at these keys. A number is converted to text. Undefined if there is no text or number, or if the text is
   * empty.
   */
  text(...keys: readonly string[]): string | undefined {
    const value = this.at(...keys)
    if (typeof value === "number") return String(value)
    return typeof value === "string" && value !== "" ? value : undefined
  }

  number(...keys: readonly string[]): number | undefined {
    const value = Number(this.text(...keys) ?? Number.NaN)
    return Number.isNaN(value) ? undefined : value
  }

  boolean(...keys: readonly string[]): boolean | undefined {
    const value = this.at(...keys)
    return typeof value === "boolean" ? value : undefined
  }

  texts(...keys: readonly string[]): string[] {
    const value = this.at(...keys)
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : []
  }

  /** The items of the list at these keys. None if this is another kind of value. */
  items(...keys: readonly string[]): Document[] {
    const value = this.at(...keys)
    return Array.isArray(value) ? (value as unknown[]).map((one) => new Document(one)) : []
  }

  /**
   * Merges this document with another one. The values of the other document replace those of this one. Tables are
   * merged.
   */
  under(other: Document): Document {
    return new Document(merged(this.#value, other.#value))
  }
}

function parsed(text: string | undefined, parse: (text: string) => unknown): unknown {
  if (text === undefined) return undefined
  try {
    return parse(text)
  } catch {
    return undefined // The component also refuses the file, and says why.
  }
}

function merged(below: unknown, above: unknown): unknown {
  if (above === undefined) return below
  if (!isRecord(below) || !isRecord(above)) return above
  const keys = new Set([...Object.keys(below), ...Object.keys(above)])
  return Object.fromEntries([...keys].map((key) => [key, merged(below[key], above[key])]))
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
