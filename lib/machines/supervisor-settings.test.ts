import { execa } from "execa"
import { expect, test } from "vitest"
import { settingsText } from "./supervisor-settings.ts"

test("a shell reads the settings unchanged, also with special characters", async () => {
  const run = `/tmp/it's $(reboot) "here"; \`x\` * é`
  const text = settingsText({
    run,
    name: "n1",
    mode: "user",
    node: "/usr/bin/node",
    agent: "/agent",
    scripts: "/scripts",
    owner: "",
    logs: "/logs",
    limits: { memory: 5 },
  })
  const { stdout } = await execa("sh", [
    "-euc",
    'eval "$1"; printf "%s\\n" "$run" "$owner" "$memory" "$disk"',
    "sh",
    text,
  ])
  expect(stdout.split("\n")).toEqual([run, "", "5", "0"])
})
