import { extname } from "node:path"
import type { SubjectDocument } from "./class-schema.ts"
import { ansibleSubjects } from "./inventory-ansible.ts"
import { readAnsibleIni } from "./inventory-ansible-ini.ts"
import { readAnsibleYaml } from "./inventory-ansible-yaml.ts"
import { readSshConfig } from "./inventory-openssh.ts"
import { readTable } from "./inventory-table.ts"
import { textOf, type Origin } from "./origin.ts"

/** The students that a file of another program, or a table, lists. */
export interface Inventory {
  readonly subjects: readonly SubjectDocument[]
  /** Its paths begin with the number of a student. */
  readonly origin: Origin
  /** The OpenSSH configuration with which the hosts are reached; undefined for that of the user. */
  readonly sshConfig: string | undefined
}

/** The kinds of files that list students. */
const READERS = {
  table: readTable,
  openssh: readSshConfig,
  "ansible-ini": (file: string) => ansibleSubjects(readAnsibleIni(file)),
  "ansible-yaml": (file: string) => ansibleSubjects(readAnsibleYaml(file)),
} satisfies Record<string, (file: string) => Inventory>

/** The kinds that the end of a file's name tells. */
const BY_ENDING: Readonly<Record<string, keyof typeof READERS>> = {
  ".csv": "table",
  ".ini": "ansible-ini",
  ".yaml": "ansible-yaml",
  ".yml": "ansible-yaml",
}

/**
 * Reads the students from a CSV table, an OpenSSH configuration, or an Ansible inventory (INI or YAML).
 * @throws UsageError that names the line
 */
export function readInventory(file: string): Inventory {
  return READERS[BY_ENDING[extname(file).toLowerCase()] ?? kindOf(textOf(file))](file)
}

/** The kind of a file whose name does not tell it. */
function kindOf(text: string): keyof typeof READERS {
  // After the name of a host, each word of Ansible's INI has a =.
  if (/^[ \t]*Host(?:[ \t]*=[ \t]*|[ \t]+)[^=\n]+$/im.test(text)) return "openssh"
  const first = text.split("\n").find((line) => !/^\s*([#;]|$)/.test(line)) ?? ""
  if (/^(---|[\w.-]+:\s*$)/.test(first)) return "ansible-yaml"
  return /^[^=[]*,[^=[]*$/.test(first) ? "table" : "ansible-ini"
}
