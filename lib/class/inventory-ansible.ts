import { hostTargetIn } from "../machines/host/target.ts"
import { UsageError } from "../base/errors.ts"
import { subjectSchema, type SubjectDocument } from "./class-schema.ts"
import type { Inventory } from "./inventory.ts"
import { checked, type Origin } from "./origin.ts"

/** The value of a variable, and its line. */
export interface AnsibleValue {
  readonly text: string
  readonly line: number
}

/** A host of an Ansible inventory. */
export interface AnsibleHost {
  readonly variables: Map<string, AnsibleValue>
  readonly line: number
}

/** A group of an Ansible inventory. */
export interface AnsibleGroup {
  readonly hosts: Set<string>
  readonly variables: Map<string, AnsibleValue>
  readonly children: Set<string>
}

/** What an Ansible inventory contains. All hosts also belong to the group all. */
export class AnsibleInventory {
  readonly file: string
  readonly hosts = new Map<string, AnsibleHost>()
  readonly groups = new Map<string, AnsibleGroup>()

  constructor(file: string) {
    this.file = file
    this.group("all")
  }

  /** The group with this name, which is made if there is none. */
  group(name: string): AnsibleGroup {
    const known = this.groups.get(name)
    if (known !== undefined) return known
    const group: AnsibleGroup = { hosts: new Set(), variables: new Map(), children: new Set() }
    this.groups.set(name, group)
    return group
  }

  /** Adds a host to a group. A host that is named several times has the variables of all these places. */
  add(name: string, group: string, variables: ReadonlyMap<string, AnsibleValue>, line: number): void {
    const host = this.hosts.get(name) ?? { variables: new Map<string, AnsibleValue>(), line }
    for (const [key, value] of variables) host.variables.set(key, value)
    this.hosts.set(name, host)
    this.group(group).hosts.add(name)
  }

  /** The error for a line. */
  wrong(line: number, problem: string, remedy: string): UsageError {
    return new UsageError(`${this.file}, line ${line}: ${problem}.`, remedy)
  }
}

/** The variables that say how a host is reached. The older names mean the same. */
const VARIABLES = {
  host: ["ansible_host", "ansible_ssh_host"],
  port: ["ansible_port", "ansible_ssh_port"],
  user: ["ansible_user", "ansible_ssh_user"],
  connection: ["ansible_connection"],
} as const

/**
 * The hosts of an Ansible inventory as students. Keys and other options come from the configuration of ssh.
 * @throws UsageError with the line
 */
export function ansibleSubjects(inventory: AnsibleInventory): Inventory {
  const { file } = inventory
  const hosts = [...inventory.hosts]
  if (hosts.length === 0) throw inventory.wrong(1, "it has no hosts", "Write a line for each, below [GROUP].")
  const origin: Origin = { file, lineOf: ([at]) => hosts[Number(at)]?.[1].line ?? 1 }
  const order = byDepth(inventory)
  const subjects = hosts.map(([name, { variables, line }], at): SubjectDocument => {
    const all = new Map([
      ...order.filter(({ members }) => members.has(name)).flatMap(({ values }) => [...values]),
      ...variables,
    ])
    const host = targetOf(inventory, name, line, all)
    return checked(subjectSchema, { id: name, host }, origin, [at])
  })
  return { subjects, origin, sshConfig: undefined }
}

function targetOf(
  inventory: AnsibleInventory,
  name: string,
  line: number,
  variables: ReadonlyMap<string, AnsibleValue>,
): string {
  const valueOf = (which: keyof typeof VARIABLES) => {
    const key = VARIABLES[which].find((one) => variables.has(one))
    return key === undefined ? undefined : { key, ...(variables.get(key) ?? { text: "", line }) }
  }
  if (valueOf("connection")?.text === "local") return "local"
  const [host, port, user] = [
    valueOf("host") ?? { key: "the host", text: name, line },
    valueOf("port"),
    valueOf("user"),
  ]
  const address = host.text.includes(":") ? `[${host.text}]` : host.text
  const parts = [
    { part: user, target: `ssh://${user?.text ?? ""}@host` },
    { part: port, target: `ssh://host:${port?.text ?? ""}` },
    { part: host, target: `ssh://${address}` },
  ]
  for (const { part, target } of parts)
    if (part !== undefined && hostTargetIn(target) === undefined)
      throw inventory.wrong(
        part.line,
        `${part.key} is ${part.text === "" ? "empty" : part.text}, which ssh cannot use`,
        "Write a plain host name or address, user or port; templates and variables are not filled in.",
      )
  return `ssh://${user === undefined ? "" : `${user.text}@`}${address}${port === undefined ? "" : `:${port.text}`}`
}

/** The groups with all hosts that belong to them. Those that are further from all come later: their variables count. */
function byDepth({ groups, hosts }: AnsibleInventory): {
  readonly members: ReadonlySet<string>
  readonly values: ReadonlyMap<string, AnsibleValue>
}[] {
  const depths = new Map<string, number>([["all", 0]])
  const parentsOf = (name: string) =>
    [...groups].flatMap(([parent, { children }]) => (children.has(name) ? [parent] : []))
  const depthOf = (name: string, below: readonly string[]): number => {
    const known = depths.get(name)
    if (known !== undefined || below.includes(name)) return known ?? 0
    const depth = 1 + Math.max(0, ...parentsOf(name).map((parent) => depthOf(parent, [...below, name])))
    depths.set(name, depth)
    return depth
  }
  const membersOf = (name: string, above: readonly string[] = []): string[] => {
    const group = groups.get(name)
    if (group === undefined || above.includes(name)) return []
    return [...group.hosts, ...[...group.children].flatMap((child) => membersOf(child, [...above, name]))]
  }
  return [...groups]
    .map(([name, { variables }]) => ({
      name,
      depth: depthOf(name, []),
      members: new Set(name === "all" ? hosts.keys() : membersOf(name)),
      values: variables,
    }))
    .toSorted((a, b) => a.depth - b.depth || (a.name < b.name ? -1 : 1))
}
