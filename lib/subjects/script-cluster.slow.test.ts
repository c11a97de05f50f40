import { cpSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import type { Machine } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { readFolder } from "./folder.ts"
import { ScriptCluster } from "./script-cluster.ts"

let place: Workplace
beforeAll(async () => {
  place = await workplace()
})
afterAll(() => place[Symbol.asyncDispose]())

/** A new machine with the folder of a build that must pass, and with the programs for etcd and kube-apiserver. */
async function open(build: string): Promise<{ machine: Machine; cluster: ScriptCluster }> {
  const given = await artifacts(["kube-apiserver"])
  const path = join(place.folder, build)
  cpSync(join(packageRoot, "fixtures", "subjects", "pass", build), path, { recursive: true, dereference: true })
  const { machine } = await startSandbox({ name: place.name, binds: given.binds, settings: place.settings })
  const cluster = await ScriptCluster.open({
    machine,
    folder: await readFolder(path),
    artifacts: given,
    patience: 600_000, // Longer than a test may take: no script waits for what only the next one writes.
    explain: () => Promise.resolve(undefined),
    scriptNumberOf: (name) => (name === "etcd" ? 1 : 2),
  })
  return { machine, cluster }
}

test.each([
  ["config-files", { dataDir: "/srv/etcd", port: 12379, isTls: false }, "/etc/kubernetes/access/admin.yaml"],
  ["config-json", { dataDir: "/srv/etcd", port: 2379, isTls: true }, "/root/cluster/access"],
] as const)("%s: the settings of its components are read from their files", async (build, etcd, kubeconfig) => {
  const { machine, cluster } = await open(build)
  try {
    await cluster.ensure(["kube-apiserver"])
    const { address, dataDir, isTls } = cluster.part("etcd").settings
    expect({ dataDir, port: address.port, isTls }).toEqual(etcd)
    expect(await cluster.access()).toMatchObject({ kubeconfig, token: undefined })
    await cluster.part("etcd").restart()
    expect(cluster.part("etcd").settings.address.port).toBe(etcd.port)
  } finally {
    await machine.close()
  }
})
