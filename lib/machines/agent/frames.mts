import type { Writable } from "node:stream"

/** The kinds of frames between a test process and a machine's agent. */
export const Channel = { control: 0, stdin: 1, stdout: 2, stderr: 3 } as const
export type Channel = (typeof Channel)[keyof typeof Channel]

const HEADER = 5

/** Writes one frame: one byte for the channel, four bytes for the length, then the payload. */
export function writeFrame(to: Writable, channel: Channel, payload: Buffer | string): boolean {
  const bytes = Buffer.from(payload)
  const header = Buffer.alloc(HEADER)
  header.writeUInt8(channel, 0)
  header.writeUInt32BE(bytes.length, 1)
  return to.write(Buffer.concat([header, bytes]))
}

/**
 * Splits a stream of bytes into frames. Call the returned function with each chunk that arrives.
 * If `onFrame` returns true, no more frames follow. The call then returns the remaining bytes.
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

/** A request to a machine: the first frame of a connection. */
export type Request =
  | { op: "run"; argv: string[]; env: Record<string, string>; cwd: string }
  | { op: "spawn"; argv: string[]; env: Record<string, string>; cwd: string; log: string }
  | { op: "connect"; host: string; port: number }
  | { op: "read"; path: string }
  | { op: "write"; path: string; mode: number }
  | { op: "watch"; programs: string[] }
  | { op: "shutdown" }

/** An answer of the agent, on the control channel. */
export type Reply =
  | { is: "started"; pid: number }
  | { is: "exited"; code: number | null; signal: string | null }
  | { is: "done" }
  | { is: "failed"; code: string; message: string }

/** What a watch saw: a process that runs a watched program, the file that it logs to through a pipe, and its end. */
export type Sight =
  | {
      is: "seen"
      pid: number
      parent: number
      /** The path of the watched program. */
      program: string
      argv: string[]
      /** NAME=VALUE. */
      env: string[]
      cwd: string
      /** Where its standard error leads to: a path, or such as "pipe:[123]"; "" if that is not known. */
      stderr: string
      /** Milliseconds since the epoch. */
      at: number
    }
  | { is: "logs"; pid: number; stderr: string }
  | { is: "gone"; pid: number; at: number }
