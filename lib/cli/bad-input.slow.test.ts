import { execa } from "execa"
import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { knownVersions } from "../binaries/versions.ts"
import { lessonId, lessons, testFileOf, titlesOf } from "../curriculum/lessons.ts"
import { packageRoot } from "../base/settings.ts"

/**
 * Words after `byhand` or `vitest run`, settings (BYHAND_* without the prefix), and the message that must be printed.
 */
type Try = readonly [words: string, settings: Record<string, string>, line: RegExp]

/** HERE stands for a temporary folder of this test. `beforeAll` creates its content. */
const HERE = "HERE"
let here: string

beforeAll(async () => {
  here = await mkdtemp(join(tmpdir(), "byhand-bad-"))
  await chmod(here, 0o777) // An ordinary user may make folders in it.
  await writeFile(join(here, "file"), "a file\n")
  const folders = ["empty", "folder/etcd", "plain", "foreign", "chatty", "dangling", "text", "none", "closed", "fixed"]
  for (const folder of folders) await mkdir(join(here, folder), { recursive: true })
  await writeFile(join(here, "plain/etcd"), "#!/bin/sh\necho etcd Version: 3.7.3\n", { mode: 0o644 })
  await writeFile(join(here, "chatty/etcd"), "#!/bin/sh\necho hello\n", { mode: 0o755 })
  await writeFile(join(here, "text/etcd"), "etcd\n", { mode: 0o755 })
  await symlink(join(here, "nowhere"), join(here, "dangling/etcd"))
  await writeFile(join(here, "none/etcd"), "", { mode: 0o755 })
  // The header of a program for s390, an architecture that byhand does not support.
  await writeFile(
    join(here, "foreign/etcd"),
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 22, 0, 0, 0, 1]),
    { mode: 0o755 },
  )
  for (const folder of ["leading-out", "leading-round", "large"]) await mkdir(join(here, folder))
  await symlink(join(here, "file"), join(here, "leading-out/01-etcd.sh"))
  await symlink(join(here, "leading-round"), join(here, "leading-round/round"))
  await writeFile(join(here, "large/01-etcd.sh"), Buffer.alloc(17 * 2 ** 20))
  await chmod(join(here, "closed"), 0o000)
  await chmod(join(here, "fixed"), 0o555)
})
afterAll(() => rm(here, { recursive: true, force: true }))

const VERSIONS = new RegExp(String.raw`Choose one of ${knownVersions.join(", ")}\.$`)

