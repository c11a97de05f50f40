import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { watch as watchFolder } from "node:fs"
import { join, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { prepareArtifacts } from "../clusters/artifacts.ts"
import { componentNames } from "../components/registry.ts"
import { checkExcept } from "../curriculum/except.ts"
import { admit } from "../machines/admission.ts"
import { messageOf } from "../base/errors.ts"
import { lessonId, lessons as all } from "../curriculum/lessons.ts"
import { LIMITS_OF_SCRIPTS } from "../machines/limits.ts"
import { chooseProvider } from "../machines/providers.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import { packageRoot } from "../base/settings.ts"
import { readFolder, type Folder } from "../subjects/folder.ts"
import { settingsOf, type CommonOptions } from "./options.ts"

/** How long to wait after a change, because an editor writes a file in several steps (milliseconds). */
const SETTLE = 50
/**
 * Milliseconds. Node watches a folder's subfolders only some time after it was told to, and misses what changes before
 * that.
 */
const LOOK_AGAIN = 1_000
const INTERRUPTED = 130

/**
 * Grades one lesson on one machine, and again each time a file is saved. When the lesson passes, continues with the
 * next one.
 * @returns the exit status, after an interrupt (Ctrl-C)
 */
export async function watch(given: string, options: CommonOptions): Promise<number> {
  const settings = settingsOf(options)
  const id = `watch-${randomBytes(3).toString("hex")}`
  checkExcept(settings.except)
  await admit(settings, id)
  let folder = await readFolder(resolve(given))
  const lessons = all.map(lessonId)
  const progress = terminalProgress()
  const provider = await chooseProvider(settings)
  await provider.prepare(progress)
  const { binds } = await prepareArtifacts(componentNames, settings, progress)
  const { machine } = await provider.start({ name: "byhand", id, binds, limits: LIMITS_OF_SCRIPTS })
  const interrupted = once(process, "SIGINT")

  const loop = async (): Promise<never> => {
    let lesson = lessons[0]
    for (;;) {
      if (lesson !== undefined && (await passes(folder.path, lesson, id))) {
        lesson = lessons[lessons.indexOf(lesson) + 1]
        if (lesson !== undefined) continue
      }
      process.stdout.write(
        `\n${lesson === undefined ? "Every lesson passes" : `Lesson ${lesson} does not pass`}. Save a file to try again; press Ctrl-C to stop.\n`,
      )
      const changed = await nextChange(folder)
      folder = changed.folder
      // If a script of an earlier lesson has changed, that lesson is graded again first.
      const earliest = changed.lessons.toSorted()[0]
      if (earliest !== undefined && (lesson === undefined || earliest < lesson)) lesson = earliest
    }
  }
  try {
    await Promise.race([loop(), interrupted])
    return INTERRUPTED
  } finally {
    await machine.close()
  }
}

async function passes(folder: string, lesson: string, machine: string): Promise<boolean> {
  const { exitCode } = await execa(
    process.execPath,
    [join(packageRoot, "dist", "cli", "main.js"), "grade", folder, lesson],
    { reject: false, stdin: "ignore", stdout: "inherit", stderr: "inherit", env: { BYHAND_RUN: machine } },
  )
  return exitCode === 0
}

/** Waits until the content of a script, or of a file that the script names, changes. */
async function nextChange(before: Folder): Promise<{ folder: Folder; lessons: string[] }> {
  const watcher = watchFolder(before.path, { recursive: true })
  let complaint = ""
  try {
    for (;;) {
      // A file may have been saved while the lesson ran, so look before waiting.
      const folder = await readFolder(before.path).catch((error: unknown) => {
        if (messageOf(error) !== complaint) process.stderr.write(`${messageOf(error)}\n`)
        complaint = messageOf(error)
      })
      const changed =
        folder?.scripts.filter(
          ({ name, fingerprint }) => before.scripts.find((script) => script.name === name)?.fingerprint !== fingerprint,
        ) ?? []
      if (folder !== undefined && changed.length > 0)
        return { folder, lessons: changed.map(({ number }) => String(number).padStart(2, "0")) }
      const looksAgain = new AbortController()
      // It is aborted below.
      const event = once(watcher, "change", { signal: looksAgain.signal }).catch(() => undefined)
      await Promise.race([event, sleep(LOOK_AGAIN)])
      looksAgain.abort()
      await sleep(SETTLE)
    }
  } finally {
    watcher.close()
  }
}
