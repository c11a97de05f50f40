import { open, rm, stat } from "node:fs/promises"
import pRetry from "p-retry"
import { messageOf } from "../base/errors.ts"
import type { Report } from "../base/progress.ts"
import { digestOf } from "./digest.ts"

/** Milliseconds without data after which a request or a download counts as failed. */
const standstill = 15_000

/** An error after which a retry can succeed. All other errors are final. */
class TransientError extends Error {}

/** A download does not have the digest that its publisher states. */
export class ChecksumError extends Error {}

/**
 * Downloads a file. Resumes an interrupted download to the same path, from this run or an earlier one.
 * @param digest SHA-256 or SHA-512 in hexadecimal; the length decides which
 * @throws ChecksumError if the file has another digest; then the file is removed. Error with the reason; if the server
 *   refuses, without a retry
 */
export async function download(url: string, path: string, digest: string, report: Report): Promise<void> {
  const resumed = (await sizeOf(path)) > 0
  await retry(() => transfer(url, path, report))
  const actual = await digestOf(path, digest.length === 128 ? "sha512" : "sha256")
  if (actual === digest) return
  await rm(path)
  // The partial file of an earlier run can have been corrupted.
  if (resumed) return download(url, path, digest, report)
  throw new ChecksumError(`${url} is corrupted: its digest is ${actual}, the published one ${digest}`)
}

/** Downloads a small text. @throws Error with the reason; if the server refuses, without a retry */
export async function readText(url: string): Promise<string> {
  return retry(async () => {
    const silence = watchSilence()
    try {
      const response = await ask(url, {}, silence.signal)
      return await response.text().catch((error: unknown) => {
        throw cutOff(url, error)
      })
    } finally {
      silence.end()
    }
  })
}

async function transfer(url: string, path: string, report: Report): Promise<void> {
  const have = await sizeOf(path)
  const silence = watchSilence()
  try {
    const response = await ask(url, have > 0 ? { range: `bytes=${have}-` } : {}, silence.signal)
    if (response.status === 416) {
      // The local file is longer than the published one.
      await rm(path)
      throw new TransientError(`${url} cannot be resumed`)
    }
    const start = response.status === 206 ? have : 0
    const length = Number(response.headers.get("content-length") ?? Number.NaN)
    let done = start
    const file = await open(path, start > 0 ? "a" : "w")
    try {
      for await (const chunk of chunksOf(response, url)) {
        silence.broken()
        await file.writeFile(chunk)
        report((done += chunk.length), Number.isNaN(length) ? 0 : start + length, "bytes")
      }
    } finally {
      await file.close()
    }
    if (done < start + length) throw cutOff(url, "it is too short")
  } finally {
    silence.end()
  }
}

async function* chunksOf(response: Response, url: string): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body ?? []
  } catch (error) {
    throw cutOff(url, error)
  }
}

/**
 * The first request to each host. Other requests wait for it. If it shows that the host cannot be reached, they fail at
 * once.
 */
const hosts = new Map<string, Promise<void>>()

/** @throws TransientError if a retry can succeed, Error if the server refuses */
async function ask(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  const { host } = new URL(url)
  const known = hosts.get(host)
  if (known) await known
  const asked = fetch(url, { headers: { ...headers, "accept-encoding": "identity" }, signal }).catch(
    (error: unknown) => {
      const reason = causeOf(error)
      if (/reset|closed|socket/i.test(reason))
        throw new TransientError(`${host} closed the connection: ${reason}`, { cause: error })
      throw new Error(`${host} cannot be reached: ${reason}`, { cause: error })
    },
  )
  if (!known) {
    hosts.set(
      host,
      asked.then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof TransientError) hosts.delete(host)
          else throw error
        },
      ),
    )
    hosts.get(host)?.catch(() => undefined) // The caller of the request handles the error.
  }
  const response = await asked
  if (response.ok || response.status === 416) return response
  await response.body?.cancel()
  const answer = `${url} answers ${response.status} ${response.statusText}`.trim()
  throw response.status >= 500 || response.status === 429 ? new TransientError(answer) : new Error(answer)
}

function retry<T>(work: () => Promise<T>): Promise<T> {
  return pRetry(work, { retries: 4, minTimeout: 300, shouldRetry: ({ error }) => error instanceof TransientError })
}

function cutOff(url: string, error: unknown): TransientError {
  return new TransientError(`${url} was cut off: ${causeOf(error)}`, { cause: error })
}

/** Aborts a request if no data arrives for too long. */
function watchSilence() {
  const controller = new AbortController()
  const timer = setTimeout(() => {
    controller.abort(new Error(`no data for ${standstill / 1000} s`))
  }, standstill)
  return {
    signal: controller.signal,
    broken: () => {
      timer.refresh()
    },
    end: () => {
      clearTimeout(timer)
    },
  }
}

/**
 * The reason of an error. fetch says only "fetch failed"; the reason is in the error's cause, or in the first of
 * several errors.
 */
function causeOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return causeOf(error.errors[0])
  return error instanceof Error && error.cause !== undefined ? causeOf(error.cause) : messageOf(error)
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}
