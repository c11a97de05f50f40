import { styleText } from "node:util"

/**
 * Adds a colour to a text for a terminal. Pipes and files get the plain text. If NO_COLOR is set, terminals get it too
 * (https://no-color.org).
 */
export function paint(
  colour: Parameters<typeof styleText>[0],
  text: string,
  output: { readonly isTTY?: boolean } = process.stdout,
): string {
  return output.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
    ? styleText(colour, text, { validateStream: false })
    : text
}
