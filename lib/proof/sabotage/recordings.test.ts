import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { diagnose } from "../../diagnosis/diagnose.ts"
import type { Observation } from "../../diagnosis/observation.ts"
import { lasting, RECORDINGS } from "./recordings.ts"

test.each([
  ["valid until Nov  6 09:00:00 2026 GMT, and more", "valid until Jan 31 10:10:10 2020 GMT, and more"],
  ["the clock says Thu, 26 Nov 2026 20:16:33 GMT", "the clock says Fri, 01 Jan 2027 00:00:01 GMT"],
  ["asks member 8e9e05c52164694d for a vote", "asks member ab1cc02f9d7e6b51 for a vote"],
  ["CertificateSigningRequest csr-4gvcx is approved", "CertificateSigningRequest csr-nk2gx is approved"],
  ["Pod web-68f5f8cb7-nc6v7 waits", "Pod web-7d9c5b8f4d-qjsxd waits"],
  ["node (pid 7) holds port 6443", "node (pid 4711) holds port 6443"],
])("the same cause of two runs is one: %s", (one, other) => {
  expect(lasting(one)).toBe(lasting(other))
})

test("causes that differ in more than a moment, an id or a number stay different", () => {
  const until = (name: string) => lasting(`the certificate ${name} was valid until Nov  6 09:00:00 2026 GMT`)
  expect(until("apiserver.crt")).not.toBe(until("scheduler.crt"))
})

// A month or an etcd id that is left in would fail the proof of this sabotage in the next month or the next run.
test.each(readdirSync(RECORDINGS))("the causes in %s hold no moment and no id", (name) => {
  const seen = JSON.parse(readFileSync(join(RECORDINGS, name), "utf8")) as Observation
  for (const { cause } of diagnose(seen))
    expect(lasting(cause)).not.toMatch(/GMT|#[a-f]+#|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),/)
})
