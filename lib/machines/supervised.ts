import { execa } from "execa"

/**
 * A supervisor process beside a machine. When this process ends, the supervisor ends the machine and removes its files.
 */
export interface Supervised {
  /** Ends the machine. Resolves when everything of it is removed. */
  readonly end: () => Promise<void>
  /** Lets the machine continue to run when this process ends. */
  readonly detach: () => Promise<void>
}

/**
 * Starts the supervisor of a machine. It writes to stdout when the machine is ready. The end of its stdin tells it that
 * this process has ended.
 * @param fail makes the error from the supervisor's stderr
 * @throws the error from `fail` if the supervisor ends before the machine is ready
 */
export async function supervise(
  [file = "", ...args]: readonly string[],
  fail: (complaints: string) => Error,
): Promise<Supervised> {
  const supervisor = execa(file, args, {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    buffer: false,
    reject: false,
    cleanup: false,
  })
  let complaints = ""
  supervisor.stderr.on("data", (chunk: Buffer) => {
    complaints += chunk.toString()
  })
  supervisor.stdin.on("error", () => undefined) // The supervisor can end first. Its exit reports that.
  const ended = supervisor.then((result) => result.exitCode)
  const ready = new Promise<boolean>((resolve) => {
    supervisor.stdout.once("data", () => resolve(true)).once("end", () => resolve(false))
  })
  if (!(await ready)) {
    await ended
    throw fail(complaints.trim())
  }
  // The supervisor and its pipes must not keep this process alive, because the supervisor waits until this process
  // ends.
  supervisor.unref()
  for (const stream of [supervisor.stdin, supervisor.stdout, supervisor.stderr])
    if ("unref" in stream && typeof stream.unref === "function") stream.unref()
  return {
    end: async () => {
      supervisor.stdin.end()
      supervisor.ref()
      await ended
    },
    detach: () => new Promise<void>((written) => supervisor.stdin.end("detach\n", () => written())),
  }
}
