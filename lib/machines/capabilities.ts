/**
 * The capabilities of root on a machine (man 7 capabilities). The components and their containers need all of them.
 * Each capability that is not in this list would give access to the host: to load modules (sys_module), to open the
 * host's files by their handles (dac_read_search), to leave files that cannot be removed (linux_immutable), to set the
 * clock, to reboot, to reach ports and memory.
 */
export const CAPABILITIES = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "SETFCAP",
  "NET_BIND_SERVICE",
  "NET_ADMIN",
  "NET_RAW",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_ADMIN",
  "SYS_RESOURCE",
  "MKNOD",
  "AUDIT_WRITE",
] as const

const SYS_RESOURCE = 24n // Its number (man 7 capabilities).

/**
 * Whether a process may lower OOM scores (CAP_SYS_RESOURCE).
 * @param status the text of its /proc/PID/status
 * @returns undefined if the text does not contain the capabilities
 */
export function mayLowerOomScore(status: string): boolean | undefined {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1]
  return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> SYS_RESOURCE) & 1n) === 1n
}
