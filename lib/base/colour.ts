import { styleText } from "node:util"

/** Text in a colour, for terminals. Pipes and files get it plain; so do terminals where NO_COLOR is set (https://no-color.org). */
export function paint(
  colour: Parameters<typeof styleText>[0],
  text: string,
  output: { readonly isTTY?: boolean } = process.stdout,
): string {
  return output.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
    ? styleText(colour, text, { validateStream: false })
    : text
}
