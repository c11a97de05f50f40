import { execa } from "execa"
import { mkdir, readFile } from "node:fs/promises"
import { dirname } from "node:path"
import { RemediedError } from "../base/errors.ts"

/** A lock could not be taken. */
export class LockError extends RemediedError {}

/**
 * Runs the work while no other process holds the same lock. The kernel's lock (flock) goes the moment that its owner is
 * gone, SIGKILL included, so that there is nothing to guess about stale ones; the file tells who has it.
 * @param wait wraps the time until the lock is there; it is given the number of the process that has it, where that is known
 * @throws LockError, and whatever the work throws
 */
export async function withLock<T>(
  file: string,
  wait: (taken: Promise<void>, owner: string) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  if (process.platform !== "linux") return work() // Elsewhere only a machine's image is made, and engines order that themselves.
  await mkdir(dirname(file), { recursive: true })
  const owner = await readFile(file, "utf8").catch(() => "")
  // One process from first to last: it dies with this one while it waits, and then ends when its input does.
  const holder = execa(
    "setpriv",
    ["--pdeathsig", "KILL", "flock", "--no-fork", file, "sh", "-c", 'echo "$PPID" > "$0"; echo held; exec cat', file],
    { reject: false, stdin: "pipe", buffer: { stdout: false } },
  )
  try {
    await wait(
      new Promise<void>((resolve, reject) => {
        holder.stdout.once("data", () => {
          resolve()
        })
        void holder.then(({ shortMessage, stderr }) => {
          reject(
            new LockError(
              `${file} cannot be locked: ${stderr.trim() || (shortMessage ?? "flock ended")}.`,
              "It takes util-linux's setpriv and flock, and a cache that can be written to.",
            ),
          )
        })
      }),
      owner.trim(),
    )
    return await work()
  } finally {
    holder.stdin.end()
    await holder
  }
}
