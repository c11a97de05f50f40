#!/usr/bin/env node
import { Command, CommanderError } from "commander"
import { ownVersion } from "../base/version.ts"
import { messageOf, UsageError } from "../base/errors.ts"
import type { ClassOptions } from "./class.ts"
import type { CompareOptions } from "./compare.ts"
import type { GradeOptions } from "./grade.ts"
import type { ClusterOptions, CommonOptions, Outcome, ShellOptions } from "./options.ts"
import type { SubmitOptions } from "./submit.ts"
import type { VerifyOptions } from "./verify.ts"
import { once, wrongUse } from "./wrong-use.ts"

const WRONG_USE = 2

const program = strict(new Command("byhand"))
  .description("A Kubernetes control plane, bootstrapped by hand, as a course that grades itself.")
  .version(`byhand ${ownVersion()}`, "-V, --version", "print the version")
  .addHelpText(
    "after",
    "\nExit status: 0 success, 1 something failed, 2 wrong use. Settings are also read from BYHAND_* variables. Flags take precedence.",
  )
  .enablePositionalOptions()

const MACHINE = [
  "--machine <kind>",
  "kind of a new machine: sandbox (namespaces of this host) or container (default: the first that works)",
  once("--machine", "BYHAND_MACHINE"),
] as const

const LAST = ["--last", "the machine of the last byhand watch or byhand grade --keep"] as const

const ON = [
  "--on <machine>",
  "a further machine of the run, such as node-2; for a cluster of byhand up it is started if it does not run",
  once("--on"),
] as const

/** The list of formats in the help texts of grade and class. Only these commands wait for the modules of the formats. */
const formatList = ["grade", "class"].some((name) => process.argv.includes(name))
  ? (await import("../report/targets.ts")).formatHelp()
  : ""

// Each command imports its modules when it is called, so that no command waits for the modules of another.
command("up", "start a cluster to play with: everything that the lessons start, all at once")
  .option(...MACHINE)
  .option("--empty", "start only the machine with the tools in it, to type the workshop yourself")
  .action(async (options: CommonOptions & { empty?: boolean }) =>
    show(options, await (await import("./up.ts")).up(options)),
  )
command(
  "shell [command...]",
  "open a shell in the machine of the cluster, or run one command there and return its exit status",
)
  .option(...LAST)
  .option(...ON)
  .passThroughOptions()
  .action(async (words: string[], options: ShellOptions) => {
    process.exitCode = await (await import("./shell.ts")).shell(words, options)
  })
command(
  "status",
  "list the running clusters and their components; exit status 1 if a component of a running cluster is not ready",
).action(async (options: CommonOptions) => show(options, await (await import("./status.ts")).status(options)))
command("down", "end a cluster and remove everything in it")
  .option(...LAST)
  .action(async (options: ClusterOptions) => show(options, await (await import("./down.ts")).down(options)))
command(
  "doctor",
  "report what this host can run, and what is wrong with each running cluster (--name: with that cluster only), and why;\nexit status 1 if the lessons without containers cannot run, or if a cluster is not well",
)
  .option(...MACHINE)
  .action(async (options: CommonOptions) => show(options, await (await import("./doctor.ts")).doctor(options)))
command(
  "watch <folder>",
  "grade a folder of start scripts while you write them: the current lesson each time you save a script;\nonly what changed is restarted, and a lesson that passes leads to the next",
)
  .option(...MACHINE)
  .action(async (folder: string, options: CommonOptions) => {
    process.exitCode = await (await import("./watch.ts")).watch(folder, options)
  })
command(
  "hint <lesson> [step]",
  "show help for a lesson, or for one script such as 05-kubelet, in three steps: 1 nudge, 2 direction, 3 answer",
).action(async (lesson: string, step: string | undefined, options: CommonOptions) =>
  show(options, await (await import("./hint.ts")).hint(lesson, step)),
)
command(
  "transcript",
  "print the whole workshop as a bash script, to run as root in an empty machine:\nbyhand up --empty && byhand transcript | byhand shell bash",
)
  .option("--on <machine>", "what is typed on a further machine, such as node-2, at the same time", once("--on"))
  .action(async (options: ShellOptions) => show(options, await (await import("./transcript.ts")).transcript(options)))
