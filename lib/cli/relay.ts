// The process that lets the host's clients reach a machine's port after `byhand up` has ended. It ends with the machine.
// usage: node relay.js AGENT_SOCKET PORT; prints the address on 127.0.0.1 that leads there.
import { connect } from "node:net"
import { AgentMachine } from "../machine/agent-machine.ts"

const [socketPath = "", port = ""] = process.argv.slice(2)
const end = () => process.exit()
connect(socketPath).on("error", end).on("close", end) // A connection that asks for nothing ends when the machine does.
const machine = new AgentMachine({ name: "machine", privileged: false, address: "", socketPath, end: () => Promise.resolve() })
const { address } = await machine.forward(Number(port))
process.stdout.write(`${address}\n`)
