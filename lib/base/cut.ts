/** A text without its end, if it is too long: then its last character says so. @param longest characters, at least 1 */
export function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}
