// A relay between clients and a member of etcd, for sabotages. It passes on everything, except what its mode changes for
// keys under /steady/.
// usage: node etcd-relay.mjs PORT TARGET CA CERTIFICATE KEY MODE
// MODE watches: answers of watches come late, twice, in parts, or not at all.
// MODE keys: every second write is acknowledged and not passed on; a read gets the answer that it got first.
import { readFileSync } from "node:fs"
import {
  connect,
  constants,
  createSecureServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2"

const [port, target = "", ca = "", certificate = "", key = "", mode] = process.argv.slice(2)
const pem = { ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) }
const STEADY = "/steady/"

let session: ClientHttp2Session | undefined

function upstream(): ClientHttp2Session {
  if (session === undefined || session.closed || session.destroyed) {
    session = connect(`https://${target}`, pem)
    session.on("error", () => undefined) // The streams of the session end too.
  }
  return session
}

/** The messages of gRPC in a stream: a flag, the length, and the message. */
class Messages {
  #rest = Buffer.alloc(0)

  of(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const found: Buffer[] = []
    while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt32BE(1)) {
      const end = 5 + this.#rest.readUInt32BE(1)
      found.push(this.#rest.subarray(5, end))
      this.#rest = this.#rest.subarray(end)
    }
    return found
  }
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** The number at a place of a protobuf message, and the place after it. */
function varint(message: Buffer, from: number): [number, number] {
  let value = 0
  for (let at = from, factor = 1; ; at++, factor *= 128) {
    const byte = message[at] ?? 0
    value += (byte & 127) * factor
    if (byte < 128) return [value, at + 1]
  }
}

/** The events of a WatchResponse, which are its fields 11, and all its other fields. */
function parts(message: Buffer): { events: Buffer[]; others: Buffer } {
  const events: Buffer[] = []
  const others: Buffer[] = []
  for (let at = 0; at < message.length;) {
    const [tag, start] = varint(message, at)
    const [value, after] = varint(message, start)
    const end = (tag & 7) === 2 ? after + value : after
    ;(tag >> 3 === 11 ? events : others).push(message.subarray(at, end))
    at = end
  }
  return { events, others: Buffer.concat(others) }
}

/** What a client gets of the answers of one watch. */
class Tampered {
  #isFirst = true
  #late: Buffer[] = []

  of(message: Buffer): Buffer[] {
    const { events, others } = parts(message)
    if (events.length === 0) return [message]
    if (this.#isFirst) {
      this.#isFirst = false
      return []
    }
    const [early, ...rest] = events.map((event) => Buffer.concat([others, event]))
    const sent = [early ?? message, ...this.#late, ...this.#late]
    this.#late = rest
    return sent
  }
}

interface Answer {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly trailers: IncomingHttpHeaders
}

/** The last answer to a write, and the first answer to each read, by the read. */
const given = new Map<string, Answer>()
let writes = 0

function relay(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const path = headers[":path"]
  stream.on("error", () => undefined)
  if (mode === "watches" || (path !== "/etcdserverpb.KV/Txn" && path !== "/etcdserverpb.KV/Range"))
    return pass(stream, headers, { isTampered: mode === "watches" && path === "/etcdserverpb.Watch/Watch" })
  const isWrite = path.endsWith("Txn")
  const chunks: Buffer[] = []
  stream.on("data", (chunk: Buffer) => chunks.push(chunk))
  stream.on("end", () => {
    const body = Buffer.concat(chunks)
    const id = isWrite ? "write" : body.toString("hex")
    const answer = given.get(id)
    if (!body.includes(STEADY)) return pass(stream, headers, { body })
    if (answer !== undefined && (!isWrite || writes++ % 2 === 1)) return repeat(stream, answer)
    pass(stream, headers, { body, onAnswer: (found) => given.set(id, found) })
  })
}

function repeat(stream: ServerHttp2Stream, { headers, body, trailers }: Answer): void {
  stream.respond(headers, { waitForTrailers: true })
  stream.on("wantTrailers", () => stream.sendTrailers(trailers))
  stream.end(body)
}

interface Passing {
  /** The request, if it has come already. */
  readonly body?: Buffer
  /** Whether the answers of a watch are changed. */
  readonly isTampered?: boolean
  readonly onAnswer?: (answer: Answer) => void
}

function pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, { body, isTampered, onAnswer }: Passing): void {
  const request: ClientHttp2Stream = upstream().request({ ...headers, ":authority": target })
  const [messages, tampered] = [new Messages(), new Tampered()]
  const state = { isSteady: false, isOnlyHeaders: false }
  let [answered, trailers]: [IncomingHttpHeaders, IncomingHttpHeaders] = [{}, {}]
  const chunks: Buffer[] = []
  if (body === undefined) {
    stream.on("data", (chunk: Buffer) => {
      state.isSteady ||= chunk.includes(STEADY)
      request.write(chunk)
    })
    stream.on("end", () => request.end())
  } else request.end(body)
  stream.on("wantTrailers", () => stream.sendTrailers(trailers))
  stream.on("close", () => request.close(constants.NGHTTP2_CANCEL))
  request.on("response", (found, flags) => {
    answered = found
    state.isOnlyHeaders = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    if (stream.closed) return
    stream.respond(found, state.isOnlyHeaders ? { endStream: true } : { waitForTrailers: true })
  })
  request.on("trailers", (found) => {
    trailers = found
  })
  request.on("data", (chunk: Buffer) => {
    if (onAnswer !== undefined) chunks.push(chunk)
    if (stream.closed) return
    const sent =
      isTampered === true ? messages.of(chunk).flatMap((one) => (state.isSteady ? tampered.of(one) : [one])) : []
    stream.write(isTampered === true ? Buffer.concat(sent.map(framed)) : chunk)
  })
  request.on("end", () => {
    if (trailers["grpc-status"] === "0") onAnswer?.({ headers: answered, body: Buffer.concat(chunks), trailers })
    if (!stream.closed && !state.isOnlyHeaders) stream.end()
  })
  request.on("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
}

const server = createSecureServer(pem)
server.on("stream", relay)
server.listen(Number(port), "127.0.0.1")
