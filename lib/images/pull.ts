import { stat } from "node:fs/promises"
import { z } from "zod"
import { dependentCommand } from "../base/dependent-command.ts"
import { RemediedError } from "../base/errors.ts"
import type { Report } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"

/** An image could not be pulled. */
export class PullError extends RemediedError {}

/** Milliseconds that a registry may take to answer, and milliseconds that a pull may take without progress. */
const firstAnswer = 5_000
const standstill = 30_000

/**
 * Pulls an image into a docker archive, from its registry or from the mirror in the settings.
 * @param crane the path of crane
 * @param platform such as linux/amd64
 * @returns the address from which the image was pulled
 * @throws PullError: at once if the registry refuses, after five seconds if it does not answer
 */
export async function pull(
  crane: string,
  reference: string,
  platform: string,
  archive: string,
  settings: Settings,
  report: Report,
): Promise<string> {
  const source = addressOf(reference, settings.mirror)
  const flags = ["--platform", platform, ...(settings.mirror?.startsWith("http:") ? ["--insecure"] : [])]
  const asked = await dependentCommand([crane, "manifest", source, ...flags], { reject: false, timeout: firstAnswer })
  if (asked.failed) {
    throw new PullError(
      `${source} cannot be pulled: ${asked.timedOut ? `no answer within ${firstAnswer / 1000} s` : complaint(asked.stderr)}.`,
      remedy,
    )
  }
  const total = sizeOf(asked.stdout)

  const pulling = dependentCommand([crane, "pull", source, archive, ...flags], { reject: false })
  let done = 0
  let grown = Date.now()
  const watch = setInterval(() => {
    void stat(archive).then(
      ({ size }) => {
        if (size > done) grown = Date.now()
        done = size
        report(Math.min(done, total), total, "bytes")
      },
      () => undefined,
    ) // The file does not exist yet.
    if (Date.now() - grown > standstill) pulling.kill()
  }, 500)
  const pulled = await pulling.finally(() => clearInterval(watch))
  if (pulled.failed) {
    throw new PullError(
      `${source} cannot be pulled: ${pulled.isTerminated ? `no data for ${standstill / 1000} s` : complaint(pulled.stderr)}.`,
      remedy,
    )
  }
  return source
}

const remedy = "Check the network, or name a mirror in BYHAND_MIRROR."

/** The address of an image on a mirror: the mirror, the name of the registry, and the rest. */
function addressOf(reference: string, mirror: string | undefined): string {
  return mirror === undefined ? reference : `${mirror.replace(/^https?:\/\//, "")}/${reference}`
}

/** The size of all layers in a manifest, in bytes. 0 if the manifest does not contain it. */
function sizeOf(manifest: string): number {
  const parsed: unknown = JSON.parse(manifest)
  const layers = z.object({ layers: z.array(z.object({ size: z.number() })) }).safeParse(parsed)
  return layers.success ? layers.data.layers.reduce((sum, { size }) => sum + size, 0) : 0
}

function complaint(stderr: string): string {
  return (
    stderr
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^Error: /, "") ?? ""
  )
}
