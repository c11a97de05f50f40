/** Where the container of a machine has what it is given. */
export const INSIDE = {
  scripts: "/byhand/scripts",
  agent: "/byhand/agent",
  settings: "/byhand/settings",
  binds: "/byhand/binds",
  key: "/byhand/key",
  /** The volume, and in it the folder of the machine's run and that of its kept logs. */
  runs: "/byhand/runs",
  run: "/byhand/runs/machine",
  logs: "/byhand/runs/.logs",
} as const
