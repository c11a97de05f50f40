import { escaped } from "../report/xml-text.ts"

/** Text that is HTML already. Everything else is escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Characters that make a reader see a text, or what follows it, in another order. */
const REORDERS = /[\u202a-\u202e\u2066-\u2069]/g

type Value = string | number | Html | readonly Html[]

/**
 * HTML from a template. Values are escaped, unless they are HTML. Attributes must be written in double quotes. The
 * templates are also XML, so that an XML parser can check a page.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.map((part, at) => `${part}${at < values.length ? textOf(values[at] ?? "") : ""}`).join(""))
}

function textOf(value: Value): string {
  if (typeof value === "string" || typeof value === "number") return escaped(String(value).replaceAll(REORDERS, ""))
  return value instanceof Html ? value.text : value.map(({ text }) => text).join("")
}
