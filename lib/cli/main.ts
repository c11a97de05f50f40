#!/usr/bin/env node
import { Command, CommanderError } from "commander"
import { messageOf, UsageError } from "../base/errors.ts"
import type { GradeOptions } from "./grade.ts"
import type { CommonOptions, Outcome } from "./options.ts"
import { once, wrongUse } from "./wrong-use.ts"

const WRONG_USE = 2

const program = strict(new Command("byhand"))
  .description("A Kubernetes control plane, bootstrapped by hand, as a course that grades itself.")
  .addHelpText(
    "after",
    "\nExit status: 0 fine, 1 something failed, 2 wrong use. Settings are read from BYHAND_* too; flags win.",
  )
  .enablePositionalOptions()

const MACHINE = [
  "--machine <kind>",
  "what a new machine is made of: sandbox (namespaces of this host) or container (default: the first that works)",
  once("--machine"),
] as const

// What a command is made of is imported when it is called: nobody waits for what is not used.
command("up", "bring up a cluster to play with: what lessons 01 to 06 bring up, all at once")
  .option(...MACHINE)
  .option("--empty", "only the machine with the tools in it, to type the workshop yourself")
  .action(async (options: CommonOptions & { empty?: boolean }) =>
    show(options, await (await import("./up.ts")).up(options)),
  )
command("shell [command...]", "a shell inside the cluster's machine, or one command, whose exit status is passed on")
  .passThroughOptions()
  .action(async (words: string[], options: CommonOptions) => {
    process.exitCode = await (await import("./shell.ts")).shell(words, options)
  })
command(
  "status",
  "the clusters that run and each component of them; exit status 1 where one is up but not all of it is ready",
).action(async (options: CommonOptions) => show(options, await (await import("./status.ts")).status(options)))
command("down", "end a cluster and all that is in it").action(async (options: CommonOptions) =>
  show(options, await (await import("./down.ts")).down(options)),
)
command(
  "doctor",
  "what this host can run, what is wrong with each cluster that is up (--name: with that one), and why;\nexit status 1 where lessons 01 to 04 cannot run in full, or a cluster is not well",
)
  .option(...MACHINE)
  .action(async (options: CommonOptions) => show(options, await (await import("./doctor.ts")).doctor(options)))
command(
  "watch <folder>",
  "grade a folder of start scripts while you write them: each time one is saved, the lesson at hand;\nwhat need not restart keeps running, and what passes moves on to the next",
)
  .option(...MACHINE)
  .action(async (folder: string, options: CommonOptions) => {
    process.exitCode = await (await import("./watch.ts")).watch(folder, options)
  })
command(
  "hint <lesson> [step]",
  "help with a lesson, or with one script such as 05-kubelet, in three steps: 1 a nudge, 2 the direction, 3 the answer",
).action(async (lesson: string, step: string | undefined, options: CommonOptions) =>
  show(options, await (await import("./hint.ts")).hint(lesson, step)),
)
command(
  "transcript",
  "the whole workshop as a bash script, to run as root in an empty machine:\nbyhand up --empty && byhand transcript | byhand shell bash",
).action(async (options: CommonOptions) => show(options, await (await import("./transcript.ts")).transcript(options)))
command(
  "new <folder>",
  "lay out a folder for start scripts of your own, to be graded: goals, hints, a README and a workflow for CI",
)
  .option(
    "--suite <spec>",
    "what its package.json names as this suite (default: this version, or this checkout's path)",
    once("--suite"),
  )
  .action(async (folder: string, options: CommonOptions & { suite?: string }) =>
    show(options, await (await import("./new.ts")).newFolder(folder, options)),
  )
command(
  "grade [targets...]",
  "all lessons, or those with these numbers, on our own cluster or on that of a folder's start scripts:\nbyhand grade my-cluster 03; the same run as `npx vitest run`",
  "--json [file]",
  "for programs to read: to a file besides, or instead of what people read",
)
  .option(...MACHINE)
  .option("--strict", "count what cannot be checked here as failed")
  .option(
    "--except <list>",
    "lessons or titles of tests, comma-separated, that --strict does not count",
    once("--except"),
  )
  .action(async (targets: string[], options: GradeOptions) => (await import("./grade.ts")).grade(targets, options))

function command(
  nameAndArguments: string,
  description: string,
  json = "--json",
  forPrograms = "for programs to read",
): Command {
  return strict(program.command(nameAndArguments))
    .description(description)
    .option("--kubernetes <version>", "version of Kubernetes, such as 1.37.2", once("--kubernetes"))
    .option("--name <name>", "name of the cluster, where there are several (default: byhand)", once("--name"))
    .option(json, forPrograms)
}

/** What is wrong with the words that were given is said below, in one line. */
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
    // Which help is, once it has been shown.
    process.stderr.write(`${messageOf(error)}\n`)
    process.exitCode = error instanceof UsageError ? WRONG_USE : 1
  }
}
// Whatever is still open, such as the connections to a machine that lives on, is of no use any more.
process.stdout.write("", () => process.exit())
