import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from "yaml"
import { messageOf, UsageError } from "../base/errors.ts"
import { refusal, textOf, type Origin, type Path } from "./origin.ts"

/**
 * Reads a YAML file. All values are texts: with YAML's types, a lesson 01 or a student 0042 would lose the zeros.
 * @param isForeign whether another program gives meaning to tags, such as !vault; then they are ignored
 * @throws UsageError with the line
 */
export function readYamlFile(file: string, isForeign = false): { readonly value: unknown; readonly origin: Origin } {
  const counter = new LineCounter()
  const parsed = parseDocument(textOf(file), {
    schema: "failsafe",
    merge: true,
    lineCounter: counter,
    prettyErrors: false,
  })
  const lineAt = (offset: number) => counter.linePos(offset).line
  const origin: Origin = { file, lineOf: (path, isKey) => lineAt(offsetOf(parsed, path, isKey)) }
  const [wrong] = [...parsed.errors, ...(isForeign ? [] : parsed.warnings)]
  if (wrong !== undefined)
    throw new UsageError(
      `${file}, line ${lineAt(wrong.pos[0])}: this is not YAML: ${wrong.message.split("\n")[0] ?? ""}.`,
      "Correct the line; keys end in a colon and a space, and tabs do not indent.",
    )
  return { value: valueOf(parsed, origin), origin }
}

function valueOf(parsed: Document, origin: Origin): unknown {
  try {
    return parsed.toJS()
  } catch (error) {
    throw refusal(origin, [], false, `cannot be read: ${messageOf(error)}`, "Write it without aliases.") // Too many.
  }
}

/** The offset of a value or of its key. If there is no such value, that of the nearest value around it. */
function offsetOf(parsed: Document, path: Path, isKey: boolean): number {
  for (let length = path.length; length > 0; length--) {
    const at = path.slice(0, length)
    const around = parsed.getIn(at.slice(0, -1), true)
    if (isKey && length === path.length && isMap(around)) {
      const key = around.items.find((item) => isScalar(item.key) && item.key.value === at.at(-1))?.key
      if (isScalar(key) && key.range != null) return key.range[0]
    }
    const node = parsed.getIn(at, true)
    if (isNode(node) && node.range != null) return node.range[0]
  }
  return 0
}
