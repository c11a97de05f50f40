import { layOut } from "../curriculum/scaffold/scaffold.ts"
import { quote } from "../base/shell.ts"
import type { CommonOptions, Outcome } from "./options.ts"

/** Lays out a learner's folder and says what to do next. @throws UsageError */
export async function newFolder(
  given: string,
  { suite }: CommonOptions & { readonly suite?: string },
): Promise<Outcome> {
  const laidOut = await layOut(given, suite)
  const scripts = laidOut.files.filter((file) => file.endsWith(".sh"))
  const [first = ""] = scripts
  return {
    text: [
      `${given} is laid out: ${scripts.length} start scripts, each with its goal and a hint. Its README.md tells the rest.`,
      "",
      ...(laidOut.folder === process.cwd() ? [] : [`  cd ${quote([given])}`]),
      "  npm install",
      `  npx byhand grade .      # ${first} is the first that lacks something`,
      "  npx byhand watch .      # the same, whenever you save a script",
      "  npx byhand hint 01      # help with it",
      ...(laidOut.suite.startsWith("file:")
        ? [
            "",
            `Its package.json names this suite by its path, ${laidOut.suite}, which CI cannot reach: name what it can install with --suite.`,
          ]
        : []),
      "",
    ].join("\n"),
    data: laidOut,
  }
}
