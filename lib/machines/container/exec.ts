import { once } from "node:events"
import type { PublishedPort } from "./published-port.ts"
import { engineAt } from "./engine.ts"

/** Runs a command in a container with the terminal or pipes of this process. @returns the exit status of the command */
export async function execIn({ container, engine }: PublishedPort, command: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr } = process
  const { docker } = await engineAt(engine)
  const isTerminal = stdin.isTTY && stdout.isTTY
  const exec = await docker.getContainer(container).exec({
    Cmd: [...command],
    Env: [`TERM=${process.env["TERM"] ?? "dumb"}`],
    Tty: isTerminal,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  })
  const streams = await exec.start({ hijack: true, stdin: true, Tty: isTerminal })
  if (isTerminal) {
    const resize = () => {
      exec.resize({ h: stdout.rows, w: stdout.columns }).catch(() => undefined)
    } // The command can have ended in the meantime.
    stdout.on("resize", resize)
    resize()
    stdin.setRawMode(true)
    streams.pipe(stdout)
  } else {
    docker.modem.demuxStream(streams, stdout, stderr)
  }
  stdin.pipe(streams)
  try {
    await once(streams, "end")
  } finally {
    if (isTerminal) stdin.setRawMode(false)
    stdin.unpipe(streams).pause()
  }
  return (await exec.inspect()).ExitCode ?? 1
}
