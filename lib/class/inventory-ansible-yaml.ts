import { z } from "zod"
import { AnsibleInventory, type AnsibleValue } from "./inventory-ansible.ts"
import { namesIn } from "./inventory-range.ts"
import { type Origin, type Path } from "./origin.ts"
import { readYamlFile } from "./yaml-file.ts"

/** A key without a value is an empty text. */
const nothing = z.literal("").transform(() => ({}))
const mapping = z.record(z.string(), z.unknown())
const GROUP = ["hosts", "vars", "children"] as const

/** Reads an Ansible inventory in YAML: groups with hosts, vars and children. @throws UsageError with the line */
export function readAnsibleYaml(file: string): AnsibleInventory {
  const { value, origin } = readYamlFile(file, true)
  const inventory = new AnsibleInventory(file)
  for (const [name, group] of entriesOf(inventory, value, origin, [])) addGroup(inventory, origin, [name], name, group)
  return inventory
}

function addGroup(inventory: AnsibleInventory, origin: Origin, path: Path, name: string, value: unknown): void {
  const group = inventory.group(name)
  for (const [key, inner] of entriesOf(inventory, value, origin, path)) {
    const at = [...path, key]
    const line = origin.lineOf(at, true)
    if (key === "children")
      for (const [child, content] of entriesOf(inventory, inner, origin, at)) {
        group.children.add(child)
        addGroup(inventory, origin, [...at, child], child, content)
      }
    else if (key === "vars") for (const one of variablesOf(inventory, inner, origin, at)) group.variables.set(...one)
    else if (key === "hosts")
      for (const [pattern, content] of entriesOf(inventory, inner, origin, at)) {
        const own = [...at, pattern]
        const hostLine = origin.lineOf(own, true)
        const variables = new Map(variablesOf(inventory, content, origin, own))
        const wrong = (problem: string, remedy: string) => inventory.wrong(hostLine, problem, remedy)
        for (const one of namesIn(pattern, wrong)) inventory.add(one, name, variables, hostLine)
      }
    else throw inventory.wrong(line, `${key} is no part of the group ${name}`, `A group has ${GROUP.join(", ")}.`)
  }
}

/** The variables of a host or group. Those with other values than texts are for other programs. */
function variablesOf(
  inventory: AnsibleInventory,
  value: unknown,
  origin: Origin,
  path: Path,
): [name: string, value: AnsibleValue][] {
  return entriesOf(inventory, value, origin, path).flatMap(([name, text]) =>
    typeof text === "string" ? [[name, { text, line: origin.lineOf([...path, name], true) }]] : [],
  )
}

function entriesOf(inventory: AnsibleInventory, value: unknown, origin: Origin, path: Path): [string, unknown][] {
  const read = z.union([nothing, mapping]).safeParse(value)
  if (read.success) return Object.entries(read.data)
  throw inventory.wrong(
    origin.lineOf(path, true),
    `${path.length === 0 ? "it" : String(path.at(-1))} must be keys with values`,
    "An inventory has groups, and a group has hosts:, vars: and children:, each with a colon after every name.",
  )
}
