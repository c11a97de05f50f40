import { readFileSync } from "node:fs"
import { join } from "node:path"
import { packageRoot } from "./settings.ts"

/** The version of this package. */
export function ownVersion(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string } // npm requires it.
  return manifest.version
}
