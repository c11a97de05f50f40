// Kills runs at random moments and checks that they leave nothing on the host. Each round is one run with one incident.
// usage: npm run soak -- [--rounds N] [--seed N] [--kind NAME]      (root)
import { Command, Option } from "commander"
import { spawnSync } from "node:child_process"
import { readlinkSync } from "node:fs"
import { clearLine, cursorTo } from "node:readline"
import { prepareArtifacts } from "../../clusters/artifacts.ts"
import { componentNames } from "../../components/registry.ts"
import { UsageError } from "../../base/errors.ts"
import { terminalProgress } from "../../base/progress-terminal.ts"
import { readSettings } from "../../base/settings.ts"
import { wholeNumber } from "../../base/whole-number.ts"
import { runCommandLine } from "../command-line.ts"
import { drawFrom } from "../draw.ts"
import { INCIDENTS } from "./incidents.ts"
import { Workspace } from "./workspace.ts"
import { Round, type Durations, type RoundResult } from "./round.ts"
import { summary } from "./summary.ts"
import { TARGETS } from "./targets.ts"

/**
 * The soak restarts itself in its own mount namespace. This environment variable then contains the host's mount
 * namespace.
 */
const OUTSIDE = "SOAK_OUTSIDE"

interface Options {
  readonly rounds: number
  readonly seed?: number
  readonly kind?: string
}

const program = new Command("soak")
  .description("Kills runs at random moments, and checks that they leave nothing on the host. Needs root.")
  .option("--rounds <n>", "the number of rounds", wholeNumber("--rounds", 1), 100)
  .option("--seed <n>", "the same seed makes the same rounds (default: a random one)", wholeNumber("--seed"))
  .addOption(new Option("--kind <name>", "only this kind of incident").choices(INCIDENTS.map(({ name }) => name)))
  .exitOverride()
  .action(async (options: Options) => {
    if (process.getuid?.() !== 0)
      throw new UsageError(
        "The soak looks at all processes and mounts of this host, and only root can see them.",
        "Run it as root.",
      )
    process.exitCode = hasMountsOfItsOwn() ? await soak(options) : inItsOwnMountNamespace()
  })

async function soak({ rounds, seed = Math.floor(Math.random() * 1_000_000), kind }: Options): Promise<number> {
  const incidents = INCIDENTS.filter(({ name }) => kind === undefined || name === kind)
  const settings = readSettings()
  await prepareArtifacts(componentNames, settings, terminalProgress())
  const started = performance.now()
  const results: RoundResult[] = []
  await using workspace = await Workspace.make(settings)
  let isLast = false
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (isLast) void workspace[Symbol.asyncDispose]().finally(() => process.exit(1))
      isLast = true // The current round still ends normally. A second Ctrl-C does not wait for it.
    })
  }
  console.log(`${rounds} rounds, --seed ${seed}`)
  const kept = await workspace.bringUpKept()
  const durations: Durations = new Map()
  for (let round = 1; round <= rounds && !isLast; round++) {
    // A round's own seed determines all of it, so that the round can be repeated alone.
    const own = seed + round - 1
    const draw = drawFrom(own)
    // Do not change this word: with another word, a seed gives another incident.
    const incident = draw.of("kind", incidents)
    const target = draw.of(
      "target",
      TARGETS.filter(({ what }) => incident.on?.includes(what) !== false),
    )
    show(`round ${round} of ${rounds}: ${incident.name}, ${target.name}`)
    const result = await new Round({ workspace, incident, target, draw, kept }).play(durations)
    results.push(result)
    if (result.problems.length === 0) continue
    show("")
    const moment = result.moment === undefined ? "" : ` after ${result.moment.toFixed(2)} s`
    console.log(
      [
        `FAIL round ${round}: ${incident.name} on ${target.name}${moment}. Again: npm run soak -- --rounds 1 --seed ${own} --kind ${incident.name}`,
        ...result.problems,
      ].join("\n  "),
    )
  }
  show("")
  console.log(summary(results, (performance.now() - started) / 1000))
  return results.length === rounds && results.every(({ problems }) => problems.length === 0) ? 0 : 1
}

/**
 * Whether this process has its own mount namespace. It needs one, because the soak's disk must not appear on the host.
 */
function hasMountsOfItsOwn(): boolean {
  const outside = process.env[OUTSIDE]
  return outside !== undefined && outside !== mountNamespace()
}

function mountNamespace(): string {
  return readlinkSync("/proc/self/ns/mnt")
}

function inItsOwnMountNamespace(): number {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined)
  return (
    spawnSync("unshare", ["--mount", process.execPath, ...process.argv.slice(1)], {
      stdio: "inherit",
      env: { ...process.env, [OUTSIDE]: mountNamespace() },
    }).status ?? 1
  )
}

/**
 * Shows one line on a terminal and replaces the line before it. Prints nothing if the output is not a terminal, as in
 * CI.
 */
function show(line: string): void {
  if (!process.stderr.isTTY) return
  cursorTo(process.stderr, 0)
  clearLine(process.stderr, 0)
  process.stderr.write(line)
}

await runCommandLine(program)
