import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { validateXML } from "xmllint-wasm"
import { packageRoot } from "../base/settings.ts"
import { boardOf } from "./board.ts"
import type { Class, Student } from "./class-file.ts"
import { bookPage } from "./page.ts"
import { wordsOf } from "./script-words.ts"
import { similarData, similarLines } from "./similar-report.ts"
import { compareClass } from "./similar.ts"

let here: string
beforeEach(() => {
  here = mkdtempSync(join(tmpdir(), "byhand-similar-"))
})
afterEach(() => rmSync(here, { recursive: true }))

const NO_HOSTS = { compared: 0, shared: [] }

/** A student's script of their own. */
const OWN = `#!/bin/bash
set -euo pipefail
# my own way
CERTS=/srv/certificates
wait_until_ready() {
  for attempt in $(seq 60); do
    curl --silent --fail --cacert $CERTS/root.pem https://127.0.0.1:7443/readyz && return 0
    sleep 0.5
  done
  echo "gave up on the api server after thirty seconds" >&2
  return 1
}
mkdir -p $CERTS && chmod 700 $CERTS
[ -f $CERTS/root.pem ] || openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out $CERTS/root-key.pem
nohup kube-apiserver --secure-port=7443 --tls-cert-file=$CERTS/server.pem --tls-private-key-file=$CERTS/server-key.pem \\
  --etcd-servers=http://127.0.0.1:4001 --etcd-prefix=/workshop --service-cluster-ip-range=172.30.0.0/16 \\
  --max-requests-inflight=200 --request-timeout=90s --event-ttl=30m > /tmp/api.log 2>&1 &
wait_until_ready
`
/** The same with other names, comments, blanks, quotes, breaks of lines and = */
const HIDDEN = OWN.replaceAll("CERTS", "PKI_DIR")
  .replaceAll("wait_until_ready", "poll")
  .replaceAll("attempt", "n")
  .replace("# my own way", "# written by me alone\n\n# all of it")
  .replaceAll("$PKI_DIR/root.pem", '"${PKI_DIR}/root.pem"')
  .replace("--secure-port=7443 --tls", "\\\n    --secure-port 7443 --tls")
  .replaceAll("  ", "\t")

function folderOf(id: string, files: Readonly<Record<string, string>>): Student {
  const path = join(here, id)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return { id, source: { kind: "folder", path }, submitted: undefined, due: undefined }
}

const compare = (...students: Student[]) =>
  compareClass(students, { workOf: (id) => join(here, "work", id) }, new Map(), NO_HOSTS, new AbortController().signal)

/** A script with commands that no other student has: the same flags in another order, with values of their own. */
const otherScript = (seed: number) =>
  OWN.split("\n")
    .slice(2)
    .toSorted((a, b) => ((a.length * (seed + 7)) % 23) - ((b.length * (seed + 7)) % 23))
    .join("\n")
    .replaceAll(/\d+/g, (number) => String(Number(number) + seed))

