import { createServer, type AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import type { Forward } from "./machine.ts"

/**
 * Opens a port on this host whose connections lead to a machine.
 * @param connect opens a connection on the machine, for each connection to the port
 */
export async function openForward(connect: () => Promise<Duplex>): Promise<Forward> {
  const open = new Set<Duplex>()
  const server = createServer((outside) => {
    open.add(outside)
    outside.on("close", () => open.delete(outside)).on("error", () => outside.destroy())
    // If no process listens on the machine, the client's connection is reset. It is already open, so it cannot be
    // refused.
    connect().then(
      (inside) => {
        outside.pipe(inside).pipe(outside)
        outside.on("close", () => inside.destroy())
        inside.on("close", () => outside.destroy())
      },
      () => outside.resetAndDestroy(),
    )
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  server.unref()
  return {
    // A listening TCP server's address is an AddressInfo.
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
