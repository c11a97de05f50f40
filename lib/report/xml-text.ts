import { stripVTControlCharacters } from "node:util"

/**
 * A text as the content of an element or as the value of an attribute, in XML and HTML. XML has no form for most
 * control characters, so they are left out.
 */
export function escaped(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "")
    .replaceAll(/[&<>"\r]/g, (character) => `&#${character.charCodeAt(0)};`)
}
