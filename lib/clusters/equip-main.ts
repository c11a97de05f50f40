// What runs in a container to get ready what the lessons run, for a host that is not Linux. Prints it as JSON.
// usage: node equip-main.js LESSON
import { messageOf } from "../base/errors.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import { readSettings } from "../base/settings.ts"
import { equip } from "./equipment.ts"

process.stdin.resume().on("end", () => process.exit(1)) // Whoever waits for it is gone.
try {
  const equipment = await equip(Number(process.argv[2]), readSettings(), terminalProgress())
  process.stdout.write(JSON.stringify(equipment), () => process.exit())
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1))
}
