import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { readFolder } from "./folder.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "byhand-folder-"))
  mkdirSync(join(folder, "etc", "kubernetes"), { recursive: true })
  writeFileSync(join(folder, "etc", "kubernetes", "kubelet.yaml"), "one: 1\n")
})
afterEach(() => rmSync(folder, { recursive: true }))

test.each([
  ["cp -R etc/kubernetes /etc/", true],
  ["cp -R etc /tmp", true],
  ["cp -R ./etc/* /etc", true],
  [`kubelet --config="$PWD/etc/kubernetes/kubelet.yaml"`, true],
  [`kubelet --config="$PWD"/etc/kubernetes/kubelet.yaml`, true],
  ["kubelet --config /root/cluster/etc/kubernetes/kubelet.yaml", true],
  ["exec etcd --data-dir=/var/lib/etcd", false],
  ["mkdir -p /etc/kubernetes/pki", false],
  [`mkdir -p "/etc/kubernetes"`, false],
  ["etcd --config-file=/etc/etcd.yaml", false],
])("a script that contains %j runs again when etc/kubernetes/kubelet.yaml changes: %s", async (line, runsAgain) => {
  writeFileSync(join(folder, "01-one.sh"), `#!/bin/bash\n${line}\n`)
  const fingerprint = async () => (await readFolder(folder)).scripts[0]?.fingerprint
  const before = await fingerprint()
  appendFileSync(join(folder, "etc", "kubernetes", "kubelet.yaml"), "two: 2\n")
  expect((await fingerprint()) !== before).toBe(runsAgain)
})
