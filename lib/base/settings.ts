import { accessSync, constants, existsSync, statSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { z } from "zod"
import { messageOf, UsageError } from "./errors.ts"
import { near } from "./nearest.ts"

// Paths are written into lists that are separated by newlines and tabs, and vite reads a backslash as a slash.
const path = z
  .string()
  .min(1, "is empty")
  .regex(/^[^\p{Cc}\\]*$/u, "must not contain control characters or backslashes")
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

/** The beginning of the name of each setting. */
const PREFIX = "BYHAND_"

/** The patience if none is set (milliseconds). */
export const DEFAULT_PATIENCE = 60_000

const TOO_LONG = "must be at most 86400, a day"

const studentId = z
  .string()
  .min(1, "is empty")
  .regex(/^\P{Cc}*$/u, "must not contain control characters")

const schema = z.strictObject({
  /** Version of Kubernetes, without the v. */
  BYHAND_KUBERNETES: z
    .string()
    .transform((given) => given.replace(/^v/, ""))
    .pipe(z.string().regex(/^\d+\.\d+\.\d+$/, "must be a version such as 1.37.2"))
    .default("1.37.2"),
  /** A folder with binaries that are used before every other source. */
  BYHAND_BIN_DIR: path.refine(existsSync, "does not exist").optional(),
  /** The folder that keeps downloads, builds and images. */
  BYHAND_CACHE: path.default(defaultCache),
  /** Whether Go's module and build caches are kept after a build. */
  BYHAND_KEEP_BUILD: flag.default(false),
  /** The folder that contains the folders of all runs. Its path must be short, because it contains sockets. */
  BYHAND_RUNS: path.default(() => resolve(tmpdir(), `byhand-${process.getuid?.() ?? 0}`)),
  /**
   * The base address of a mirror. It has a folder for each official release host, with the same paths as on that host.
   */
  BYHAND_MIRROR: z
    .url({ protocol: /^https?$/, error: "must be an http or https address" })
    .refine(
      (given) => !given.includes("@"),
      "must not contain a name or password: messages and process lists would show them",
    )
    .refine((given) => !/[?#]/.test(given), "must be an address without ? and #, because paths are appended to it")
    .optional(),
  /**
   * The longest time that a component may take to become ready, in seconds. Slow hosts need more. A wait ends as soon
   * as the component is ready.
   */
  BYHAND_PATIENCE: z
    .string()
    .min(1, "is empty")
    .regex(/^-?\d+(\.\d+)?$/, "must be a number of seconds")
    .transform(Number)
    .pipe(z.number(TOO_LONG).positive("must be more than 0").max(86_400, TOO_LONG))
    .default(DEFAULT_PATIENCE / 1000),
  /** Whether "cannot check here" counts as failed. */
  BYHAND_STRICT: flag.default(false),
  /** Lessons (05) or titles of tests that BYHAND_STRICT does not count. */
  BYHAND_EXCEPT: list.default([]),
  /**
   * What a machine is made of: Linux namespaces of this host, or a container of a Docker engine. auto: the first that
   * works.
   */
  BYHAND_MACHINE: z.enum(["auto", "sandbox", "container"], "must be auto, sandbox or container").default("auto"),
  /**
   * How a machine is made: as root, through sudo, or in a user namespace. auto: the first that works. Only a container
   * can be privileged.
   */
  BYHAND_PRIVILEGE: z
    .enum(["auto", "root", "sudo", "user", "privileged"], "must be auto, root, sudo, user or privileged")
    .default("auto"),
  /** The image for a machine that is a container. The default is the project's own image. */
  BYHAND_IMAGE: z
    .string()
    .regex(/^[a-z0-9][\w.:/@-]*$/i, "must be the name of an image, such as example.org/course:1")
    .optional(),
  /** The sabotage to carry out: it breaks one thing on purpose. `npm run sabotage -- --list` names them. */
  BYHAND_SABOTAGE: z.string().optional(),
  /** A folder in which each diagnosis records its observation, as JSON without secrets. */
  BYHAND_RECORD: path.optional(),
  /** The folder of start scripts to grade. The default is the reference cluster. SUBJECT means the same. */
  BYHAND_SUBJECT: path.optional(),
  /** A running host to grade by looking at it: local, or ssh://USER@HOST:PORT. `byhand grade` sets this. */
  BYHAND_HOST: z
    .string()
    .regex(/^(local|ssh:\/\/\S+)$/, "must be local or ssh://USER@HOST:PORT")
    .optional(),
  /** An OpenSSH configuration with which the running host is reached, instead of those of the user and the system. */
  BYHAND_SSH_CONFIG: z
    .string()
    .min(1, "is empty")
    .transform((given) => resolve(given))
    .optional(),
  /** A file with the password that sudo demands on running hosts. Only its owner may read it. */
  BYHAND_SUDO_FILE: z
    .string()
    .min(1, "is empty")
    .transform((given) => resolve(given))
    .refine((given) => statSync(given, { throwIfNoEntry: false })?.isFile() === true, "is not a file")
    .refine(
      (given) => ((statSync(given, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) === 0,
      "can be read by other users: chmod 600",
    )
    .optional(),
  /** A file to which the run's result is written as JSON. */
  BYHAND_RESULT: z
    .string()
    .min(1, "is empty")
    .transform((given) => resolve(given))
    .optional(),
  /** Formats in which the result is written, such as junit=junit.xml. `byhand grade --format` sets this. */
  BYHAND_FORMAT: list.default([]),
  /** How grade books name the student. The default is the name of the graded folder. */
  BYHAND_STUDENT: studentId.optional(),
  /** The student whose values the cluster must have. The default is the one that the graded folder names. */
  BYHAND_FOR: studentId.optional(),
  /** Whether our own component takes the place of a learner's that does not start. */
  BYHAND_STAND_IN: flag.default(false),
  /** Whether to print, below each passed outcome, the command that shows the outcome. */
  BYHAND_SEE: flag.default(false),
  /** The name of a run's folder. The lessons use its running machine and do not end it. `byhand watch` sets this. */
  BYHAND_RUN: z
    .string()
    .regex(/^[\w-]+$/, "must be the name of a folder in BYHAND_RUNS")
    .optional(),
  /** The name of a run's folder. Its machine keeps running after the lessons. `byhand grade --keep` sets this. */
  BYHAND_KEEP: z
    .string()
    .regex(/^[\w-]+$/, "must be the name of a new folder in BYHAND_RUNS")
    .optional(),
})

/** The names of all settings, as environment variables. */
export const settingNames: readonly string[] = Object.keys(schema.shape)

/** All settings, validated. Paths are absolute. */
export interface Settings {
  readonly kubernetes: string
  readonly binDir: string | undefined
  readonly cacheDir: string
  /** Whether Go's module and build caches are kept after a build. */
  readonly keepBuild: boolean
  readonly runsDir: string
  readonly mirror: string | undefined
  /** Milliseconds. */
  readonly patience: number
  readonly strict: boolean
  readonly except: readonly string[]
  readonly machine: "auto" | "sandbox" | "container"
  readonly privilege: "auto" | "root" | "sudo" | "user" | "privileged"
  /** The image for a machine that is a container. Undefined for the project's own image. */
  readonly image: string | undefined
  readonly sabotage: string | undefined
  /** The folder in which each diagnosis records its observation. Undefined if nothing is recorded. */
  readonly record: string | undefined
  /** A learner's folder. Undefined for the reference cluster. */
  readonly subject: string | undefined
  /** A running host: local, or ssh://USER@HOST:PORT. lib/machines/host/target.ts reads it. */
  readonly host: string | undefined
  /** An OpenSSH configuration that is used instead of those of the user and the system. */
  readonly sshConfig: string | undefined
  /** The file with the password that sudo demands on running hosts. Undefined if a person is asked, on a terminal. */
  readonly sudoFile: string | undefined
  /** The file to which the run's result is written as JSON. */
  readonly result: string | undefined
  /** Formats and files, such as junit=junit.xml. lib/report/targets.ts reads them. */
  readonly format: readonly string[]
  /** How grade books name the student. Undefined for the name of the graded folder. */
  readonly student: string | undefined
  /** The student whose values the cluster must have. Undefined for the one that the graded folder names, if any. */
  readonly for: string | undefined
  /** Whether our own component takes the place of a learner's that does not start. */
  readonly standIn: boolean
  /** Whether each passed outcome is followed by the command that shows it. */
  readonly see: boolean
  /** The name of the run's folder whose machine is used. Undefined for a new machine. */
  readonly run: string | undefined
  readonly keep: string | undefined
  /** Set only in the container that prepares programs for a host: the host cannot reach what is on PATH there. */
  readonly ignoresPath?: true
}

/** The folder with package.json. It is the same for code in lib/ and in dist/. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/**
 * Reads all settings from the environment.
 * @throws UsageError that names the variable and says what is wrong; for an unknown variable, with the most similar
 * known name
 */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const aliases = environment["SUBJECT"] === undefined ? {} : { BYHAND_SUBJECT: environment["SUBJECT"] }
  const given = {
    ...aliases,
    ...Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith(PREFIX))),
  }
  const parsed = schema.safeParse(given)
  if (!parsed.success) throw usageError(parsed.error.issues[0], given)
  const values = parsed.data
  return {
    kubernetes: values.BYHAND_KUBERNETES,
    binDir: values.BYHAND_BIN_DIR,
    cacheDir: values.BYHAND_CACHE,
    keepBuild: values.BYHAND_KEEP_BUILD,
    runsDir: values.BYHAND_RUNS,
    mirror: values.BYHAND_MIRROR?.replace(/\/+$/, ""),
    patience: values.BYHAND_PATIENCE * 1000,
    strict: values.BYHAND_STRICT,
    except: values.BYHAND_EXCEPT,
    machine: values.BYHAND_MACHINE,
    privilege: values.BYHAND_PRIVILEGE,
    image: values.BYHAND_IMAGE,
    sabotage: values.BYHAND_SABOTAGE === "" ? undefined : values.BYHAND_SABOTAGE,
    record: values.BYHAND_RECORD,
    subject: values.BYHAND_SUBJECT,
    host: values.BYHAND_HOST,
    sshConfig: values.BYHAND_SSH_CONFIG,
    sudoFile: values.BYHAND_SUDO_FILE,
    result: values.BYHAND_RESULT,
    format: values.BYHAND_FORMAT,
    student: values.BYHAND_STUDENT,
    for: values.BYHAND_FOR,
    standIn: values.BYHAND_STAND_IN,
    see: values.BYHAND_SEE,
    run: values.BYHAND_RUN,
    keep: values.BYHAND_KEEP,
  }
}

/**
 * Checks the value that a flag of the command line gives a setting.
 * @throws UsageError that names the flag
 */
export function checkSetting(name: keyof typeof schema.shape, value: string, flag: string): void {
  const issue = schema.shape[name].safeParse(value).error?.issues[0]
  if (issue === undefined) return
  throw new UsageError(
    `${flag} ${shown(name, value)} ${issue.message}.`,
    "Correct it, or leave it out for the default.",
  )
}

function usageError(issue: z.core.$ZodIssue | undefined, given: Record<string, string | undefined>): UsageError {
  if (issue?.code === "unrecognized_keys") {
    const name = issue.keys[0] ?? ""
    const meant = near(
      name.slice(PREFIX.length),
      settingNames.map((each) => each.slice(PREFIX.length)),
    )
    return new UsageError(
      `There is no setting ${name}.`,
      meant === undefined ? `There are ${settingNames.join(", ")}.` : `Did you mean ${PREFIX}${meant}?`,
    )
  }
  const name = String(issue?.path[0])
  return new UsageError(
    `${name}=${shown(name, given[name] ?? "")} ${issue?.message ?? "is not valid"}.`,
    "Correct it, or unset it for the default.",
  )
}

/**
 * The folder "byhand" in the user's cache folder (XDG base directory specification).
 * @throws UsageError if the user has no home folder
 */
function defaultCache(): string {
  const caches = [() => process.env["XDG_CACHE_HOME"] ?? "", () => join(homedir(), ".cache")]
    .map(orNothing)
    .find(isAbsolute)
  if (caches === undefined)
    throw new UsageError("This user has no home folder for the cache.", "Name a folder in BYHAND_CACHE.")
  return join(caches, "byhand")
}

/** Returns an empty text if `ask` throws. homedir throws for a user without an account. */
function orNothing(ask: () => string): string {
  try {
    return ask()
  } catch {
    return ""
  }
}

/** A value for a message: shortened, and without the part that can be a password. */
function shown(name: string, value: string): string {
  const open =
    name === "BYHAND_MIRROR" ? value.replace(/^([a-z]+:\/\/)?[^]*@/i, "$1…@").replace(/[?#][^]+$/, "?…") : value
  return open.length > 200 ? `${open.slice(0, 200)}…` : open
}

/** Why a path cannot be used as a folder. Undefined if it can, or if it does not exist yet. */
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
