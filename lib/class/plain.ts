import { stripVTControlCharacters } from "node:util"

/** A text of students or of their programs, without characters that control a terminal, or reorder a line or a page. */
export function plain(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll("\t", " ")
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, "")
}
