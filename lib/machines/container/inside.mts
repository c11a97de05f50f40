// What runs in a container beside its machine: the machine's supervisor, whose input is the container's own, and the
// port that leads whoever has the run's key to the machine's agent. Says "ready" once the machine stands; when it has
// ended, what follows on standard output are its logs, as a tar.
// It stands on Node's own modules only, since nothing else of the project is inside.
// usage: node inside.mjs RUN_DIR HOSTNAME MODE ADDRESS
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { basename, join } from "node:path"
import { answerLine, PORT } from "./line.mts"

const [run = "", name = "", mode = "", address = ""] = process.argv.slice(2)
const logs = "/byhand/runs/.logs"

const line = answerLine(readFileSync("/byhand/key", "utf8"), (outside) => {
  const inside = connect(join(run, "socket", "agent.sock"))
  outside.pipe(inside).pipe(outside)
  outside.on("error", () => inside.destroy()).on("close", () => inside.destroy())
  inside.on("error", () => outside.destroy()).on("close", () => outside.destroy())
})
line.on("tlsClientError", () => undefined) // Somebody without the key.

const supervisor = [
  "sh",
  "/byhand/scripts/supervisor.sh",
  run,
  name,
  mode,
  process.execPath,
  "/byhand/agent",
  "",
  "/byhand/scripts",
  address,
  logs,
]
const [file = "", ...args] = [
  ...(mode === "root" ? ["unshare", "--mount", "--propagation", "slave"] : []),
  ...supervisor,
]
const child = spawn(file, args, { stdio: ["inherit", "pipe", "inherit"] })
process.on("SIGTERM", () => child.kill("SIGTERM")) // Whoever stops the container means the machine.
child.stdout.once("data", () => line.listen(PORT, () => process.stdout.write("ready\n")))
const [code] = (await once(child, "exit")) as [number | null]

const kept = join(logs, basename(run))
if (existsSync(kept))
  await once(spawn("tar", ["--create", "--directory", kept, "."], { stdio: ["ignore", "inherit", "ignore"] }), "exit")
process.exit(code ?? 1)
