import { createHash } from "node:crypto"
import { basename, dirname } from "node:path"

/**
 * The name of a run's cgroup. It names the folder above too, as a digest: another user's runs, in another folder, may have
 * the same ids.
 * @param folder the run's folder
 */
export function cgroupOf(folder: string): string {
  return `byhand-${basename(folder)}-${createHash("sha256").update(dirname(folder)).digest("hex").slice(0, 8)}`
}

/** The file in a run's folder that names its cgroup, for the sweep that may have to remove both. */
export const CGROUP_FILE = "cgroup"
