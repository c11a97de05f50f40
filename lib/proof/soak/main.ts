// Kills runs at random moments and checks that they leave nothing on the host. Each round is one run with one incident.
// usage: npm run soak -- [--rounds N] [--seed N] [--kind NAME]      (root)
import { spawnSync } from "node:child_process"
import { readlinkSync } from "node:fs"
import { clearLine, cursorTo } from "node:readline"
import { parseArgs } from "node:util"
import { prepareArtifacts } from "../../clusters/artifacts.ts"
import { componentNames } from "../../components/registry.ts"
import { messageOf, UsageError } from "../../base/errors.ts"
import { nearest } from "../../base/nearest.ts"
import { terminalProgress } from "../../base/progress-terminal.ts"
import { readSettings } from "../../base/settings.ts"
import { drawFrom } from "../draw.ts"
import { INCIDENTS, type Incident } from "./incidents.ts"
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
  readonly seed: number
  readonly incidents: readonly Incident[]
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = error instanceof UsageError ? 2 : 1
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2))
  if (process.getuid?.() !== 0)
    throw new UsageError(
      "The soak looks at all processes and mounts of this host, and only root can see them.",
      "Run it as root.",
    )
  return hasMountsOfItsOwn() ? soak(options) : inItsOwnMountNamespace()
}

async function soak({ rounds, seed, incidents }: Options): Promise<number> {
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

function optionsOf(argv: readonly string[]): Options {
  const { values } = parsed(argv)
  const whole = (name: "rounds" | "seed", least: number, fallback: number) => {
    const given = values[name] ?? String(fallback)
    if (!/^\d{1,9}$/.test(given) || Number(given) < least)
      throw new UsageError(`--${name} ${given} must be a whole number from ${least} on.`, "Correct it.")
    return Number(given)
  }
  const { kind } = values
  const incidents = INCIDENTS.filter(({ name }) => kind === undefined || name === kind)
  if (incidents.length === 0)
    throw new UsageError(
      `There is no incident of kind ${kind}.`,
      `Did you mean ${nearest(
        kind ?? "",
        INCIDENTS.map(({ name }) => name),
      )}?`,
    )
  return { rounds: whole("rounds", 1, 100), seed: whole("seed", 0, Math.floor(Math.random() * 1_000_000)), incidents }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: { rounds: { type: "string" }, seed: { type: "string" }, kind: { type: "string" } },
    })
  } catch (error) {
    throw new UsageError(messageOf(error).replace(/\.( [^]*)?$/, "") + ".", "Use --rounds N, --seed N or --kind NAME.")
  }
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