describe("scripts", () => {
  test("a copy is found, although names, comments, blanks, quotes and breaks of lines have changed", async () => {
    const { pairs, compared, others } = await compare(
      folderOf("alice", { "02-apiserver.sh": OWN }),
      folderOf("bob", { "02-api.sh": HIDDEN }),
      folderOf("carol", { "02-apiserver.sh": otherScript(3) }),
    )
    expect([compared, others]).toEqual([3, []])
    expect(pairs.map(({ students }) => students)).toEqual([["alice", "bob"]])
    const [file] = pairs[0]?.files ?? []
    expect(file?.files).toEqual(["02-apiserver.sh", "02-api.sh"])
    expect(file?.share).toBeGreaterThan(0.9)
    expect(file?.examples).toHaveLength(3)
    const [a, b] = [OWN, HIDDEN].map((text) => text.split("\n"))
    for (const { texts, lines } of file?.examples ?? [])
      expect([a?.[lines[0] - 1]?.trim(), b?.[lines[1] - 1]?.trim()]).toEqual(texts)
  })

  test("the scaffold, the shipped solution and the hints do not count as a student's own, also with other names", async () => {
    const folders = ["scaffold", "solution", "solution"].map((name, at): Student => {
      const path = join(here, `${name}-${at}`)
      cpSync(join(packageRoot, "fixtures", name), path, { recursive: true })
      const script = join(path, "08-pki.sh")
      writeFileSync(
        script,
        readFileSync(script, "utf8").replaceAll("NODE_IP", `ADDRESS_${at}`).replaceAll("# ", `# ${at} `),
      )
      return { id: `${name} ${at}`, source: { kind: "folder", path }, submitted: undefined, due: undefined }
    })
    const scaffolded = { ...folderOf("again", {}), source: { kind: "folder", path: join(here, "scaffold-0") } as const }
    expect((await compare(...folders, scaffolded)).pairs).toEqual([])
  })

  test("what more than half of a class has seems to be given; what two of them share is still found", async () => {
    const many = Array.from({ length: 12 }, (_, at) =>
      folderOf(`student ${at}`, {
        "02-apiserver.sh": OWN,
        "03-own.sh": at < 2 ? otherScript(50) : otherScript(100 + 7 * at),
      }),
    )
    const result = await compare(...many)
    expect(result.given).toBeGreaterThan(30)
    expect(result.pairs.map(({ students, files }) => [students, files.map(({ files: names }) => names)])).toEqual([
      [["student 0", "student 1"], [["03-own.sh", "03-own.sh"]]],
    ])
    expect(similarLines(result, { width: 80, isTTY: false }).join(" ")).toContain("seem to be given")
  })

  test("a part in common is not enough", async () => {
    const long = (id: string) => Array.from({ length: 100 }, (_, at) => `echo ${id} ${at} of ${id}`).join("\n")
    const both = ["alice", "bob"].map((id) => folderOf(id, { "02-apiserver.sh": `${OWN}${long(id)}` }))
    expect((await compare(...both)).pairs).toEqual([])
    // A short file that is wholly in a long one is alike.
    const short = folderOf("carol", { "02-apiserver.sh": OWN })
    expect((await compare(...both, short)).pairs.map(({ students }) => students)).toEqual([
      ["alice", "carol"],
      ["bob", "carol"],
    ])
  })

  test("a passage that a student has in several files counts once", async () => {
    const twice = (id: string) => folderOf(id, { "02-apiserver.sh": OWN, "03-again.sh": HIDDEN })
    const { pairs } = await compare(twice("alice"), twice("bob"))
    expect(pairs[0]?.files.map(({ files, share }) => [files, share])).toEqual([
      [["02-apiserver.sh", "02-apiserver.sh"], 1],
    ])
  })

  test("archives are compared too, who cannot be compared is named, and no copy stays", async () => {
    folderOf("alice", { "02-apiserver.sh": OWN })
    execFileSync("tar", ["-czf", join(here, "alice.tar.gz"), "-C", join(here, "alice"), "."])
    const archived: Student = {
      ...folderOf("alice", {}),
      source: { kind: "archive", path: join(here, "alice.tar.gz") },
    }
    const broken: Student = { ...folderOf("broken", {}), source: { kind: "archive", path: join(here, "none.zip") } }
    const result = await compare(archived, folderOf("bob", { "02-apiserver.sh": HIDDEN }), broken)
    expect(result.pairs.map(({ students }) => students)).toEqual([["alice", "bob"]])
    expect(result.others).toEqual([{ id: "broken", reason: expect.stringContaining("no such file") as string }])
    expect(existsSync(join(here, "work", "alice"))).toBe(false)
  })

  test.each([
    ["--flag=value", "--flag value"],
    ['exec "etcd" --name=$NODE # comment', "exec etcd --name ${HOST}"],
    ["NODE=$(hostname)\necho NODE", "N=$( hostname )\necho N"],
    ["start() { true; }\nstart", "function run { true; }\n\nrun"],
    ["a \\\n  b", "a b"],
  ])("%j and %j have the same words", (a, b) => {
    const words = (text: string) =>
      wordsOf(text)
        .map(({ text: word }) => word)
        .filter((word) => !["function", "("].includes(word))
    expect(words(a)).toEqual(words(b))
  })

  test("a # that begins no comment, and other values, stay", () => {
    const words = (text: string) => wordsOf(text).map(({ text: word }) => word)
    expect(words("echo 'a # b' c#d $# # e")).toEqual(["echo", "a", "b", "c", "d"])
    expect(words("etcd --port=1")).not.toEqual(words("etcd --port=2"))
  })
})

