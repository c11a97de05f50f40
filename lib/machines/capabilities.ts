const CAP_SYS_RESOURCE = 24n // capabilities(7)

/** Whether a process may lower OOM scores (CAP_SYS_RESOURCE). @param status the text of its /proc/PID/status; undefined where it does not tell */
export function mayLowerOomScore(status: string): boolean | undefined {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1]
  return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n
}
