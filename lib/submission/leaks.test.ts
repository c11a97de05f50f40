import { generateKeyPairSync, randomBytes } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { secretsOfCluster, secretsOfEnvironment, secretsOfFile, tooShort } from "./known-secrets.ts"
import { leaksIn, redacted, type Secret } from "./leaks.ts"

const hex = randomBytes(16).toString("hex")
const token: Secret = { value: hex, origin: "/etc/kubernetes/tokens.csv" }
const pem = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString()
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs1", format: "pem" })
  .toString()
const base64 = (text: string) => Buffer.from(text).toString("base64")
const jwt = ["eyJhbGciOiJSUzI1NiJ9", "eyJzdWIiOiJzeXN0ZW06YWRtaW4ifQ", randomBytes(32).toString("base64url")].join(".")

describe("by value", () => {
  const of = (text: string, ...secrets: Secret[]) =>
    leaksIn("a.sh", `# a line\n${text}\n`, secrets).map(({ line, what }) => `${line} ${what}`)
  const tokenLeak = "2 a secret of /etc/kubernetes/tokens.csv"

  test.each([
    ["as it is", `curl -H "X-Token: ${hex}"`, tokenLeak],
    ["within a word", `x${hex}y`, tokenLeak],
    ["in base64", base64(`the token is ${hex}, as said`), `${tokenLeak}, in base64`],
    ["in base64 for addresses", Buffer.from(`??>>${hex}??>>`).toString("base64url"), `${tokenLeak}, in base64`],
    ["in base64 twice", base64(base64(`the token is ${hex}`)), `${tokenLeak}, in base64`],
    ["in base64 after a path", `/etc/x/${base64(`the token is ${hex}`)}`, `${tokenLeak}, in base64`],
  ])("a token %s", (_, text, leak) => {
    expect(of(text, token)).toContain(leak)
    // Without the value, only its form could be recognized, and it has none.
    expect(of(text)).toEqual([])
  })

  test("one line of a private key, without the lines around it", () => {
    const line = pem.split("\n")[1] ?? ""
    expect(line.length).toBeGreaterThan(40)
    expect(of(`echo ${line}`, ...secretsOfFile("/etc/kubernetes/pki/ca.key", pem))).toContain(
      "2 a secret of /etc/kubernetes/pki/ca.key",
    )
  })

  test("every place is named", () => {
    expect(leaksIn("x", `${hex}\n\n${hex}\n`, [token]).map(({ line }) => line)).toEqual([1, 3])
  })

  test("a redacted text has none", () => {
    const long = { value: `${hex}0123`, origin: "x" }
    const text = redacted(`a ${hex}0123 b ${hex} c`, [token, long])
    expect(text).toBe("a [secret] b [secret] c")
    expect(leaksIn("x", text, [token, long])).toEqual([])
    expect(
      leaksIn("x", redacted(JSON.stringify({ key: pem }), secretsOfFile("k", pem)), secretsOfFile("k", pem)),
    ).toEqual([])
  })
})

describe("by form", () => {
  test.each([
    ["a private key", pem],
    ["a private key", rsa],
    ["a private key", JSON.stringify({ key: pem })],
    ["a private key", `-----BEGIN OPENSSH PRIVATE KEY-----\n${base64("openssh-key-v1 none none")}\n`],
    ["a private key, in base64", `  client-key: ${base64(pem)}`],
    ["a signed token (JWT)", `token=${jwt}`],
    ["a signed token (JWT), in base64", base64(`{"token":"${jwt}"}`)],
    ["a bearer token", `curl -H "Authorization: Bearer letmein" https://127.0.0.1:6443`],
    ["a bearer token", `{"authorization":"bearer ${hex}"}`],
    ["a client key of a kubeconfig", `    client-key-data: ${base64("not a key, but who knows")}`],
    ["a token or password of a kubeconfig", "  user:\n    token: letmein123"],
    ["a token or password of a kubeconfig", `{"user":{"password":"letmein123"}}`],
    ["a token or password on a command line", "kubectl config set-credentials admin --token=letmein123"],
    ["a token or password on a command line", 'kubectl --token "letmein123" get nodes'],
    ["a line of a token file", `cat >tokens.csv <<EOF\nletmein,admin,admin,"system:masters"\nEOF`],
    ["a line of a token file", `echo 'letmein,admin,1,system:masters' >tokens.csv`.replace("echo ", "")],
    ["an encryption key", `        - name: key1\n          secret: ${randomBytes(32).toString("base64")}`],
    ["a bootstrap token", "kubeadm join --discovery 07401b.f395accd246ae52d"],
    ["an access token of GitHub, GitLab or AWS", `git clone https://ghp_${"a1B2".repeat(9)}@github.com/x`],
  ])("%s: %#", (what, text) => {
    expect(leaksIn("a.sh", text, []).map((leak) => leak.what)).toContain(what)
  })

  test.each([
    'curl -H "Authorization: Bearer $TOKEN" https://127.0.0.1:6443',
    '    token: $TOKEN\n    password: ${PASSWORD}\n    token: "$(openssl rand -hex 16)"',
    'kubectl config set-credentials admin --token=$TOKEN --token "$TOKEN"',
    '$TOKEN,admin,admin,"system:masters"',
    "ENCRYPTION_KEY=$(head -c 32 /dev/urandom | base64)\n      secret: $ENCRYPTION_KEY",
    "grep -l 'BEGIN PRIVATE KEY' /etc/kubernetes/pki/*",
    "without a token, or with a wrong one, the answer is 401: kubectl --token=wrong auth whoami",
    "-----BEGIN CERTIFICATE-----\nMIIBdDCCARmgAwIBAgIUJ3VsdHJhLXNlY3VyZS1ub3QtYS1rZXkwCgYIKoZIzj0E\n",
    "system:bootstrappers, TOKEN,USER,UID",
  ])("no secret: %s", (text) => {
    expect(leaksIn("a.sh", text, [])).toEqual([])
  })

  test("what this project gives to learners has none: solution, scaffold, hints", () => {
    const folders = ["solution", "scaffold", "hints"].map((name) => join(packageRoot, "fixtures", name))
    const files = folders.flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .map((name) => join(folder, name))
        .filter((path) => statSync(path).isFile()),
    )
    expect(files.length).toBeGreaterThan(20)
    expect(files.flatMap((file) => leaksIn(file, readFileSync(file, "utf8"), []))).toEqual([])
  })
})

