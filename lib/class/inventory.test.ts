import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { readClass } from "./class-file.ts"

let here: string
beforeAll(() => {
  here = mkdtempSync(join(tmpdir(), "byhand-inventory-"))
})
afterAll(() => rmSync(here, { recursive: true }))

/** The students of an inventory, each with the host. */
function read(name: string, text: string): string[] {
  writeFileSync(join(here, name), text)
  return readClass(undefined, join(here, name)).students.map(
    ({ id, source }) => `${id} ${source.kind === "host" ? source.target : source.kind}`,
  )
}

function messageFor(name: string, text: string): string {
  try {
    read(name, text)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return error instanceof UsageError ? error.message.replaceAll(`${here}/`, "") : ""
  }
  return "no error"
}

test("a table has hosts too, and needs no ending", () => {
  const text = "id,host\nalice,ssh://student@10.0.0.5:2222\nbob,local\n"
  expect(read("students", text)).toEqual(["alice ssh://student@10.0.0.5:2222", "bob local"])
  expect(messageFor("students", "id,host\nalice,ssh://a b\n")).toContain(
    "students, line 2: host must be local, or ssh:",
  )
})

describe("an OpenSSH configuration", () => {
  const CONFIG = `# the class
Host alice bob # both
    HostName 10.0.0.5
    Port 2222
host="carol"
  User student
Host web-* !web-9 dave
Match user x
Host *
  IdentityFile ~/.ssh/class
`
  test("each name after Host without a wildcard, reached with this file", () => {
    const names = ["alice", "bob", "carol", "dave"]
    expect(read("class", CONFIG)).toEqual(names.map((name) => `${name} ssh://${name}`))
    const { students } = readClass(undefined, join(here, "class"))
    expect(students[0]?.source).toMatchObject({ sshConfig: join(here, "class") })
  })

  test.each([
    ["Host *\n  User x\n", "config, line 1: no Host in it has a name without wildcards. "],
    [
      "Host a\n  Port 22\nHost b\n  Prot 23\n",
      "config, line 4: ssh does not accept it: Bad configuration option: prot. ",
    ],
    ["Host a\n  Port many\n", "config, line 2: ssh does not accept it: "],
    ["\nHost a/b\n", "config, line 2: id must have up to 50 letters, "],
  ])("a mistake is one error with its line: %j", (text, message) => {
    expect(messageFor("config", text)).toContain(message)
  })
})

const INI = `# comment
lonely ansible_host=192.0.2.1
; another
[web]
web[01:03] ansible_port=2200   # three
web02 ansible_port=2222 ansible_user="teacher"
[db]
db-[a:e:2].example.org:2022
[2001:db8::1]:22 ansible_host=2001:db8::1
[local]
here ansible_connection=local
[servers:children]
web
db
[servers:vars]
ansible_user = student
[all:vars]
ansible_user=nobody
`
const HOSTS = [
  "lonely ssh://nobody@192.0.2.1",
  "web01 ssh://student@web01:2200",
  "web02 ssh://teacher@web02:2222",
  "web03 ssh://student@web03:2200",
  "db-a.example.org ssh://student@db-a.example.org:2022",
  "db-c.example.org ssh://student@db-c.example.org:2022",
  "db-e.example.org ssh://student@db-e.example.org:2022",
]

describe("an Ansible inventory in INI", () => {
  test("hosts, ranges, groups of groups, and their variables: those nearer to the host count", () => {
    const text = INI.replace(/^\[2001.*\n/m, "")
    expect(read("hosts", text)).toEqual([...HOSTS, "here local"])
    expect(read("other.ini", "box ansible_ssh_host=fd00::1 ansible_ssh_port=22\n")).toEqual(["box ssh://[fd00::1]:22"])
    expect(read("hosts", "[a]\nhost ansible_user=x\n")).toEqual(["host ssh://x@host"])
  })

  test.each([
    [INI, "hosts, line 9: id must have up to 50 letters, "],
    ["", "hosts, line 1: it has no hosts. "],
    ["[web]\nweb1 port\n", "hosts, line 2: port is no variable. Write NAME=VALUE after the name of a host. "],
    ["[web\nweb1\n", "hosts, line 1: [web has no range of numbers or letters. "],
    ["[web:hosts]\n", "hosts, line 1: [web:hosts] is no section. Write [GROUP], [GROUP:vars] or [GROUP:children]."],
    ["[all:children]\nweb\n", "hosts, line 2: there is no group web. Add a section [web], or remove the line."],
    ["a\n[web:vars]\nx=1\n", "hosts, line 2: there is no group web. "],
    ["web[03:01]\n", "hosts, line 1: web[03:01] has no range of numbers or letters. "],
    ["web[01:100]\n", "hosts, line 1: web[01:100] has no range "],
    ["web[1:99999999]\n", "hosts, line 1: web[1:99999999] stands for more than 10000 names. "],
    ["a\n\nb ansible_port=ssh\n", "hosts, line 3: ansible_port is ssh, which ssh cannot use. "],
    ["a\n[all:vars]\nansible_user={{ me }}\n", "hosts, line 3: ansible_user is {{ me }}, which ssh cannot use. "],
    ["ansible_user=x\n", "hosts, line 1: ansible_user=x is no name of a host. "],
    ["a\nA\n", "hosts, line 2: id A and a are the same name. "],
  ])("a mistake is one error with its line: %j", (text, message) => {
    expect(messageFor("hosts", text)).toContain(message)
  })
})

const YAML = `---
all:
  vars: {ansible_user: nobody}
  hosts:
    lonely: {ansible_host: 192.0.2.1, secret: !vault x}
  children:
    servers:
      vars:
        ansible_user: student
      children:
        web: {}
        db:
          hosts:
            db-[a:e:2].example.org: {ansible_port: 2022, packages: [a, b]}
web:
  hosts:
    web[01:03]:
      ansible_port: 2200
    web02: {ansible_port: 2222, ansible_user: teacher}
`

describe("an Ansible inventory in YAML", () => {
  test("the same as in INI", () => {
    expect(read("hosts.yml", YAML).toSorted()).toEqual(HOSTS.toSorted())
    expect(read("hosts", "web:\n  hosts:\n    a:\n    b:\n")).toEqual(["a ssh://a", "b ssh://b"])
  })

  test.each([
    ["- a\n", "hosts.yml, line 1: it must be keys with values. "],
    [
      "web:\n  host:\n    a:\n",
      "hosts.yml, line 2: host is no part of the group web. A group has hosts, vars, children.",
    ],
    ["web:\n  hosts: [a, b]\n", "hosts.yml, line 2: hosts must be keys with values. "],
    ["web:\n  hosts:\n    a:\n      ansible_port: x\n", "hosts.yml, line 4: ansible_port is x, which ssh cannot use. "],
    ["web:\n  hosts:\n    a[1:x]:\n", "hosts.yml, line 3: a[1:x] has no range of numbers or letters. "],
    ["web:\n  hosts:\n    a:\n    a:\n", "hosts.yml, line 3: this is not YAML: Map keys must be unique. "],
    ["web:\n", "hosts.yml, line 1: it has no hosts. "],
  ])("a mistake is one error with its line: %j", (text, message) => {
    expect(messageFor("hosts.yml", text)).toContain(message)
  })
})