const OF_BYHAND: readonly Try[] = [
  // Commands and flags.
  ["", {}, /^A command is missing, .* Commands: up, shell, /],
  ["upp", {}, /^There is no command upp\. Did you mean up\? There are up, /],
  ["frobnicate", {}, /^There is no command frobnicate\. There are up, /],
  ["gradee 01", {}, /^There is no command gradee\. Did you mean grade\?/],
  ["help upp", {}, /^A command is missing, or it does not exist\. Commands: up, /],
  ["--bogus", {}, /^There is no flag --bogus before a command\. Flags come after the command/],
  ["--name one up", {}, /^There is no flag --name before a command\. Flags come after the command/],
  ["up --nam one", {}, /^There is no flag --nam of byhand up\. Did you mean --name\?/],
  ["status --json=yes", {}, /^There is no flag --json=yes of byhand status\. Did you mean --json\?/],
  ["shell --bogus", {}, /^There is no flag --bogus of byhand shell\. There are --kubernetes, /],
  ["up one", {}, /^byhand up takes fewer arguments\. Write: npx byhand up \[options\]$/],
  ["hint", {}, /^byhand hint needs a lesson\. Write: npx byhand hint \[options\] <lesson> \[step\]$/],
  ["hint 04 1 2", {}, /^byhand hint takes fewer arguments\. /],
  ["hint 99", {}, /^There is no lesson 99\. There are 01, /],
  ["hint 04 9", {}, /^There is no step 9\. There are 1 /],
  ["hint 05-etcd", {}, /^There is no hint for 05-etcd\. Lesson 05 has 05-containerd\.sh and 05-kubelet\.sh\.$/],
  ["hint 03-etcd", {}, /^There is no hint for 03-etcd\. Lesson 03 needs no script: npx byhand hint 03$/],
  ["new", {}, /^byhand new needs a folder\. Write: npx byhand new \[options\] <folder>$/],
  ["new one two", {}, /^byhand new takes fewer arguments\. /],
  ["new /", {}, /^\/ cannot name a folder\. Use up to 100 /],
  ["new /nowhere/deeper", {}, /^\/nowhere is not a folder, so deeper cannot be created in it\. /],
  ["new my-cluster --suite one --suite two", {}, /^--suite is given twice, as one and as two\. /],
  ["submit HERE/empty --out HERE/new", {}, /\/empty contains no start script, /],
  ["submit fixtures/solution", {}, /^byhand submit needs a folder to write to\. /],
  [
    "submit fixtures/solution --out fixtures/solution/x",
    {},
    /^fixtures\/solution\/x lies in the folder that is submitted\. /,
  ],
  [
    "submit fixtures/solution --out HERE/folder",
    {},
    /\/folder exists already\. Choose another folder, or remove it: rm -r /,
  ],
  ["submit fixtures/solution --out HERE/new --key HERE/none", {}, /^--key \S+ is not a file\. /],
  ["class", {}, /^byhand class needs a file that lists the students\. Write: npx byhand class class\.yaml, /],
  ["class HERE/nowhere", {}, /\/nowhere cannot be read: ENOENT/],
  ["class HERE/file", {}, /\/file, line 1: it must be keys with values\. /],
  [
    "class --inventory HERE/file",
    {},
    /\/file, line 1: file is no variable\. Write NAME=VALUE after the name of a host\. /,
  ],
  ["class --merge HERE/nowhere", {}, /\/nowhere is no grade book with results: ENOENT/],
  ["class --merge HERE/file --limit 3", {}, /^--merge grades no student, so --limit has no effect\. /],
  ["class HERE/file --merge HERE/file", {}, /^--merge grades no student, so \S+\/file has no effect\. /],
  ["class HERE/file --parallel 0", {}, /^--parallel 0 is not a whole number from 1 to 64\. /],
  ["class HERE/file --limit 1m", {}, /^--limit 1m is not a whole number from 1 to 86400\. /],
  ["class HERE/file --format tap", {}, /^--format tap names no file\. /],
  ["class HERE/file --format tap=x.tap", {}, /^--format tap=x\.tap names one file for all students\. /],
  ["verify HERE/empty", {}, /\/empty is no submission: it has no manifest\.json\. /],
  ["verify HERE/empty --signers HERE/nowhere", {}, /^--signers \S+\/nowhere is not a file\. /],
  ["verify HERE/empty --identity alice", {}, /^--identity needs --signers\. /],
  ["compare foo", {}, /^byhand compare does not know foo\. It compares with kubeadm: npx byhand compare kubeadm/],
  ["compare kubeadm HERE/nothing", {}, /\/nothing does not exist\. Create a folder with: /],
  ["replay HERE/empty 99", {}, /^There is no lesson 99\. There are 01, /],
  ["replay HERE/empty 03", {}, /\/empty is no submission: /],
  ["up --name", {}, /^--name needs a value\. /],
  ["up --name=", {}, /^--name is empty\. /],
  ["up --name one --name two", {}, /^--name is given twice, as one and as two\. Give it once\.$/],
  ["up --kubernetes 1.37.2 --kubernetes 1.36.3", {}, /^--kubernetes is given twice, as 1\.37\.2 and as 1\.36\.3\./],
  ["up --name A_b", {}, /^--name A_b cannot be a host name\. /],
  ["up --name a\u001b[31mb", {}, /^--name a\\u\{1b\}\[31mb cannot be a host name\. /],
  ["up --name ../x", {}, /^--name \.\.\/x cannot be a host name\. /],
  [`up --name ${"x".repeat(33)}`, {}, /^--name x{33} cannot be a host name\. Use up to 32 /],
  ["up --kubernetes 9.9.9", {}, VERSIONS],
  ["down --name absent --last", {}, /^--name and --last exclude each other\. /],
  ["shell --last true", {}, /^No machine of byhand watch or byhand grade is up\. /],
  ["down --name absent", {}, /^No cluster named absent is up\. /],
  ["shell --name absent true", {}, /^No cluster named absent is up\. Start it with: npx byhand up --name absent$/],
  ["grade 01 --stand-in", {}, /^--stand-in \(BYHAND_STAND_IN\) needs a folder of start scripts\. Name the folder: /],
  ["grade 99", {}, /^There is no lesson 99\. There are 01, .*, \d\d\.$/],
  ["grade 01 --json HERE/nowhere/result.json", {}, /^--json \S+\/nowhere\/result\.json cannot be written: ENOENT/],
  ["grade 01 --format nosuch", {}, /^There is no format nosuch\. There are json, csv, /],
  ["grade 01 --format junit=", {}, /^--format junit= names no file\. /],
  ["grade 01 --format tap --format csv", {}, /^--format csv is the second document for standard output\. /],
  ["grade 01 --format csv=a,b", {}, /^--format csv=a,b names a file with a comma\. /],
  ["grade 01 --format classroom50=x", {}, /^--format classroom50 needs CLASSROOM, /],
  ["grade 01 --format csv=HERE/nowhere/x", {}, /^--format csv=\S+\/nowhere\/x cannot be written: ENOENT/],
  ["grade 01", { FORMAT: "junti=x" }, /^There is no format junti\. Did you mean junit\?/],
  ["grade 01 --student one --student two", {}, /^--student is given twice, as one and as two\. /],
  ["grade abc", {}, /^There is no lesson abc, and no such folder\. There are 01, /],
  ["grade 01 -1", {}, /^There is no lesson -1\. /],
  ["grade 01.5", {}, /^There is no lesson 01\.5\. /],
  // A learner's folder.
  [
    "grade HERE/empty",
    {},
    /\/empty contains no start script, such as 01-etcd\.sh\. Create a folder with: npx byhand new FOLDER$/,
  ],
  [
    "grade HERE/leading-out",
    {},
    /\/leading-out\/01-etcd\.sh is a symbolic link to a file outside the folder\. Replace the link with a copy of its target\.$/,
  ],
  ["grade HERE/leading-round", {}, /\/leading-round\/round is a symbolic link to something that is not a file\. /],
  ["grade HERE/large", {}, /\/large contains 17 MiB, more than 16\. /],
  ["watch HERE/empty", {}, /\/empty contains no start script, /],
  ["watch HERE/nowhere", {}, /\/nowhere does not exist\. Create a folder with: npx byhand new FOLDER$/],
  ["watch HERE/file", {}, /\/file is not a folder\. /],
  ["grade 01", { SUBJECT: `${HERE}/nowhere` }, /\/nowhere does not exist\. Create a folder with: /],
  [
    "grade 01 --strict --except nothing",
    {},
    /^BYHAND_EXCEPT names nothing, which is neither a lesson nor the title of a test\. npx vitest list prints all titles\.$/,
  ],
  // Settings: names, then values.
  ["transcript", { PATIENC: "5" }, /^There is no setting BYHAND_PATIENC\. Did you mean BYHAND_PATIENCE\?$/],
  ["transcript", { "": "5" }, /^There is no setting BYHAND_\. There are BYHAND_KUBERNETES, /],
  ...["transcript", "doctor", "status", "up"].map((words): Try => [words, { KUBERNETES: "9.9.9" }, VERSIONS]),
  ...["", "1.37", "new", "vv1.37.2", "1.37.2-rc.1", "1.37.2\u001b[31m"].map((given): Try => [
    "transcript",
    { KUBERNETES: given },
    /^BYHAND_KUBERNETES=.* must be a version such as 1\.37\.2\. /,
  ]),
  ...["soon", "1e999", "NaN", "Infinity", "0x10", "120s", "1 000", "true"].map((given): Try => [
    "transcript",
    { PATIENCE: given },
    /^BYHAND_PATIENCE=.* must be a number of seconds\. /,
  ]),
  ["transcript", { PATIENCE: "" }, /^BYHAND_PATIENCE= is empty\. /],
  ["transcript", { PATIENCE: "0" }, /^BYHAND_PATIENCE=0 must be more than 0\. /],
  ["transcript", { PATIENCE: "-1" }, /^BYHAND_PATIENCE=-1 must be more than 0\. /],
  ["transcript", { PATIENCE: "2147484" }, /^BYHAND_PATIENCE=2147484 must be at most 86400, a day\. /],
  ["transcript", { PATIENCE: "9".repeat(5_000) }, /^BYHAND_PATIENCE=9{200}… must be at most /],
  ["transcript", { STRICT: "yes" }, /^BYHAND_STRICT=yes must be 1 or 0\. /],
  ...["Root", "", "admin"].map((given): Try => [
    "transcript",
    { PRIVILEGE: given },
    /^BYHAND_PRIVILEGE=.* must be auto, root, sudo, user or privileged\. /,
  ]),
  ...["Container", "", "docker"].map((given): Try => [
    "transcript",
    { MACHINE: given },
    /^BYHAND_MACHINE=.* must be auto, sandbox or container\. /,
  ]),
  ...["", "a b", "--privileged", "http://x/y\u001b"].map((given): Try => [
    "transcript",
    { IMAGE: given },
    /^BYHAND_IMAGE=.* must be the name of an image, such as /,
  ]),
  [
    "doctor --kubernetes 1.37",
    {},
    /^--kubernetes 1\.37 must be a version such as 1\.37\.2\. Correct it, or leave it out/,
  ],
  ["up --machine podman", {}, /^--machine podman must be auto, sandbox or container\. /],
  ["up --machine container --machine sandbox", {}, /^--machine is given twice, as container and as sandbox\. /],
  [
    "up --machine sandbox",
    { IMAGE: "example.org/course" },
    /^BYHAND_IMAGE names the image of a container, but BYHAND_MACHINE=sandbox asks for no container\. Unset one of them\.$/,
  ],
  [
    "up --machine sandbox",
    { PRIVILEGE: "privileged" },
    /^BYHAND_PRIVILEGE=privileged works with containers only\. Set BYHAND_MACHINE=container too, or unset BYHAND_PRIVILEGE\.$/,
  ],
  [
    "up --machine container",
    { PRIVILEGE: "sudo" },
    /^BYHAND_PRIVILEGE=sudo works with a sandbox only: .* Unset BYHAND_PRIVILEGE\.$/,
  ],
  ["up", { RUN: "../x" }, /^BYHAND_RUN=\.\.\/x must be the name of a folder in BYHAND_RUNS\. /],
  ["up", { EXCEPT: "05,6" }, /^BYHAND_EXCEPT names 6, which is neither a lesson .* Did you mean 06\?$/],
  [
    "up",
    { EXCEPT: "put says OK, gets prints key and value" },
    /^BYHAND_EXCEPT names gets prints key and value, .* Did you mean get prints key and value\?$/,
  ],
  ["up", { SABOTAGE: "etcd-killed" }, /^BYHAND_SABOTAGE is set, but byhand up does not break clusters/],
  // A mirror's password must not be printed, however the address is malformed.
  ...["ftp://u:secret@h", "u:secret@h", "http:u:secret@h", "http://u:secret@h:99999", "http://secret@"].map(
    (given): Try => ["transcript", { MIRROR: given }, /^BYHAND_MIRROR=\S*…@\S* must be an http or https address\. /],
  ),
  [
    "transcript",
    { MIRROR: "http://u:secret@h@h" },
    /^BYHAND_MIRROR=http:\/\/…@h must not contain a name or password: /,
  ],
  [
    "transcript",
    { MIRROR: "https://u:secret@h/path" },
    /^BYHAND_MIRROR=https:\/\/…@h\/path must not contain a name or password: /,
  ],
  [
    "transcript",
    { MIRROR: "https://h/?token=secret" },
    /^BYHAND_MIRROR=https:\/\/h\/\?… must be an address without \? and #, /,
  ],
  ...["", "nowhere", "http://", "file:///srv"].map((given): Try => [
    "transcript",
    { MIRROR: given },
    /^BYHAND_MIRROR=.* must be an http or https address\. /,
  ]),
  // Folders.
  ...["RUNS", "CACHE", "BIN_DIR"].flatMap((name): Try[] => [
    ["status", { [name]: "" }, new RegExp(`^BYHAND_${name}= is empty\\. `)],
    ["status", { [name]: `${HERE}/file` }, new RegExp(`^BYHAND_${name}=\\S+/file is a file, not a folder\\. `)],
    [
      "status",
      { [name]: `${HERE}/file/in/it` },
      new RegExp(`^BYHAND_${name}=\\S+ lies in a file, not in a folder\\. `),
    ],
    [
      "status",
      { [name]: "/tmp/a\tb" },
      new RegExp(`^BYHAND_${name}=/tmp/a\\\\u\\{9\\}b must not contain control characters or backslashes\\. `),
    ],
    [
      "status",
      { [name]: "/tmp/a\\b" },
      new RegExp(`^BYHAND_${name}=/tmp/a\\\\b must not contain control characters or backslashes\\. `),
    ],
    [
      "status",
      { [name]: `/tmp/${"x".repeat(300)}` },
      new RegExp(`^BYHAND_${name}=/tmp/x+… is no folder: ENAMETOOLONG`),
    ],
  ]),
  [
    "up",
    { RUNS: "/proc/nothing" },
    /^\/proc\/nothing, the folder for runs, cannot be written to: .* name another folder in BYHAND_RUNS\.$/,
  ],
  [
    "up",
    { CACHE: "/proc/nothing" },
    /^\/proc\/nothing, the folder for the cache, cannot be written to: .* name another folder in BYHAND_CACHE\.$/,
  ],
  [
    "up",
    { RUNS: `/tmp/${"x".repeat(90)}` },
    /^BYHAND_RUNS=\/tmp\/x+ is too long: .* Choose a folder whose path has at most \d\d bytes\.$/,
  ],
  ["up", { RUNS: `/tmp/${"ö".repeat(40)}` }, /^BYHAND_RUNS=\/tmp\/ö+ is too long: /],
  ["up", { RUNS: "/tmp/a,b" }, /^BYHAND_RUNS=\/tmp\/a,b must not contain a comma: /],
  ["up", { BIN_DIR: `${HERE}/nowhere` }, /^BYHAND_BIN_DIR=\S+\/nowhere does not exist\. /],
  ["up", { BIN_DIR: `${HERE}/empty` }, /^BYHAND_BIN_DIR=\S+\/empty has none of the programs .*: etcd, /],
  [
    "up",
    { BIN_DIR: `${HERE}/folder` },
    /\/folder\/etcd, in the folder that BYHAND_BIN_DIR names, is a folder, not a program\. /,
  ],
  ["up", { BIN_DIR: `${HERE}/plain` }, /\/plain\/etcd, .*, may not be run by this user: chmod \+x may be missing\. /],
  ["up", { BIN_DIR: `${HERE}/foreign` }, /\/foreign\/etcd, .*, is for another architecture than this host's\. /],
  ["up", { BIN_DIR: `${HERE}/dangling` }, /\/dangling\/etcd, .*, is a link that leads nowhere\. /],
  [
    "up",
    { BIN_DIR: `${HERE}/text` },
    /\/text\/etcd, .*, is neither a program nor a script that names its interpreter\. /,
  ],
  ["up", { BIN_DIR: `${HERE}/chatty` }, /\/chatty\/etcd, .*, does not say its version but "hello"\. /],
  ["up", { BIN_DIR: `${HERE}/none` }, /\/none\/etcd, .*, is empty\. /],
]

/** Fails for an ordinary user, because only root may do it. */
const OF_A_USER: readonly Try[] = [
  ["status", { RUNS: `${HERE}/closed` }, /^BYHAND_RUNS=\S+\/closed may not be read by this user\. /],
  ["up", { CACHE: `${HERE}/closed/in/it` }, /^BYHAND_CACHE=\S+ may not be read by this user\. /],
  ["up", { BIN_DIR: `${HERE}/closed` }, /^BYHAND_BIN_DIR=\S+\/closed may not be read by this user\. /],
  [
    "up",
    { CACHE: `${HERE}/fixed/new` },
    /\/fixed\/new, the folder for the cache, cannot be written to: EACCES.* name another folder in BYHAND_CACHE\.$/,
  ],
  ["grade 01", { CACHE: `${HERE}/fixed/new` }, /\/fixed\/new, the folder for the cache, cannot be written to: EACCES/],
  [
    "up",
    { RUNS: `${HERE}/fixed` },
    /\/fixed, the folder for runs, cannot be written to: EACCES.* name another folder in BYHAND_RUNS\.$/,
  ],
  ["up", { PRIVILEGE: "root" }, /^BYHAND_PRIVILEGE=root, but this user is not root\. /],
]

/** Each takes about a second, so each kind of wrong input is tried once. */
const OF_VITEST: readonly Try[] = [
  [
    "tests/99-nothing.test.ts",
    {},
    /^No lesson's file has tests\/99-nothing\.test\.ts in its path\. There are tests\/01-etcd\.test\.ts, /,
  ],
  ["01 nothing", {}, /^No lesson's file has nothing in its path\. /],
  [
    "01 --tags-filter=observin",
    {},
    /^There is no tag observin\. Did you mean observing\? There are observing, disturbing, destroying\.$/,
  ],
  ["01 --shard=9/3", {}, /^--shard=9\/3 names no part of the lessons\. Write, for example: --shard=1\/3$/],
  ["01 --reporter=nosuch", {}, /^There is no reporter nosuch\. There are byhand, /],
  ["01 -t nonsense", {}, /^No test of lesson 01 has nonsense in its title\. /],
  ["01 nothing --reporter=dot", {}, /^No lesson's file has nothing in its path\. /],
  ["01 -t nonsense --reporter=default --reporter=junit", {}, /^No test of lesson 01 has nonsense in its title\. /],
  ["01", { RESULT: `${HERE}/nowhere/result.json` }, /^BYHAND_RESULT=\S+ cannot be written: ENOENT/],
  ["01", { SUDO_FILE: `${HERE}/nowhere` }, /^BYHAND_SUDO_FILE=\S+ is not a file\./],
  ["01", { SUDO_FILE: "/etc/passwd" }, /^BYHAND_SUDO_FILE=\S+ can be read by other users: chmod 600\./],
  ["01", { PATIENC: "5" }, /^There is no setting BYHAND_PATIENC\. Did you mean BYHAND_PATIENCE\?$/],
  ["01", { KUBERNETES: "9.9.9" }, VERSIONS],
  ["01", { EXCEPT: "nothing" }, /^BYHAND_EXCEPT names nothing, /],
  ["01", { RUNS: "/proc/nothing" }, /^\/proc\/nothing, the folder for runs, cannot be written to: /],
  ["01", { CACHE: "/proc/nothing" }, /^\/proc\/nothing, the folder for the cache, cannot be written to: /],
  ["01", { BIN_DIR: `${HERE}/foreign` }, /\/foreign\/etcd, .*, is for another architecture than this host's\. /],
]

const BYHAND = [join(packageRoot, "dist", "cli", "main.js")]
const VITEST = [join(packageRoot, "node_modules", "vitest", "vitest.mjs"), "run"]
const NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
const isRoot = process.getuid?.() === 0

/**
 * Runs a program of this package with wrong input. Expects one line on standard error, exit status 2, and no new
 * folder.
 */
async function expectRefusal(
  program: readonly string[],
  [words, settings, line]: Try,
  before: readonly string[] = [],
): Promise<void> {
  const runs = join(here, randomUUID())
  const given = Object.entries({ RUNS: runs, CACHE: join(here, "cache"), ...settings }).map(([name, value]) => [
    `BYHAND_${name}`,
    value.replace(HERE, here),
  ])
  const inherited = Object.keys(process.env)
    .filter((name) => name.startsWith("BYHAND_"))
    .map((name) => [name, undefined])
  const [file = "", ...args] = [
    ...before,
    process.execPath,
    ...program,
    ...words
      .replace(HERE, here)
      .split(" ")
      .filter((word) => word !== ""),
  ]
  const {
    exitCode,
    stdout,
    stderr: printed,
  } = await execa(file, args, {
    cwd: packageRoot,
    reject: false,
    stdin: "ignore",
    timeout: 60_000,
    env: { ...Object.fromEntries(inherited), ...Object.fromEntries(given), NO_COLOR: "1" },
  })
  // On a slow host, vite notes that loading vitest.config.ts took long.
  const stderr = printed.replace(/\[PLUGIN_TIMINGS\][^]*?for more details\.\s*/, "")
  expect({ exitCode, stdout, lines: stderr.split("\n").length }, stderr).toEqual({ exitCode: 2, stdout: "", lines: 1 })
  expect(stderr).toMatch(line)
  // oxlint-disable-next-line no-control-regex -- the message must not control a terminal
  expect(stderr).not.toMatch(/secret|[\u0000-\u001f\u007f-\u009f]/)
  expect(
    [runs, "/tmp/a,b", "/tmp/a\tb"].filter((folder) => existsSync(folder)),
    "folders that were made",
  ).toEqual([])
}

const called = ([words, settings]: Try) =>
  `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value.slice(0, 60)} `)
    .join("")}${words.slice(0, 60)}`

describe("byhand refuses in one line, before anything starts", () => {
  test.concurrent.each(OF_BYHAND.map((attempt) => ({ attempt, title: called(attempt) })))("$title", ({ attempt }) =>
    expectRefusal(BYHAND, attempt),
  )
})

// If this test runs as root, the child runs as the user nobody, who must be able to read this package.
const canBecomeNobody =
  !isRoot || (await execa("setpriv", [...NOBODY, "test", "-r", BYHAND[0] ?? ""], { reject: false })).exitCode === 0
describe.skipIf(!canBecomeNobody)("byhand refuses an ordinary user", () => {
  test.concurrent.each(OF_A_USER.map((attempt) => ({ attempt, title: called(attempt) })))("$title", ({ attempt }) =>
    expectRefusal(BYHAND, attempt, isRoot ? ["setpriv", ...NOBODY] : []),
  )
})

describe("vitest run refuses in one line, before anything starts", () => {
  test.each(OF_VITEST.map((attempt) => ({ attempt, title: called(attempt) })))("$title", ({ attempt }) =>
    expectRefusal(VITEST, attempt),
  )
})

test("the lessons and titles of the LessonSpecs are those that vitest finds", async () => {
  const { stdout } = await execa(process.execPath, [VITEST[0] ?? "", "list", "--json"], {
    cwd: packageRoot,
    env: { BYHAND_RUNS: here },
  })
  // The output that vitest documents.
  const found = (JSON.parse(stdout) as { name: string; file: string }[]).map(({ name, file }) => `${file} ${name}`)
  const read = lessons.flatMap((lesson) =>
    titlesOf(lesson).map((title) => `${testFileOf(lesson)} ${lessonId(lesson)} ${lesson.title} > ${title}`),
  )
  expect(read).toEqual(found)
})