describe("what is known", () => {
  const valuesOf = (secrets: readonly Secret[]) => secrets.map(({ value }) => value.trim())

  test("private keys, kubeconfigs, token files, encryption keys and tokens of ServiceAccounts in files", () => {
    expect(valuesOf(secretsOfFile("/x/ca.key", `# made by hand\n${pem}`))[0]).toContain(pem.split("\n")[1])
    expect(
      valuesOf(
        secretsOfFile(
          "/root/.kube/config",
          `users:\n- name: a\n  user:\n    token: ${hex}\n    client-key-data: ${base64(pem)}\n`,
        ),
      ),
    ).toEqual(
      [base64(pem), pem.trim(), hex].toSorted(
        (a, b) => [hex, base64(pem), pem.trim()].indexOf(a) - [hex, base64(pem), pem.trim()].indexOf(b),
      ),
    )
    expect(
      valuesOf(secretsOfFile("/etc/tokens.csv", `${hex},admin,admin,"system:masters"\nother-token,u,2\n`)),
    ).toEqual([hex, "other-token"])
    expect(
      valuesOf(
        secretsOfFile(
          "/etc/encryption.yaml",
          `resources:\n- providers:\n  - aescbc:\n      keys:\n      - name: k\n        secret: ${base64(hex)}\n`,
        ),
      ),
    ).toEqual([base64(hex)])
    expect(valuesOf(secretsOfFile("/var/lib/kubelet/pods/x/token", jwt))).toEqual([jwt])
    expect(secretsOfFile("/root/cluster/02-apiserver.sh", "    token: $TOKEN\n  token: literal\n")).toEqual([])
    expect(secretsOfFile("/x/kubeconfig", "user:\n  token: $TOKEN\n")).toEqual([])
  })

  test("the cluster's Secrets, without what everybody may know", () => {
    const json = JSON.stringify({
      items: [
        {
          metadata: { namespace: "kube-system", name: "bootstrap-token-07401b" },
          data: {
            "token-id": base64("07401b"),
            "token-secret": base64("f395accd246ae52d"),
            "usage-bootstrap-authentication": base64("true"),
            description: base64("a description"),
          },
        },
        {
          metadata: { namespace: "default", name: "demo" },
          data: { password: base64("hunter2hunter2"), short: base64("x") },
        },
      ],
    })
    expect(secretsOfCluster(json)).toEqual([
      { value: "f395accd246ae52d", origin: "the Secret kube-system/bootstrap-token-07401b" },
      { value: "hunter2hunter2", origin: "the Secret default/demo" },
    ])
  })

  test("the environment of this process", () => {
    expect(
      secretsOfEnvironment({
        GITHUB_TOKEN: "abcdefgh1",
        PATH: "/usr/bin:/bin",
        MY_PASSWORD: "short",
        TOKEN_FILE: "/etc/tokens.csv",
      }),
    ).toEqual([{ value: "abcdefgh1", origin: "the variable GITHUB_TOKEN" }])
  })

  test("a token that is too short to be searched for is named", () => {
    const secrets = secretsOfFile("/etc/tokens.csv", 'admin,admin,admin,"system:masters"\n')
    expect(tooShort(secrets)).toEqual([{ value: "admin", origin: "/etc/tokens.csv" }])
  })
})
