import { execa } from "execa"

/** A process that keeps a machine: it ends it, and removes what is left of it, when this process ends. */
export interface Supervised {
  /** Ends the machine; resolves when nothing of it is left. */
  readonly end: () => Promise<void>
  /** Lets the machine live on when this process ends. */
  readonly detach: () => Promise<void>
}

/**
 * Starts a machine's supervisor, which says a word on standard output once the machine stands, and takes the end of its
 * standard input for the end of this process.
 * @throws what `fail` makes of the supervisor's complaints, where it ends before that
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
  supervisor.stdin.on("error", () => undefined) // It may end first; its exit tells.
  const ended = supervisor.then((result) => result.exitCode)
  const ready = new Promise<boolean>((resolve) => {
    supervisor.stdout.once("data", () => resolve(true)).once("end", () => resolve(false))
  })
  if (!(await ready)) {
    await ended
    throw fail(complaints.trim())
  }
  // Neither the pipes nor the supervisor keep this process from ending; its end is what the supervisor waits for.
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
