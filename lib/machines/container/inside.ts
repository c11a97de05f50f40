/** The paths of the files and folders that the container of a machine gets. */
export const INSIDE = {
  scripts: "/byhand/scripts",
  agent: "/byhand/agent",
  settings: "/byhand/settings",
  binds: "/byhand/binds",
  key: "/byhand/key",
  /** The volume. It contains the folder of the machine's run and the folder of its kept logs. */
  runs: "/byhand/runs",
  run: "/byhand/runs/machine",
  logs: "/byhand/runs/.logs",
} as const
