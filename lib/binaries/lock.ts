import { execa } from "execa"
import { mkdir, readFile } from "node:fs/promises"
import { dirname } from "node:path"
import { RemediedError } from "../base/errors.ts"

/** A lock could not be acquired. */
export class LockError extends RemediedError {}

/**
 * Runs the work while no other process holds the same lock. The kernel releases the lock (flock) when its owner ends,
 * even by SIGKILL, so there are no stale locks. The lock file contains the PID of the owner.
 * @param wait is called with a promise for the lock, and with the PID of the current owner (empty if it is not known)
 * @throws LockError, and every error of the work
 */
export async function withLock<T>(
  file: string,
  wait: (taken: Promise<void>, owner: string) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  // Other systems make only the image of a machine, and the engine itself runs one build at a time.
  if (process.platform !== "linux") return work()
  await mkdir(dirname(file), { recursive: true })
  const owner = await readFile(file, "utf8").catch(() => "")
  // One process first waits for the lock and then holds it. While it waits, it is killed when this process ends. Later
  // it ends
  // when its stdin ends.
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
              "A lock needs the programs setpriv and flock of util-linux, and a cache that can be written to.",
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
