// Asks network.sh for something, through the FIFO in a run's folder. This happens on the host of the supervisor, which can be
// a container. It imports only Node's own modules, because no other file of the project is inside a container.
import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { open, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** The answer to a request: an exit status, and what the commands have printed. */
export interface Answer {
  readonly status: number
  readonly message: string
}

/** Milliseconds between two looks whether the answer is there. */
const POLL_INTERVAL = 5

/**
 * Sends a request and waits for the answer.
 * @param run the run's folder
 * @param words see network.sh; they contain no special characters
 * @returns undefined if the run has ended
 */
export async function ask(run: string, words: readonly string[]): Promise<Answer | undefined> {
  const id = randomBytes(4).toString("hex")
  const file = join(run, `answer-${id}`)
  if (!(await write(run, `${id} ${words.join(" ")}\n`))) return undefined
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => undefined)
    if (text !== undefined) {
      await rm(file, { force: true })
      const end = text.indexOf("\n")
      return { status: Number(text.slice(0, end)), message: text.slice(end + 1).trim() }
    }
    if (!(await write(run, ""))) return undefined
    await sleep(POLL_INTERVAL)
  }
}

/** Writes to the FIFO. @returns false if no process reads it, because the run has ended */
async function write(run: string, text: string): Promise<boolean> {
  try {
    const fifo = await open(join(run, "requests"), constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      if (text !== "") await fifo.write(text)
    } finally {
      await fifo.close() // Not `await using`: vitest loads its configuration without compiling that, and this file with it.
    }
    return true
  } catch {
    return false
  }
}
