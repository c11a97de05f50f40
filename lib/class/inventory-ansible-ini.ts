import { AnsibleInventory, type AnsibleValue } from "./inventory-ansible.ts"
import { namesIn } from "./inventory-range.ts"
import { textOf } from "./origin.ts"

/** What the lines of a section mean. */
type Kind = "hosts" | "vars" | "children"

/** The group of hosts that stand before the first section. */
const UNGROUPED = "ungrouped"
const WORDS = /((?:"[^"]*"|'[^']*'|[^\s"'])+)/g

/**
 * Reads an Ansible inventory in INI. It is not the INI that general parsers read: a line has the name of a host and
 * several variables, a name can stand several times, and a dot in a section means nothing.
 * @throws UsageError with the line
 */
export function readAnsibleIni(file: string): AnsibleInventory {
  const inventory = new AnsibleInventory(file)
  let section: { readonly group: string; readonly kind: Kind } = { group: UNGROUPED, kind: "hosts" }
  /** Groups that lines name but do not define; they can be defined later. */
  const awaited = new Map<string, number>()
  const defined = new Set(["all", UNGROUPED])
  for (const [at, whole] of textOf(file).split("\n").entries()) {
    const line = at + 1
    const text = whole
      .replace(/^\s*[#;].*$/, "")
      .replace(/\s#.*$/, "")
      .trim()
    if (text === "") continue
    if (text.startsWith("[") && text.endsWith("]") && !/^\[[^\]]*\]:?\d/.test(text)) {
      section = sectionIn(inventory, text, line)
      if (section.kind === "vars") awaited.set(section.group, awaited.get(section.group) ?? line)
      else defined.add(section.group)
      inventory.group(section.group)
    } else if (section.kind === "children") {
      inventory.group(section.group).children.add(text)
      awaited.set(text, awaited.get(text) ?? line)
    } else if (section.kind === "vars") {
      const [name, value] = pairIn(inventory, text, line)
      inventory.group(section.group).variables.set(name, value)
    } else addHosts(inventory, section.group, text, line)
  }
  for (const [group, line] of awaited)
    if (!defined.has(group))
      throw inventory.wrong(line, `there is no group ${group}`, `Add a section [${group}], or remove the line.`)
  return inventory
}

function sectionIn(inventory: AnsibleInventory, text: string, line: number): { group: string; kind: Kind } {
  const [, group, kind = "hosts"] = /^\[([^:[\]\s]+)(?::(vars|children))?\]$/.exec(text) ?? []
  if (group === undefined)
    throw inventory.wrong(line, `${text} is no section`, "Write [GROUP], [GROUP:vars] or [GROUP:children].")
  return { group, kind: kind === "vars" || kind === "children" ? kind : "hosts" }
}

function addHosts(inventory: AnsibleInventory, group: string, text: string, line: number): void {
  const [first = "", ...words] = text.match(WORDS) ?? []
  const variables = new Map(words.map((word) => pairIn(inventory, word, line)))
  const [, name = first, port] = /^(.*[^:]|\[.*\]):(\d+)$/.exec(first) ?? []
  if (port !== undefined) variables.set("ansible_port", { text: port, line })
  if (/[=,:"']/.test(name.replaceAll(/\[[^\]]*\]/g, "")))
    throw inventory.wrong(line, `${first} is no name of a host`, "Begin each line with the name of a host.")
  const wrong = (problem: string, remedy: string) => inventory.wrong(line, problem, remedy)
  for (const one of namesIn(name, wrong)) inventory.add(one.replace(/^\[(.*)\]$/, "$1"), group, variables, line)
}

/** A variable, such as ansible_user=student or ansible_user = "student". */
function pairIn(inventory: AnsibleInventory, text: string, line: number): [name: string, value: AnsibleValue] {
  const [, name, value = ""] = /^([A-Za-z_]\w*)\s*=\s*(.*)$/.exec(text) ?? []
  if (name === undefined)
    throw inventory.wrong(
      line,
      `${text} is no variable`,
      "Write NAME=VALUE after the name of a host. --inventory also reads CSV, Ansible's YAML, and an OpenSSH configuration.",
    )
  return [name, { text: value.replace(/^(["'])(.*)\1$/, "$2"), line }]
}
