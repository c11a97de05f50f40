import { expect, test } from "vitest"
import { kubeconfigFlaw } from "./flaw.ts"
import { kubeconfig } from "./kubeconfig.ts"

const whole = kubeconfig({
  server: "https://127.0.0.1:6443",
  ca: { file: "/ca.crt" },
  user: { token: "secret" },
  name: "admin",
})

test("a whole kubeconfig has no flaw", () => {
  expect(kubeconfigFlaw(whole)).toBeUndefined()
  expect(kubeconfigFlaw(JSON.stringify({ ...JSON.parse("{}"), kind: "Config" }))).toBe("it has no current-context")
})

test.each([
  [/^users:/m, "uers:", "it has the field uers instead of users"],
  [/^current-context: .*$/m, "", "it has no current-context"],
  [/^current-context: .*$/m, "current-context: other", "its current-context other is not in the list contexts"],
  [/user: admin/, "user: amdin", "its user amdin is not in the list users"],
  [/token: /, "tokn: ", "its user admin has no credentials, only tokn"],
  [/token: .*/, "client-certificate-data: QQ==", "its user admin has a client-certificate and no client-key"],
  [/server: /, "sever: ", "its cluster byhand has no server"],
])("%s → %j", (from, to, flaw) => {
  expect(whole).toMatch(from)
  expect(kubeconfigFlaw(whole.replace(from, to))).toBe(flaw)
})
