import { expect, test } from "vitest"
import { kubeconfig } from "./kubeconfig.ts"
import { isKubeconfig, parseKubeconfig } from "./parse.ts"

const pem = Buffer.from("PEM")
const data = pem.toString("base64")
const at = "/etc/kubernetes/access/admin.yaml"

test("reads the project's own kubeconfig", () => {
  const text = kubeconfig({ server: "https://127.0.0.1:6443", ca: { file: "/ca.crt" }, user: { token: "t" } })
  expect(isKubeconfig(text)).toBe(true)
  expect(parseKubeconfig(text, at)).toMatchObject({
    server: "https://127.0.0.1:6443",
    ca: { file: "/ca.crt" },
    token: "t",
  })
})

test("reads the current context at any position; files are relative to the kubeconfig", () => {
  const text = `"kind": 'Config'
contexts: [{ name: a, context: { cluster: x, user: x } }, { name: b, context: { cluster: "y", user: 'y' } }]
current-context: "b" # not the first
clusters:
  - cluster: { server: https://x }
    name: x
  - name: y
    cluster: { certificate-authority: ../pki/ca.crt, server: 'https://y:1', tls-server-name: z }
users: [{ name: y, user: { client-certificate: me.crt, client-key: ./me.key, tokenFile: token } }]
`
  expect(parseKubeconfig(text, at)).toEqual({
    server: "https://y:1",
    serverName: "z",
    ca: { file: "/etc/kubernetes/access/../pki/ca.crt" },
    token: undefined,
    tokenFile: "/etc/kubernetes/access/token",
    certificate: { file: "/etc/kubernetes/access/me.crt" },
    key: { file: "/etc/kubernetes/access/./me.key" },
  })
})

test("reads one line of JSON with embedded data; embedded data wins over a file", () => {
  const text = JSON.stringify({
    kind: "Config",
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [
      {
        name: "c",
        cluster: { server: "https://c", "certificate-authority-data": data, "certificate-authority": "/no" },
      },
    ],
    users: [{ name: "u", user: { "client-certificate-data": data, "client-key-data": data } }],
  })
  expect(parseKubeconfig(text, at)).toMatchObject({ ca: { pem }, certificate: { pem }, key: { pem }, token: undefined })
})

test.each([
  ["no current context", "kind: Config\nclusters: [{ name: c, cluster: { server: s } }]\n"],
  ["a context that does not exist", "kind: Config\ncurrent-context: c\n"],
  ["invalid YAML", "kind: Config\n users: [\n"],
  ["another kind", "kind: Pod\n"],
  ["empty", ""],
])("%s: returns undefined", (_, text) => {
  expect(parseKubeconfig(text, at)).toBeUndefined()
})
