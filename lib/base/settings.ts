import { accessSync, constants, existsSync, statSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { z } from "zod"
import { messageOf, UsageError } from "./errors.ts"
import { nearest } from "./nearest.ts"

// The list of what a machine is given is written in lines and tabs, and vite takes a backslash for a slash.
const path = z
  .string()
  .min(1, "is empty")
  .regex(/^[^\p{Cc}\\]*$/u, "must not hold control characters or backslashes")
  .transform((given) => resolve(given))
  .superRefine((given, context) => {
    const problem = problemOf(given)
    if (problem !== undefined) context.addIssue(problem)
  })
const flag = z
  .enum(["", "0", "1", "false", "true"], "must be 1 or 0")
  .transform((given) => given === "1" || given === "true")
const list = z.string().transform((given) =>
  given
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
)

const TOO_LONG = "must be at most 86400, a day"

const schema = z.strictObject({
  /** Version of Kubernetes, without the v. */
  BYHAND_KUBERNETES: z
    .string()
    .transform((given) => given.replace(/^v/, ""))
    .pipe(z.string().regex(/^\d+\.\d+\.\d+$/, "must be a version such as 1.37.2"))
    .default("1.37.2"),
  /** A folder with binaries that win over every other source. */
  BYHAND_BIN_DIR: path.refine(existsSync, "is not there").optional(),
  /** Where downloads, builds and images are kept. */
  BYHAND_CACHE: path.default(defaultCache),
  /** Where each run has its folder; short, since sockets lie in it. */
  BYHAND_RUNS: path.default(() => resolve(tmpdir(), `byhand-${process.getuid?.() ?? 0}`)),
  /** Base address of a mirror, laid out as the official release hosts are, in folders named after them. */
  BYHAND_MIRROR: z
    .url({ protocol: /^https?$/, error: "must be an http or https address" })
    .refine(
      (given) => !given.includes("@"),
      "must not hold a name or password: they would be seen in messages and lists of processes",
    )
    .refine((given) => !/[?#]/.test(given), "must be an address without ? and #, since paths are added to it")
    .optional(),
  /** How long a component may take to become ready, in seconds. Slow machines need more; nothing waits longer than it must. */
  BYHAND_PATIENCE: z
    .string()
    .min(1, "is empty")
    .regex(/^-?\d+(\.\d+)?$/, "must be a number of seconds")
    .transform(Number)
    .pipe(z.number(TOO_LONG).positive("must be more than 0").max(86_400, TOO_LONG))
    .default(120),
  /** Count "cannot check here" as failed. */
  BYHAND_STRICT: flag.default(false),
  /** Lessons (05) or titles of tests that strict does not count. */
  BYHAND_EXCEPT: list.default([]),
  /** What a machine is made of: Linux namespaces of this host, or a container of a Docker engine; auto takes the first that works. */
  BYHAND_MACHINE: z.enum(["auto", "sandbox", "container"], "must be auto, sandbox or container").default("auto"),
  /** How a machine may be made: as root, through sudo, in a user namespace; auto takes the first that works. A container alone can be privileged. */
  BYHAND_PRIVILEGE: z
    .enum(["auto", "root", "sudo", "user", "privileged"], "must be auto, root, sudo, user or privileged")
    .default("auto"),
  /** The image of a machine that is a container, in place of our own. */
  BYHAND_IMAGE: z
    .string()
    .regex(/^[a-z0-9][\w.:/@-]*$/i, "must be the name of an image, such as example.org/course:1")
    .optional(),
  /** Breaks this on purpose, to see what the lessons say of it; `npm run sabotage -- --list` names them. */
  BYHAND_SABOTAGE: z.string().optional(),
  /** The folder of start scripts that is graded, instead of our own cluster; SUBJECT means the same. */
  BYHAND_SUBJECT: path.optional(),
  /** A file to which the run's result is written as JSON. */
  BYHAND_RESULT: z
    .string()
    .min(1, "is empty")
    .transform((given) => resolve(given))
    .optional(),
  /** Print below each outcome that passes the command that shows it. */
  BYHAND_SEE: flag.default(false),
  /** The run's folder of a machine that is there already, and stays; `byhand watch` sets it. */
  BYHAND_RUN: z
    .string()
    .regex(/^[\w-]+$/, "must be the name of a folder in BYHAND_RUNS")
    .optional(),
})

/** The names of all settings, as they are given. */
export const settingNames: readonly string[] = Object.keys(schema.shape)

/** Every setting, validated. Paths are absolute. */
export interface Settings {
  readonly kubernetes: string
  readonly binDir: string | undefined
  readonly cacheDir: string
  readonly runsDir: string
  readonly mirror: string | undefined
  /** Milliseconds. */
  readonly patience: number
  readonly strict: boolean
  readonly except: readonly string[]
  readonly machine: "auto" | "sandbox" | "container"
  readonly privilege: "auto" | "root" | "sudo" | "user" | "privileged"
  /** Of a machine that is a container; undefined for our own. */
  readonly image: string | undefined
  readonly sabotage: string | undefined
  /** A learner's folder; undefined for our own cluster. */
  readonly subject: string | undefined
  /** The file to which the run's result is written as JSON. */
  readonly result: string | undefined
  /** Whether each passed outcome is followed by the command that shows it. */
  readonly see: boolean
  /** Name of a run's folder whose machine is used instead of a new one. */
  readonly run: string | undefined
}

/** The folder that holds package.json, whether this runs from lib/ or from dist/. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/**
 * Reads all settings from the environment.
 * @throws UsageError that names the variable, what is wrong with it, and the nearest right name of an unknown one
 */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const aliases = environment["SUBJECT"] === undefined ? {} : { BYHAND_SUBJECT: environment["SUBJECT"] }
  const given = {
    ...aliases,
    ...Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith("BYHAND_"))),
  }
  const parsed = schema.safeParse(given)
  if (!parsed.success) throw usageError(parsed.error.issues[0], given)
  const values = parsed.data
  return {
    kubernetes: values.BYHAND_KUBERNETES,
    binDir: values.BYHAND_BIN_DIR,
    cacheDir: values.BYHAND_CACHE,
    runsDir: values.BYHAND_RUNS,
    mirror: values.BYHAND_MIRROR?.replace(/\/+$/, ""),
    patience: values.BYHAND_PATIENCE * 1000,
    strict: values.BYHAND_STRICT,
    except: values.BYHAND_EXCEPT,
    machine: values.BYHAND_MACHINE,
    privilege: values.BYHAND_PRIVILEGE,
    image: values.BYHAND_IMAGE,
    sabotage: values.BYHAND_SABOTAGE === "" ? undefined : values.BYHAND_SABOTAGE,
    subject: values.BYHAND_SUBJECT,
    result: values.BYHAND_RESULT,
    see: values.BYHAND_SEE,
    run: values.BYHAND_RUN,
  }
}

