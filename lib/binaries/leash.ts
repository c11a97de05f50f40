import { execa, type Options } from "execa"

/** Runs a command in a group of its own, which is killed when the shell's input ends, as it does when this process dies. */
const script = `
  exec 3<&0
  "$@" 3<&- < /dev/null &
  job=$!
  { cat <&3; kill -KILL 0; } > /dev/null 2>&1 &
  exec 3<&-
  wait $job`

/**
 * Starts a command that, with all its children, ends when this process does, SIGKILL included.
 * Standard input is not the caller's to set.
 */
export function leashed<O extends Options>(command: readonly string[], options: O) {
  return execa("sh", ["-c", script, "sh", ...command], { ...options, stdin: "pipe", detached: true, cleanup: false })
}
