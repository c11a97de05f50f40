// The process that lets clients on the host reach a port of a machine after `byhand up` has ended. It ends with the
// machine.
// usage: node relay.js RUN_DIR PORT      prints the address on 127.0.0.1 that leads to the port
import { basename, dirname } from "node:path"
import { readSettings } from "../base/settings.ts"
import { attachMachine } from "../machines/providers.ts"

const [folder = "", port = ""] = process.argv.slice(2)
const attached = await attachMachine({ ...readSettings(), runsDir: dirname(folder) }, basename(folder))
if (attached === undefined) throw new Error(`No machine runs in ${folder}.`)
void attached.whenEnded().then(() => process.exit())
const { address } = await attached.machine.forward(Number(port))
process.stdout.write(`${address}\n`)
