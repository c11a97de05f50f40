import { createHash } from "node:crypto"
import { basename, dirname } from "node:path"

/**
 * The name of a run's cgroup. It also contains a digest of the parent folder's path, because another user's runs, in
 * another folder, can have the same ids.
 * @param folder the run's folder
 */
export function cgroupOf(folder: string): string {
  return `byhand-${basename(folder)}-${createHash("sha256").update(dirname(folder)).digest("hex").slice(0, 8)}`
}

/**
 * The file in a run's folder that contains the name of its cgroup. A sweep may have to remove the folder and the
 * cgroup.
 */
export const CGROUP_FILE = "cgroup"
