import { readFileSync } from "node:fs"

/** The floors of lib/, top to bottom: a file may import from its own floor and from those below it. */
const { floors } = JSON.parse(readFileSync(new URL("lib/floors.json", import.meta.url), "utf8"))

const withoutImportsFromAbove = floors.slice(1).map((floor, at) => ({
  files: [`lib/${floor}/**`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          {
            group: floors.slice(0, at + 1).flatMap((above) => [`**/${above}/*`, `**/${above}/**`]),
            message: `lib/${floor} is below that floor in lib/floors.json: pass the value in, or move the file.`,
          },
        ],
      },
    ],
  },
}))

export default {
  plugins: ["import", "typescript", "unicorn", "oxc"],
  rules: { "import/no-cycle": "error", "typescript/switch-exhaustiveness-check": "error" },
  overrides: [
    ...withoutImportsFromAbove,
    // Tests may use what helps to test, wherever it is.
    { files: ["**/*.test.ts"], rules: { "no-restricted-imports": "off" } },
  ],
}