command(
  "compare <what> [folder]",
  "byhand compare kubeadm: make a cluster with kubeadm, and show each certificate, flag, file and object of it beside\nthat of our own cluster, or of the cluster that the scripts of a folder start",
)
  .option(...MACHINE)
  .option("--markdown", "print Markdown")
  .action(async (what: string, folder: string | undefined, options: CompareOptions) =>
    show(options, await (await import("./compare.ts")).compareWith(what, folder, options)),
  )
command(
  "cache [action]",
  "show what the cache contains and how large it is; byhand cache prune removes what no later run needs",
)
  .option("--all", "prune: also remove the binaries and images that no machine uses; the next run fetches them again")
  .action(async (action: string | undefined, options: CommonOptions & { all?: boolean }) =>
    show(options, await (await import("./cache.ts")).cache(action, options)),
  )
command("new <folder>", "create a folder for your own start scripts: goals, hints, a README and a workflow for CI")
  .option(
    "--suite <spec>",
    "where its package.json gets this suite from (default: this version, or the path of this checkout)",
    once("--suite"),
  )
  .option(
    "--for <id>",
    "the student whose cluster must have a port, a range and a name of its own; grading expects them",
    once("--for", "BYHAND_FOR"),
  )
  .action(async (folder: string, options: CommonOptions & { suite?: string; for?: string }) =>
    show(options, await (await import("./new.ts")).newFolder(folder, options)),
  )
command(
  "grade [targets...]",
  "grade all lessons, or those with these numbers, on our own cluster or on the start scripts of a folder:\nbyhand grade my-cluster 03; the same run as `npx vitest run`.\nlocal or ssh://USER@HOST:PORT in place of a folder: look at the cluster that runs on a host, and change nothing",
  "--json [file]",
  "print JSON instead of text, or write it to a file as well",
)
  .option(...MACHINE)
  .option("--strict", "count what cannot be checked here as failed")
  .option(
    "--keep",
    "keep the machine after the run, to look inside: byhand shell --last enters it, byhand down --last ends it",
  )
  .option(
    "--stand-in",
    "if a component of the folder does not start, go on with our own in its place, so that later scripts are graded too;\nthe output marks it, and the exit status stays 1",
  )
  .option(
    "--format <format>",
    `also write the result as FORMAT=FILE, or print it as FORMAT (repeatable):\n${formatList}`,
    (format: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), format],
  )
  .option("--student <id>", "how grade books name the student (default: the name of the folder)", once("--student"))
  .option(
    "--for <id>",
    "the student whose own values the cluster must have (default: the one for whom byhand new has made the folder)",
    once("--for", "BYHAND_FOR"),
  )
  .option(
    "--allow <what>",
    "what may be done to a running host: observe (the default); others are not supported yet",
    once("--allow"),
  )
  .option("--see", "print below each test that passes the command that shows the same")
  .option(
    "--except <list>",
    "lessons or titles of tests, separated by commas, that --strict does not count",
    once("--except"),
  )
  .action(async (targets: string[], options: GradeOptions) => (await import("./grade.ts")).grade(targets, options))
command(
  "submit <folder>",
  "grade a folder of start scripts, and write what the workshop asks for as a folder and an archive;\nnothing is written if it contains a secret (exit status 1)",
)
  .option(...MACHINE)
  .option("--out <dir>", "the new folder to write; the archive is DIR.tar.gz", once("--out"))
  .option("--key <file>", "ssh key that signs the submission (ssh-keygen -Y sign)", once("--key"))
  .option("--student <id>", "name of the student (default: the name of the folder)", once("--student"))
  .action(async (folder: string, options: SubmitOptions) =>
    show(options, await (await import("./submit.ts")).submit(folder, options)),
  )
