import { execa } from "execa"

/** A supervisor process beside a machine. When this process ends, it ends the machine and removes what is left. */
export interface Supervised {
  /** Ends the machine. Resolves when nothing of it is left. */
  readonly end: () => Promise<void>
  /** Lets the machine live on when this process ends. */
  readonly detach: () => Promise<void>
}

/**
 * Starts the supervisor of a machine. It writes to stdout when the machine is ready. The end of its stdin tells it that this
 * process has ended.
 * @param fail makes the error from what the supervisor has written to stderr
 * @throws that error, where the supervisor ends before the machine is ready
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
  supervisor.stdin.on("error", () => undefined) // The supervisor may end first. Its exit says so.
  const ended = supervisor.then((result) => result.exitCode)
  const ready = new Promise<boolean>((resolve) => {
    supervisor.stdout.once("data", () => resolve(true)).once("end", () => resolve(false))
  })
  if (!(await ready)) {
    await ended
    throw fail(complaints.trim())
  }
  // The supervisor and its pipes must not keep this process alive: the supervisor waits for its end.
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
