import { once } from "node:events"
import type { Readable } from "node:stream"

/** Waits until a program prints something. @throws Error if it ends before, with what it wrote to standard error */
export async function speaks(
  child: PromiseLike<{ readonly stderr: string }> & { readonly stdout: Readable },
): Promise<void> {
  await Promise.race([
    once(child.stdout, "data"),
    child.then(({ stderr }) => {
      throw new Error(`The program ended before it printed anything. ${stderr}`)
    }),
  ])
}