command(
  "class [file]",
  "grade many students, several at the same time, and print a grade book and who is stuck on what:\nclass.yaml lists the students and the rules; exit status 1 if a student has no grade. A later run grades only what has changed",
)
  .option(...MACHINE)
  .option(
    "--inventory <file>",
    "a file that lists the students: CSV (id; folder, git, archive or host; ref, submitted, due),\nan OpenSSH configuration, or an Ansible inventory (INI or YAML)",
    once("--inventory"),
  )
  .option("--shard <n/m>", "grade part n of m of the students, so that several jobs share the work", once("--shard"))
  .option(
    "--merge <book...>",
    "grade no student, and make one grade book from the book.json of several runs; of two results of a student, the newer one counts",
  )
  .option("--csv <file>", "also write the grade book as CSV", once("--csv"))
  .option("--html <file>", "also write the grade book, and who is stuck on what, as one HTML page", once("--html"))
  .option("--out <dir>", "where results are kept (default: byhand-class)", once("--out"))
  .option(
    "--parallel <n>",
    "how many students are graded at the same time (default: half of the processors)",
    once("--parallel"),
  )
  .option("--limit <seconds>", "how long the grading of one student may take (default: 900)", once("--limit"))
  .option("--resume", "continue an interrupted run: students who have finished in it are not looked at again")
  .option("--stand-in", "as in byhand grade --stand-in")
  .option(
    "--similar",
    "also list keys that several folders contain, scripts that are alike without being the workshop's own,\nand hosts that were copied; no points change",
  )
  .option(
    "--earlier <book>",
    "a book.json of another class, whose hosts are compared too (repeatable)",
    (book: string, before: readonly string[] | undefined) => [...(before ?? []), book],
  )
  .option(
    "--format <format>",
    `also write the results as FORMAT=FILE (repeatable); {id} in FILE stands for the student, and moodle and canvas\ncan have one file for all:\n${formatList}`,
    (format: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), format],
  )
  .action(async (file: string | undefined, { merge, ...options }: ClassOptions & { merge?: readonly string[] }) => {
    process.exitCode =
      merge === undefined
        ? await (await import("./class.ts")).gradeStudents(file, options)
        : (await import("./class-merge.ts")).mergeClass(file, merge, options)
  })
command("verify <dir>", "check whether a submission was edited, and who signed it; exit status 1 if something is wrong")
  .option(...MACHINE)
  .option("--signers <file>", "who may sign: ALLOWED SIGNERS of ssh-keygen(1)", once("--signers"))
  .option(
    "--identity <id>",
    "who must have signed (default: the student whom the submission names)",
    once("--identity"),
  )
  .option("--rerun", "also grade the scripts here, and compare the verdicts")
  .action(async (folder: string, options: VerifyOptions) =>
    show(options, await (await import("./verify.ts")).verify(folder, options)),
  )
command(
  "replay <dir> <lesson> [command...]",
  "run the scripts of a submission up to a lesson, and open a shell on the machine as it is then, or run one command there",
)
  .option(...MACHINE)
  .passThroughOptions()
  .action(async (folder: string, lesson: string, words: string[], options: CommonOptions) => {
    process.exitCode = await (await import("./replay.ts")).replay(folder, lesson, words, options)
  })

function command(nameAndArguments: string, description: string, json = "--json", forPrograms = "print JSON"): Command {
  return strict(program.command(nameAndArguments))
    .description(description)
    .option(
      "--kubernetes <version>",
      "version of Kubernetes, such as 1.37.2",
      once("--kubernetes", "BYHAND_KUBERNETES"),
    )
    .option(
      "--name <name>",
      "name of the cluster, if there are several (default: byhand, or the only one that is up)",
      once("--name"),
    )
    .option(json, forPrograms)
}

/** A usage error is printed at the end of this file, in one line. */
function strict(command: Command): Command {
  return command.configureOutput({ writeErr: () => undefined }).exitOverride((error) => {
    throw error.exitCode === 0 ? error : wrongUse(error, command)
  })
}

function show({ json }: CommonOptions, { text, data, exitCode }: Outcome): void {
  process.stdout.write(json === true ? `${JSON.stringify(data, undefined, 2)}\n` : text)
  process.exitCode = exitCode ?? 0
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) {
    // commander has already printed the help text.
    process.stderr.write(`${messageOf(error)}\n`)
    process.exitCode = error instanceof UsageError ? WRONG_USE : 1
  }
}
// Connections to a machine that continues to run would keep this process alive.
process.stdout.write("", () => process.exit())
