import { execa } from "execa"
import { mkdir, readFile } from "node:fs/promises"
import { dirname } from "node:path"
import { RemediedError } from "../base/errors.ts"

/** A lock could not be acquired. */
export class LockError extends RemediedError {}

/** exclusive: no other process holds the lock; shared: others may hold it too, if all of them share it. */
type Kind = "exclusive" | "shared"

/**
 * Runs the work while no other process holds the same lock. The kernel releases the lock (flock) when its owner ends,
 * even by SIGKILL, so there are no stale locks. The lock file contains the PID of the last owner.
 * @param wait is called with a promise for the lock, and with the PID of the current owner (empty if it is not known)
 * @throws LockError, and every error of the work
 */
export async function withLock<T>(
  file: string,
  wait: (taken: Promise<void>, owner: string) => Promise<void>,
  work: () => Promise<T>,
  kind: Kind = "exclusive",
): Promise<T> {
  // Other systems make only the image of a machine, and the engine itself runs one build at a time.
  if (process.platform !== "linux") return work()
  await mkdir(dirname(file), { recursive: true })
  const owner = await readFile(file, "utf8").catch(() => "")
  const holder = hold(file, [`--${kind}`])
  try {
    await wait(
      holder.taken.then((isTaken) => {
        if (isTaken) return
        throw new LockError(
          `${file} cannot be locked: ${holder.complaint()}.`,
          "A lock needs the programs setpriv and flock of util-linux, and a cache that can be written to.",
        )
      }),
      owner.trim(),
    )
    return await work()
  } finally {
    await holder.release()
  }
}

/**
 * Runs the work if no other process holds the lock now. It does not wait.
 * @returns undefined if another process holds the lock, or if it cannot be locked
 */
export async function ifUnlocked<T>(file: string, work: () => Promise<T>): Promise<T | undefined> {
  if (process.platform !== "linux") return undefined
  await mkdir(dirname(file), { recursive: true })
  const holder = hold(file, ["--exclusive", "--nonblock"])
  try {
    return (await holder.taken) ? await work() : undefined
  } finally {
    await holder.release()
  }
}

/**
 * Starts the process that first waits for the lock and then holds it. While it waits, it is killed when this process
 * ends. Later it ends when its stdin ends.
 */
function hold(file: string, flags: readonly string[]) {
  const script = 'echo "$PPID" > "$0"; echo held; exec cat'
  const holder = execa(
    "setpriv",
    ["--pdeathsig", "KILL", "flock", ...flags, "--no-fork", file, "sh", "-c", script, file],
    { reject: false, stdin: "pipe", buffer: { stdout: false } },
  )
  let complaint = ""
  const taken = Promise.race([
    new Promise<boolean>((resolve) => {
      holder.stdout.once("data", () => resolve(true))
    }),
    holder.then(({ shortMessage, stderr }) => {
      complaint = stderr.trim() || (shortMessage ?? "flock ended")
      return false
    }),
  ])
  return {
    taken,
    complaint: () => complaint,
    release: async () => {
      holder.stdin.end()
      await holder
    },
  }
}
