import { execa, type Options } from "execa"

/**
 * Runs a command in its own process group. The shell's stdin is a pipe from this process: when this process ends, the
 * pipe ends too, and the shell kills the whole group.
 */
const script = `
  exec 3<&0
  "$@" 3<&- < /dev/null &
  job=$!
  { cat <&3; kill -KILL 0; } > /dev/null 2>&1 &
  exec 3<&-
  wait $job`

/**
 * Starts a command that ends, with all its children, when this process ends, even when this process is killed with
 * SIGKILL.
 * @param options as for execa, except stdin, which this function uses itself
 */
export function dependentCommand<O extends Options>(command: readonly string[], options: O) {
  return execa("sh", ["-c", script, "sh", ...command], { ...options, stdin: "pipe", detached: true, cleanup: false })
}
