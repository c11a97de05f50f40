import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import type { ComponentName } from "../components/registry.ts"
import { openScripts } from "../proof/testing/open-scripts.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { valuesOf } from "./stand-in.ts"

test.each([
  ["--etcd-servers=http://127.0.0.1:2379 \\", ["http://127.0.0.1:2379"]],
  ['  "--etcd-servers" http://a:1', []],
  ["exec kube-apiserver --etcd-servers 'http://a:1,http://b:2' --x", ["http://a:1,http://b:2"]],
  ["PORT=12379\n--etcd-servers=http://127.0.0.1:${PORT}", ["http://127.0.0.1:12379"]],
  ['export HOST="h"\n--etcd-servers="http://$HOST:1"', ["http://h:1"]],
  ["--etcd-servers=http://127.0.0.1:$(port)", []],
  ["# --etcd-servers=http://127.0.0.1:1", []],
  ["--no-etcd-servers=x", []],
  ["clientConnection:\n  etcd-servers: /srv/a\n", ["/srv/a"]],
])("the values of a flag that are written out: %j", (text, values) => {
  expect(valuesOf([text], "etcd-servers")).toEqual(values)
})

let place: Workplace
beforeAll(async () => {
  place = await workplace()
})
afterAll(() => place[Symbol.asyncDispose]())

/** A machine with a learner's folder, and a way to run a line on it. */
async function open(files: Readonly<Record<string, string>>, patience = 60_000) {
  const given = await artifacts(["kube-scheduler"])
  const numbers: Partial<Record<ComponentName, number>> = { etcd: 1, "kube-apiserver": 2, "kube-scheduler": 4 }
  const { cluster, machine } = await openScripts(place, given, files, {
    patience,
    scriptNumberOf: (component) => numbers[component] ?? 99,
  })
  const sh = async (line: string) => (await machine.run(["sh", "-ec", line])).stdout.trim()
  return { cluster, sh, [Symbol.asyncDispose]: () => machine.close() }
}

/** A script of the shipped solution. */
const solution = (name: string) => readFileSync(join(packageRoot, "fixtures", "solution", name), "utf8")

describe("our etcd in place of the learner's", () => {
  test("serves where a later script looks for it", async () => {
    await using opened = await open({
      "01-etcd.sh": "exit 1\n",
      "02-apiserver.sh": "PORT=12379\nexec kube-apiserver --etcd-servers=http://127.0.0.1:$PORT\n",
    })
    const { cluster } = opened
    await expect(cluster.ensure(["etcd"])).rejects.toThrow("01-etcd.sh exited with 1")
    expect(cluster.standIns).toEqual([])
    await cluster.standIn("etcd")
    await cluster.ensure(["etcd"])
    expect(cluster.part("etcd").settings.address.port).toBe(12379)
    expect(cluster.standIns).toEqual([
      { component: "etcd", reason: expect.stringContaining("01-etcd.sh exited with 1") as string },
    ])
    await cluster.part("etcd").restart()
    expect(cluster.part("etcd").env).toHaveProperty("BYHAND_STAND_IN")
  })

  test("gets the port from one that never becomes ready, and whose supervisor starts it again", async () => {
    const waits =
      "etcd --name=a --data-dir=/var/lib/etcd --initial-cluster=a=http://127.0.0.1:2380,b=http://127.0.0.1:23800"
    await using opened = await open(
      {
        "01-etcd.sh": `(while true; do ${waits} --initial-advertise-peer-urls=http://127.0.0.1:2380; sleep 0.1; done) &\nwait\n`,
      },
      3_000,
    )
    const { cluster, sh } = opened
    await expect(cluster.ensure(["etcd"])).rejects.toThrow("etcd was not ready")
    await cluster.standIn("etcd")
    await cluster.ensure(["etcd"])
    const { pid, settings } = cluster.part("etcd")
    expect(settings).toMatchObject({ dataDir: "/var/lib/stand-in/etcd", address: { port: 2379 } })
    expect(await sh("sleep 1; pidof etcd; ps -e -o args= | grep '[0]1-etcd.sh' || true")).toBe(String(pid))
  })
})

describe("our kube-apiserver in place of the learner's", () => {
  const ours = "cat /etc/kubernetes/stand-in/kubeconfig"

  test("accepts the learner's kubeconfig, and changes no file of the learner", async () => {
    const changed = (name: string) =>
      solution(name)
        .replaceAll(":2379", ":12379")
        .replaceAll("6443", "16443")
        .replaceAll("/etc/kubernetes/pki", "/srv/pki")
        .replaceAll("/root/.kube/config", "/root/cluster/admin")
    await using opened = await open({
      "01-etcd.sh": changed("01-etcd.sh"),
      "02-apiserver.sh": changed("02-apiserver.sh").replace("--secure-port", "--secure-prot"),
      "04-scheduler.sh": changed("04-scheduler.sh"),
    })
    const { cluster, sh } = opened
    await expect(cluster.ensure(["kube-apiserver"])).rejects.toThrow("kube-apiserver exited with 1")
    const digests = "find /srv/pki /root/cluster /etc/kubernetes/tokens.csv -type f -exec sha256sum {} + | sort"
    const before = await sh(digests)
    await cluster.standIn("kube-apiserver")
    expect(await sh(digests)).toBe(before)
    await cluster.ensure(["kube-scheduler"])
    expect(cluster.part("kube-apiserver").settings).toMatchObject({
      address: { port: 16443 },
      etcdServers: ["http://127.0.0.1:12379"],
      kubeletCertificate: "/srv/pki/apiserver-kubelet-client.crt",
    })
    expect(cluster.part("kube-scheduler").argv).toContain("--kubeconfig=/root/cluster/admin")
    expect(await cluster.access()).toMatchObject({ kubeconfig: "/root/cluster/admin" })
    expect(await sh(ours)).toContain("https://127.0.0.1:16443")
  })

  test("leaves a kubeconfig and certificates where later scripts expect them", async () => {
    await using opened = await open({
      "01-etcd.sh": solution("01-etcd.sh"),
      "02-apiserver.sh": "exit 1\n",
      "04-scheduler.sh": solution("04-scheduler.sh").replace("/root/.kube/config", "/srv/admin.conf"),
    })
    const { cluster, sh } = opened
    await expect(cluster.ensure(["kube-apiserver"])).rejects.toThrow("02-apiserver.sh exited with 1")
    await cluster.standIn("kube-apiserver")
    await cluster.ensure(["kube-scheduler"])
    expect(await sh("cat /srv/admin.conf")).toBe(await sh(ours))
    expect(await sh("KUBECONFIG= kubectl auth whoami -o jsonpath={.status.userInfo.groups}")).toContain(
      "system:masters",
    )
  })
})
