import { styleText } from "node:util"

/** Text in a colour where a person looks at it; pipes, files and NO_COLOR (https://no-color.org) get it plain. */
export function paint(
  colour: Parameters<typeof styleText>[0],
  text: string,
  output: { readonly isTTY?: boolean } = process.stdout,
): string {
  return output.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
    ? styleText(colour, text, { validateStream: false })
    : text
}
