import { generateKeyPairSync } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { Machine } from "../machines/machine.ts"
import { chooseProvider } from "../machines/providers.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"
import { secretsOn } from "./known-secrets.ts"

let place: Workplace
let machine: Machine
beforeAll(async () => {
  place = await workplace()
  machine = (await (await chooseProvider(place.settings)).start({ name: place.name, binds: [] })).machine
})
afterAll(async () => {
  await machine.close()
  await place[Symbol.asyncDispose]()
})

const pem = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString()

test("an empty machine has no secret", async () => {
  expect(await secretsOn(machine)).toEqual([])
})

test("every secret that lies on the machine is found, wherever it is", async () => {
  const planted: Readonly<Record<string, string>> = {
    "/etc/kubernetes/pki/ca.key": pem,
    "/root/.kube/config": "users:\n- name: a\n  user:\n    token: first-token\n",
    "/tmp/deep/in/here/admin.conf": '{"users":[{"user":{"token":"second-token"}}]}',
    "/var/lib/kubelet/config": "password: third-token\n",
    "/root/cluster/etc/encryption.yaml": "keys:\n- secret: Zm91cnRoLXNlY3JldA==\n",
    "/srv/who.csv": 'fifth-token,admin,admin,"system:masters"\n',
    "/srv/whom.csv": "sixth-token,u,1\n",
    "/run/token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06YWRtaW4ifQ.c2V2ZW50aC10b2tlbg",
  }
  for (const [path, text] of Object.entries(planted)) await machine.write(path, text)
  // Only a process says that these two files are secret.
  await machine.spawn(["sh", "-c", "sleep 60; :", "x", "--token-auth-file=/srv/who.csv"], { log: "/dev/null" })
  await machine.spawn(["sh", "-c", "sleep 60; :", "x", "--token-auth-file", "/srv/whom.csv"], { log: "/dev/null" })
  const found = new Map((await secretsOn(machine)).map(({ origin, value }) => [origin, value.trim()]))
  expect([...found.keys()].toSorted()).toEqual(Object.keys(planted).toSorted())
  expect([...found.values()]).toEqual(
    expect.arrayContaining([
      "first-token",
      "second-token",
      "third-token",
      "Zm91cnRoLXNlY3JldA==",
      "fifth-token",
      "sixth-token",
      planted["/run/token"],
    ]),
  )
  expect(found.get("/etc/kubernetes/pki/ca.key")).toContain(pem.split("\n")[1])
})
