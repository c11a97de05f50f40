// Starts a Docker engine for one command, and stops the engine when the command ends.
// usage: npm run engine -- COMMAND…      (root)
import { execa } from "execa"
import { constants } from "node:os"
import { messageOf } from "../../base/errors.ts"
import { terminalProgress } from "../../base/progress-terminal.ts"
import { readSettings } from "../../base/settings.ts"
import { startEngine } from "./engine.ts"

const [file, ...args] = process.argv.slice(2)
if (file === undefined) {
  process.stderr.write(
    "A command is missing. Write: npm run engine -- COMMAND…, for example: npm run engine -- env BYHAND_MACHINE=container npx vitest run\n",
  )
  process.exit(2)
}
// The command gets the signal too. This process waits until the command ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined)
try {
  await using engine = await startEngine(readSettings(), terminalProgress())
  const { exitCode, signal, code } = await execa(file, args, {
    stdio: "inherit",
    reject: false,
    env: engine.environment,
  })
  if (code === "ENOENT") process.stderr.write(`There is no command ${file}.\n`)
  process.exitCode = exitCode ?? (signal === undefined ? 127 : 128 + constants.signals[signal])
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 1
}
