import { createHash } from "node:crypto"
import { watch as watchFolder } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { deferred } from "../base/deferred.ts"
import { messageOf } from "../base/errors.ts"
import { lessonNumberOf, readFolder, type Folder } from "../subjects/folder.ts"

/** How long to wait after a change, because an editor writes a file in several steps (milliseconds). */
const SETTLE = 50
/**
 * Milliseconds. Node watches a folder's subfolders only some time after it was told to, and misses what changes before
 * that.
 */
const LOOK_AGAIN = 1_000

/** A learner's folder at one moment: its scripts, and the digest of each file. */
interface Snapshot {
  readonly folder: Folder
  readonly digests: ReadonlyMap<string, string>
}

/** What was saved since the last time. */
export interface Saved {
  /** The files whose content has changed, or that are new or gone. */
  readonly files: readonly string[]
  /** The lowest number of a script that must run again. */
  readonly earliest: number
}

/**
 * Watches a learner's folder. A change counts when a script, a file that a script names, or a table of a lesson has another
 * content.
 */
export class SavedFiles implements Disposable {
  readonly #path: string
  readonly #watcher: ReturnType<typeof watchFolder>
  readonly #timer: NodeJS.Timeout
  readonly #complain: (message: string) => void
  #before: Snapshot
  #wake: () => void = () => undefined
  #complaint = ""

  private constructor(path: string, before: Snapshot, complain: (message: string) => void) {
    this.#path = path
    this.#before = before
    this.#complain = complain
    const wake = () => this.#wake()
    this.#watcher = watchFolder(path, { recursive: true }, wake).on("error", wake)
    this.#timer = setInterval(wake, LOOK_AGAIN)
  }

  /**
   * @param complain is called with the reason if the folder cannot be read for a while
   * @throws UsageError if the path is not a folder with start scripts
   */
  static async in(path: string, complain: (message: string) => void): Promise<SavedFiles> {
    return new SavedFiles(path, await snapshot(path), complain)
  }

  /**
   * Waits for the next change since the last call. A change that came before this call counts too.
   * @param signal ends the wait: then the change is reported by the next call
   * @returns undefined if the wait was ended
   */
  async next(signal: AbortSignal): Promise<Saved | undefined> {
    while (!signal.aborted) {
      const saved = await this.#look()
      if (saved !== undefined && !signal.aborted) {
        this.#before = saved.now
        return saved
      }
      await this.#woken(signal)
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, SETTLE))
    }
    return undefined
  }

  /** Resolves when a file may have changed, or when the signal is aborted. */
  async #woken(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = deferred<void>()
    const stop = () => resolve()
    this.#wake = stop
    signal.addEventListener("abort", stop)
    await promise
    signal.removeEventListener("abort", stop)
  }

  async #look(): Promise<(Saved & { now: Snapshot }) | undefined> {
    const { folder: before, digests: old } = this.#before
    const now = await snapshot(this.#path).catch((error: unknown) => {
      if (messageOf(error) !== this.#complaint) this.#complain(messageOf(error))
      this.#complaint = messageOf(error)
    })
    if (now === undefined) return undefined
    this.#complaint = ""
    const fingerprints = new Map(before.scripts.map(({ name, fingerprint }) => [name, fingerprint]))
    const names = [...new Set([...old.keys(), ...now.digests.keys()])].toSorted()
    const files = names.filter((name) => old.get(name) !== now.digests.get(name))
    const changed = [
      ...now.folder.scripts.filter(({ name, fingerprint }) => fingerprints.get(name) !== fingerprint),
      ...before.scripts.filter(({ name }) => !now.folder.scripts.some((script) => script.name === name)),
    ].map(({ number }) => number)
    // A lesson can have a table to fill in instead of a script.
    const numbers = [...changed, ...files.flatMap((name) => lessonNumberOf(name) ?? [])]
    if (numbers.length === 0) return undefined
    return {
      files,
      earliest: Math.min(...numbers),
      now,
    }
  }

  [Symbol.dispose](): void {
    this.#watcher.close()
    clearInterval(this.#timer)
  }
}

async function snapshot(path: string): Promise<Snapshot> {
  const folder = await readFolder(path)
  const digests = await Promise.all(
    folder.files.map(async ({ name }): Promise<[string, string]> => {
      const content = await readFile(join(path, name))
      return [name, createHash("sha256").update(content).digest("hex")]
    }),
  )
  return { folder, digests: new Map(digests) }
}
