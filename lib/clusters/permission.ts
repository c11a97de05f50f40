/**
 * What lessons may do to a subject. Each level includes the levels before it.
 * observe: only read. restart: stop and start components, create and delete objects. destroy: replace the data of etcd.
 */
export type Permission = "observe" | "restart" | "destroy"

const LEVELS: readonly Permission[] = ["observe", "restart", "destroy"]

/** Whether the given permission includes the needed permission. */
export function allows(given: Permission, needed: Permission): boolean {
  return LEVELS.indexOf(needed) <= LEVELS.indexOf(given)
}
