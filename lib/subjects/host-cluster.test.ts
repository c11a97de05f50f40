import { existsSync } from "node:fs"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { makeRunsDir } from "../machines/admission.ts"
import { loginTo, type HostLogin } from "../machines/host/login.ts"
import { parseHostTarget } from "../machines/host/target.ts"
import type { Machine } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { done, startSshHost, type SshHost } from "../proof/testing/ssh-host.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { observeHost } from "./host-clients.ts"
import { HostCluster } from "./host-cluster.ts"
import { ownValues } from "./own-values.ts"

const canRun = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")

/** etcd as a user who is not root may start it: with its settings in the environment. */
const START = `cd /home/student
export ETCD_DATA_DIR=data ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:12379 ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:12379
exec setpriv --reuid 1000 --regid 1000 --clear-groups etcd >etcd.out 2>etcd.err`

describe.skipIf(!canRun)("the cluster on a host", () => {
  let place: Workplace
  let machine: Machine
  let host: SshHost
  let login: HostLogin
  let seen: Machine
  let cluster: HostCluster
  const path = process.env["PATH"]

  beforeAll(async () => {
    const given = await artifacts(["kube-apiserver"])
    place = await workplace()
    makeRunsDir(place.settings)
    machine = (await startSandbox({ name: place.name, binds: given.binds, settings: place.settings })).machine
    host = await startSshHost(machine, place.folder)
    process.env["PATH"] = host.environment.PATH
    await machine.spawn(["sh", "-c", START], { log: "/var/log/start.log" })
    await done(machine, [
      "sh",
      "-c",
      "until etcdctl --endpoints=127.0.0.1:12379 endpoint health 2>&1; do sleep 0.1; done",
    ])
    const target = parseHostTarget(host.target("root"))
    login = await loginTo(target, place.settings)
    seen = await observeHost(target, { folder: login.folder, artifacts: given, limit: 60_000 })
  })
  beforeEach(async () => {
    cluster = await HostCluster.open(seen, () => Promise.resolve(undefined))
  })
  afterAll(async () => {
    process.env["PATH"] = path
    await seen.close()
    await login[Symbol.asyncDispose]()
    await host[Symbol.asyncDispose]()
    await machine.close()
    await place[Symbol.asyncDispose]()
  })

  /** Moves etcd to a cgroup, as systemd and the kubelet do with what they start. */
  const move = (to: string) =>
    done(machine, [
      "sh",
      "-ec",
      `base=/sys/fs/cgroup; [ -e $base/cgroup.controllers ] || base=$base/systemd
mkdir -p $base/${to}; pidof etcd >$base/${to}/cgroup.procs`,
    ])

  test("has the components that another user has started by hand, with their settings and logs", async () => {
    const etcd = cluster.part("etcd")
    expect(etcd.settings).toMatchObject({ dataDir: "/home/student/data", address: { host: "127.0.0.1", port: 12379 } })
    expect(etcd.known).toMatchObject({ isMeantToBe: true, logPath: "/home/student/etcd.err" })
    expect(cluster.summary).toBe(`${place.name}: Kubernetes of an unknown version; etcd (by hand)`)
    await cluster.ensure(["etcd"])
    await expect(cluster.ensure(["kube-apiserver"])).rejects.toThrow("kube-apiserver is not running")
    await expect(cluster.ensure(["kube-apiserver"])).rejects.toThrow("blocked by kube-apiserver")
  })

  test("names the systemd unit or the Pod that has started a component", async () => {
    await move("system.slice/etcd.service")
    cluster = await HostCluster.open(seen, () => Promise.resolve(undefined))
    expect(cluster.summary).toContain("etcd (the unit etcd.service)")
    const uid = "0f7d4b9a-1c52-4f0e-9c3e-2b1a5d6e7f80"
    const log = `/var/log/pods/kube-system_etcd_${uid}/etcd/0.log`
    await machine.write(log, "")
    await move(`kubepods/burstable/pod${uid}/3aa1`)
    cluster = await HostCluster.open(seen, () => Promise.resolve(undefined))
    expect(cluster.summary).toContain("etcd (a Pod)")
    expect(cluster.part("etcd").known.logPath).toBe(log)
  })

  test("is not another program with the name of a component", async () => {
    await done(machine, ["cp", "/bin/sleep", "/home/student/kube-scheduler"])
    const { pid, exit } = await machine.spawn(["/home/student/kube-scheduler", "--", "1000"], { log: "/dev/null" })
    cluster = await HostCluster.open(seen, () => Promise.resolve(undefined))
    await expect(cluster.part("kube-scheduler").start()).rejects.toThrow("runs another program")
    await done(machine, ["kill", String(pid)])
    await exit
  })

  test("has the values of its student, if each student has some of their own", async () => {
    cluster = await HostCluster.open(seen, () => Promise.resolve(undefined), ownValues("ann"))
    const expected = "etcd has --name=default, and not the value of ann: etcd-7d4b40"
    await expect(cluster.part("etcd").start()).rejects.toThrow(expected)
  })

  test("is asked by our own clients, which change nothing there and reach its ports through the connection", async () => {
    const env = { ETCDCTL_ENDPOINTS: "http://127.0.0.1:12379" }
    await done(machine, ["etcdctl", "--endpoints=127.0.0.1:12379", "put", "/hello", "world"])
    // The host's own programs would give another answer.
    for (const name of ["etcdctl", "curl"]) {
      await machine.write(`/usr/local/sbin/${name}`, "#!/bin/sh\necho false\n", 0o755)
      await done(machine, ["chmod", "755", `/usr/local/sbin/${name}`])
    }
    expect((await seen.run(["etcdctl", "get", "/hello"], { env })).stdout).toBe("/hello\nworld\n")
    const health = await seen.run(["sh", "-ec", "curl --silent http://127.0.0.1:12379/health | tr -d ' '"])
    expect(health.stdout).toContain('"health":"true"')
    const scratch = await seen.run(["sh", "-ec", "echo kept >/tmp/byhand-scratch; cat /tmp/byhand-scratch"])
    expect(scratch.stdout).toBe("kept\n")
    expect((await machine.run(["ls", "/tmp/byhand-scratch"])).exitCode).not.toBe(0)
  })
})