describe("keys", () => {
  const openssl = (...words: string[]) =>
    execFileSync("openssl", words, { encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] })
  const newKey = () => openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
  const START = "#!/bin/bash\nexec etcd\n"

  test("the same key or certificate is found in each form, others are not", async () => {
    const [key, other] = [newKey(), newKey()]
    writeFileSync(join(here, "key"), key)
    const certificate = openssl("req", "-x509", "-key", join(here, "key"), "-subj", "/CN=ca", "-days", "9")
    const sec1 = openssl("ec", "-in", join(here, "key"))
    expect(sec1).toContain("BEGIN EC PRIVATE KEY")
    const { keys, pairs } = await compare(
      folderOf("alice", { "01-etcd.sh": START, "pki/ca.key": key, "pki/ca.crt": certificate, "again.key": key }),
      folderOf("bob", { "01-etcd.sh": `${START}cat >ca.key <<EOF\n${sec1}EOF\n` }),
      folderOf("carol", {
        "01-etcd.sh": START,
        config: `client-key-data: ${Buffer.from(key).toString("base64")}\n`,
        "ca.json": JSON.stringify({ certificate }),
      }),
      folderOf("dave", { "01-etcd.sh": START, "own.key": other, "broken.key": key.replace(/\n[A-Za-z]/, "\n") }),
      folderOf("erin", { "01-etcd.sh": START, "two.key": newKey(), "the same.key": newKey() }),
    )
    expect(pairs).toEqual([])
    expect(keys.map(({ kind, places }) => [kind, places.map(({ student, file }) => `${student} ${file}`)])).toEqual([
      ["private key", ["alice again.key", "alice pki/ca.key", "bob 01-etcd.sh", "carol config"]],
      ["certificate", ["alice pki/ca.crt", "carol ca.json"]],
    ])
    const text = JSON.stringify(similarData({ keys, pairs, compared: 5, others: [], given: 0, hosts: NO_HOSTS }))
    for (const line of key.split("\n").slice(1, 3)) expect(text).not.toContain(line)
  })

  test("a key in two files of one student is nothing", async () => {
    const key = newKey()
    const result = await compare(
      folderOf("a", { "01-etcd.sh": START, k: key, l: key }),
      folderOf("b", { "01-etcd.sh": START }),
    )
    expect(result.keys).toEqual([])
  })
})

test("the report says first that it is no verdict, fits the terminal, and nothing that students write controls it", async () => {
  const name = '02-\u001b[31m<b>"\u202e.sh'
  const key = execFileSync("openssl", ["genpkey", "-algorithm", "ed25519"], { encoding: "utf8" })
  const AWKWARD = OWN.replaceAll("gave up", 'gave up \u001b[2J\u0007</table><script>"')
  const result = await compare(
    folderOf("alice", { [name]: AWKWARD, key }),
    folderOf("bob", { "02-apiserver.sh": AWKWARD, "a/b/c.key": key }),
  )
  for (const width of [80, 100]) {
    const lines = similarLines(result, { width, isTTY: false })
    expect(lines.filter((line) => line.length > width)).toEqual([])
    expect(lines.join("\n")).not.toMatch(/[^\P{C}\n]/u)
    expect(lines.slice(0, 3).join(" ")).toContain("Similar scripts Similarity alone is never a verdict")
    expect(lines).toContainEqual(expect.stringMatching(/^the same private key in 2 folders \(SHA-256 [0-9a-f]{12}…\)$/))
    expect(lines).toContain("  bob: a/b/c.key")
    expect(lines).toContain("alice and bob")
    expect(lines.filter((line) => line.includes(" │ "))).toHaveLength(3)
  }
  const graded: Class = {
    title: undefined,
    isIndividual: false,
    rules: { lessons: [], isChosen: false, weights: undefined, credit: "per outcome", due: undefined, late: undefined },
    students: [],
  }
  const page = bookPage(graded, [], { board: boardOf([]), similar: result }, 0)
  const { valid, errors } = await validateXML({
    xml: [{ fileName: "page.html", contents: page }],
    normalization: "c14n",
  } as Parameters<typeof validateXML>[0])
  expect([valid, errors]).toEqual([true, []])
  expect(page).toContain("Similarity alone is never a verdict")
  expect(page).not.toMatch(/<script|\u202e/)
  const none = await compare(folderOf("alone", { "01-etcd.sh": OWN }))
  expect(similarLines(none, { width: 100, isTTY: false }).at(-1)).toBe(
    "1 folder was compared: nothing in common but what is given.",
  )
})
