import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { unpackDebianPackages } from "../../binaries/debian.ts"
import type { Component } from "../../components/component.ts"
import { RemediedError } from "../../base/errors.ts"
import type { Machine } from "../../machines/machine.ts"
import type { Settings } from "../../base/settings.ts"
import type { Sabotage } from "./sabotage.ts"

/** A sabotage's own script failed: nothing was proved. */
export class SabotageFailedError extends RemediedError {}

/** Breaks one thing on a machine when its moment has come. */
export class Saboteur {
  readonly #sabotage: Sabotage
  readonly #machine: Machine
  readonly #settings: Settings

  constructor(sabotage: Sabotage, machine: Machine, settings: Settings) {
    this.#sabotage = sabotage
    this.#machine = machine
    this.#settings = settings
  }

  /** A component as it is to be started. */
  readonly alter = (component: Component): Component =>
    this.#sabotage.component?.[component.name]?.(component) ?? component

  /** To be called when the machine is there, and nothing on it yet. */
  async atStart(): Promise<void> {
    await this.#bring()
    if (this.#sabotage.before === undefined) await this.#act()
  }

  /** To be called just before the body of each test. @param test "03 a ConfigMap that …" */
  async before(test: string): Promise<void> {
    if (this.#sabotage.before !== undefined && test.startsWith(this.#sabotage.before)) await this.#act()
  }

  /** Puts a Debian package's program where it is found first; our own stays as it is. */
  async #bring(): Promise<void> {
    const { brings } = this.#sabotage
    if (brings === undefined) return
    const folder = join(this.#settings.cacheDir, "sabotage", brings.package)
    if (!existsSync(join(folder, brings.program))) await unpackDebianPackages([brings.package], folder, this.#settings)
    await this.#machine.write(
      `/usr/local/sbin/${basename(brings.program)}`,
      await readFile(join(folder, brings.program)),
      0o755,
    )
  }

  async #act(): Promise<void> {
    const { id, script } = this.#sabotage
    if (script === undefined) return
    const { exitCode, stdout, stderr } = await this.#machine.run(["sh", "-ec", script])
    if (exitCode !== 0)
      throw new SabotageFailedError(
        `The script of the sabotage ${id} ended with status ${exitCode}: ${stderr.trim() || stdout.trim()}.`,
        "Mend the script.",
      )
  }
}
