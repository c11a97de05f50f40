import { layOut } from "../curriculum/scaffold/scaffold.ts"
import { quote } from "../base/shell.ts"
import type { CommonOptions, Outcome } from "./options.ts"

/** Creates a learner's folder and says what to do next. @throws UsageError */
export async function newFolder(
  given: string,
  { suite, for: student }: CommonOptions & { readonly suite?: string; readonly for?: string },
): Promise<Outcome> {
  const laidOut = await layOut(given, suite, student)
  const scripts = laidOut.files.filter((file) => file.endsWith(".sh"))
  const [first = ""] = scripts
  return {
    text: [
      `${given} is created: ${scripts.length} start scripts, each with its goal and a hint. README.md explains the rest.`,
      ...(student === undefined
        ? []
        : [`The cluster of ${student} must have values of its own, which README.md lists.`]),
      "",
      ...(laidOut.folder === process.cwd() ? [] : [`  cd ${quote([given])}`]),
      "  npm install",
      `  npx byhand grade .      # ${first} is the first script to complete`,
      "  npx byhand watch .      # grades again each time you save a script",
      "  npx byhand hint 01      # help with the first lesson",
      ...(laidOut.suite.startsWith("file:")
        ? [
            "",
            `Its package.json names this suite by its path, ${laidOut.suite}, which CI cannot reach. Name a suite that CI can install with --suite.`,
          ]
        : []),
      "",
    ].join("\n"),
    data: laidOut,
  }
}
