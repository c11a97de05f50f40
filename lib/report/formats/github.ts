import { relative } from "node:path"
import { gitHubReport, scriptsIn, type GitHubReport } from "../github.ts"
import { isHostTarget } from "../../machines/host/target.ts"
import type { Format, GradedRun } from "./format.ts"

// In a job of GitHub Actions that grades a learner's folder, both are written without being asked for: see ../github.ts.

/** https://docs.github.com/actions/reference/workflow-commands-for-github-actions */
export const gitHubAnnotations: Format = {
  name: "github-annotations",
  description: "GitHub Actions: errors at the lines of the scripts (workflow commands)",
  render: (run) =>
    reportOf(run)
      .commands.map((command) => `${command}\n`)
      .join(""),
  isLastOnOutput: true,
}

/** The page of a job. */
export const gitHubSummary: Format = {
  name: "github-summary",
  description: "GitHub Actions: the page of a job (Markdown)",
  render: (run) => `${reportOf(run).summary}\n`,
}

function reportOf({ result, environment }: GradedRun): GitHubReport {
  const { subject } = result
  if (subject === null || isHostTarget(subject)) return gitHubReport(result, [], "")
  return gitHubReport(result, scriptsIn(subject), relative(environment["GITHUB_WORKSPACE"] ?? process.cwd(), subject))
}