function usageError(issue: z.core.$ZodIssue | undefined, given: Record<string, string | undefined>): UsageError {
  if (issue?.code === "unrecognized_keys") {
    const name = issue.keys[0] ?? ""
    return new UsageError(`There is no setting ${name}.`, `Did you mean ${nearest(name, settingNames)}?`)
  }
  const name = String(issue?.path[0])
  return new UsageError(
    `${name}=${shown(name, given[name] ?? "")} ${issue?.message ?? "is not valid"}.`,
    "Correct it, or unset it for the default.",
  )
}

/** In the user's folder for caches, as the XDG base directory specification has it. @throws UsageError where there is no home */
function defaultCache(): string {
  const caches = [() => process.env["XDG_CACHE_HOME"] ?? "", () => join(homedir(), ".cache")]
    .map(orNothing)
    .find(isAbsolute)
  if (caches === undefined)
    throw new UsageError("There is no home folder to keep a cache in.", "Name a folder in BYHAND_CACHE.")
  return join(caches, "byhand")
}

/** A user that has no account has no home either, which homedir throws for. */
function orNothing(ask: () => string): string {
  try {
    return ask()
  } catch {
    return ""
  }
}

/** A value as it may be printed: not endlessly long, and without what may be a password. */
function shown(name: string, value: string): string {
  const open =
    name === "BYHAND_MIRROR" ? value.replace(/^([a-z]+:\/\/)?[^]*@/i, "$1…@").replace(/[?#][^]+$/, "?…") : value
  return open.length > 200 ? `${open.slice(0, 200)}…` : open
}

/** Why a path cannot name a folder to look into; nothing where it can, or where there is nothing yet. */
function problemOf(folder: string): string | undefined {
  try {
    const found = statSync(folder, { throwIfNoEntry: false })
    if (found === undefined) return undefined
    if (!found.isDirectory()) return "is a file, not a folder"
    accessSync(folder, constants.R_OK | constants.X_OK)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ENOTDIR") return "lies in a file, not in a folder"
    return code === "EACCES" ? "may not be read by this user" : `is no folder: ${messageOf(error)}`
  }
  return undefined
}
