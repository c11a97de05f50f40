// The process that lets the host's clients reach a machine's port after `byhand up` has ended. It ends with the machine.
// usage: node relay.js RUN_DIR PORT; prints the address on 127.0.0.1 that leads there.
import { AgentMachine } from "../machines/agent-machine.ts"
import { dialerOf } from "../machines/attach.ts"

const [folder = "", port = ""] = process.argv.slice(2)
const dial = dialerOf(folder)
const end = () => process.exit()
dial().on("error", end).on("close", end) // A connection that asks for nothing ends when the machine does.
const machine = new AgentMachine({ name: "machine", address: "", dial, end: () => Promise.resolve() })
const { address } = await machine.forward(Number(port))
process.stdout.write(`${address}\n`)
