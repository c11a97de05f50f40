// Prepares the artifacts of the given components and extra programs, and prints them as JSON. It runs in a container, for a host
// that is not Linux.
// usage: node artifacts-main.js NAME...
import { messageOf } from "../base/errors.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import { readSettings } from "../base/settings.ts"
import { componentNames } from "../components/registry.ts"
import { extras, prepareArtifacts } from "./artifacts.ts"

// The process that waits for the result has ended, so this process exits too.
process.stdin.resume().on("end", () => process.exit(1))
try {
  const names = [...componentNames, ...extras].filter((name) => process.argv.slice(2).includes(name))
  const artifacts = await prepareArtifacts(names, { ...readSettings(), ignoresPath: true }, terminalProgress())
  process.stdout.write(JSON.stringify(artifacts), () => process.exit())
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1))
}
