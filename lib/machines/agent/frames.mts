import type { Writable } from "node:stream"

/** What travels between a test process and a machine's agent, many times over one connection. */
export const Channel = { control: 0, stdin: 1, stdout: 2, stderr: 3 } as const
export type Channel = (typeof Channel)[keyof typeof Channel]

const HEADER = 5

/** Writes one frame: its channel in a byte, its length in four, its bytes. */
export function writeFrame(to: Writable, channel: Channel, payload: Buffer | string): boolean {
  const bytes = Buffer.from(payload)
  const header = Buffer.alloc(HEADER)
  header.writeUInt8(channel, 0)
  header.writeUInt32BE(bytes.length, 1)
  return to.write(Buffer.concat([header, bytes]))
}

/**
 * Cuts a stream of bytes into frames; call the result with each chunk that arrives.
 * Where `onFrame` answers true, no more frames follow: the call then returns the bytes that are left.
 */
export function frameReader(
  onFrame: (channel: number, payload: Buffer) => boolean,
): (chunk: Buffer) => Buffer | undefined {
  let held: Buffer = Buffer.alloc(0)
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length >= HEADER) {
      const end = HEADER + held.readUInt32BE(1)
      if (held.length < end) return undefined
      const payload = held.subarray(HEADER, end)
      const channel = held.readUInt8(0)
      held = held.subarray(end)
      if (onFrame(channel, payload)) return held
    }
    return undefined
  }
}

/** What a machine can be asked for; the first frame of a connection. */
export type Request =
  | { op: "run"; argv: string[]; env: Record<string, string>; cwd: string }
  | { op: "spawn"; argv: string[]; env: Record<string, string>; cwd: string; log: string }
  | { op: "connect"; host: string; port: number }
  | { op: "read"; path: string }
  | { op: "write"; path: string; mode: number }
  | { op: "shutdown" }

/** What the agent answers on the control channel. */
export type Reply =
  | { is: "started"; pid: number }
  | { is: "exited"; code: number | null; signal: string | null }
  | { is: "done" }
  | { is: "failed"; code: string; message: string }
