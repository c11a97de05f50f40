// Runs in a container beside the machine. It starts the machine's supervisor, which reads the container's stdin, and
// answers at the container's port: clients that have the run's key reach the machine's agent there. It prints "ready"
// when
// the machine has started and, when the machine has ended, the machine's logs as a tar.
// It imports only Node's own modules, because no other file of the project is inside the container.
// usage: node inside.mjs RUN_DIR MODE LOGS_DIR
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { basename, join } from "node:path"
import { ask } from "../requests.mts"
import { answerLine, PORT } from "./line.mts"

const [run = "", mode = "", logs = ""] = process.argv.slice(2)

const line = answerLine(readFileSync("/byhand/key", "utf8"), {
  connect: (outside, name = "agent.sock") => {
    const inside = connect(join(run, "socket", name))
    outside.pipe(inside).pipe(outside)
    outside.on("error", () => inside.destroy()).on("close", () => inside.destroy())
    inside.on("error", () => outside.destroy()).on("close", () => outside.destroy())
  },
  ask: (words) => ask(run, words),
})
line.on("tlsClientError", () => undefined) // A client without the key.

const [file, ...args] = [
  ...(mode === "root" ? ["unshare", "--mount", "--propagation", "slave"] : []),
  "sh",
  "/byhand/scripts/supervisor.sh",
  join(run, "settings"),
]
const child = spawn(file, args, { stdio: ["inherit", "pipe", "inherit"] })
process.on("SIGTERM", () => child.kill("SIGTERM")) // When the container is stopped, the machine must stop too.
child.stdout.once("data", () => line.listen(PORT, () => process.stdout.write("ready\n")))
const [code] = (await once(child, "exit")) as [number | null]

const kept = join(logs, basename(run))
if (existsSync(kept))
  await once(spawn("tar", ["--create", "--directory", kept, "."], { stdio: ["ignore", "inherit", "ignore"] }), "exit")
process.exit(code ?? 1)
