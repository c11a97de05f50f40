import {
  containerPid,
  eventually,
  expect,
  hello,
  httpGet,
  keepNewData,
  type Kit,
  lesson,
  putDataBack,
  replaceData,
  resilience,
  serves,
  steadyProbe,
} from "../lib/lesson.ts"

const IDENTITY =
  "get pod hello -o jsonpath={.metadata.uid},{.status.containerStatuses[0].containerID},{.status.containerStatuses[0].restartCount}"

/** The identity of the Pod and its container: uid, container id, restarts, and the process on the machine. */
async function identity(kit: Kit) {
  const [uid = "", containerId = "", restarts = ""] = (await kit.kubectl(IDENTITY)).split(",")
  return { uid, containerId, restarts, pid: await containerPid(kit, containerId) }
}

/** Waits until nginx in the Pod of lesson 06 answers. @returns the address and identity of the Pod */
async function servingHello(kit: Kit) {
  await hello(kit)
  const ip = await kit.kubectl("get pod hello -o jsonpath={.status.podIP}")
  await serves(kit.machine, ip, 80)
  return { ip, ...(await identity(kit)) }
}

/**
 * Takes a snapshot of etcd, and then replaces etcd's data with an empty folder until the lesson ends.
 * @returns the uid that the Pod had
 */
async function loseEtcd(kit: Kit): Promise<string> {
  const { uid } = await servingHello(kit)
  kit.onLessonEnd(() => kit.sh("rm -f /tmp/snap.db"))
  await kit.etcdctl("snapshot save /tmp/snap.db")
  kit.onLessonEnd(() => putDataBack(kit))
  await replaceData(kit)
  // Rights that RBAC has granted are lost too. Only the group system:masters needs no grant.
  await kit.findAccess()
  return uid
}

lesson(resilience, ({ test }) => {
  let before: Awaited<ReturnType<typeof servingHello>> | undefined

  test("scheduler and apiserver are killed: kubectl is refused, nginx loses no request", async (kit) => {
    const { scheduler, apiserver, kubectl, machine, evidence } = kit
    before = await servingHello(kit)
    const { ip } = before
    await using probe = steadyProbe(() => httpGet(machine, { host: ip, port: 80, path: "/" }))
    await eventually(() => probe.tally.answered).toBeGreaterThan(10)
    await Promise.all([scheduler.kill(), apiserver.kill()])
    await expect(kubectl("get pods")).rejects.toThrow("refused")
    const atDeath = probe.tally.answered
    await eventually(() => probe.tally.answered).toBeGreaterThan(atDeath + 50)
    const { answered, lost } = await probe.stop()
    expect(lost).toBe(0)
    expect(await containerPid(kit, before.containerId)).toBe(before.pid)
    evidence(`${answered} requests to nginx while the control plane died, ${lost} lost`)
  })

  test("restarted on the same etcd: the same Pod, the same container, no restart", async (kit) => {
    if (before === undefined) {
      // The test before this one did not run, so this test causes the same outage.
      before = await servingHello(kit)
      await Promise.all([kit.scheduler.kill(), kit.apiserver.kill()])
      await Promise.all([kit.apiserver.start(), kit.scheduler.start()])
    }
    const { ip, ...same } = before
    expect(await identity(kit)).toEqual(same)
    await serves(kit.machine, ip, 80)
  })

  test("and a new Pod gets scheduled", async ({ kubectl, onCleanup }) => {
    onCleanup(() => kubectl("delete pod after --ignore-not-found --grace-period=1 --wait=false"))
    await kubectl("run after --image=nginx")
    await eventually(() => kubectl("get pod after -o jsonpath={.status.phase}")).toBe("Running")
  })

  test("the kubelet acts alone: with the API down, it restarts the container whose process is killed", async (kit) => {
    const { ip, pid, containerId } = await servingHello(kit)
    await kit.apiserver.kill()
    await kit.sh(`kill -KILL ${pid}`)
    await serves(kit.machine, ip, 80)
    await expect(kit.kubectl("get pods")).rejects.toThrow("refused")
    await kit.apiserver.start()
    await eventually(async () => (await identity(kit)).restarts).toBe("1")
    const after = await identity(kit)
    expect(after.containerId).not.toBe(containerId)
    kit.evidence(`container process ${pid} killed, ${after.pid} started by the kubelet with no API server`)
  })

  let lost: string | undefined

  test("etcd lost without a backup: the Pod is gone", async (kit) => {
    lost = await loseEtcd(kit)
    await expect(kit.kubectl("get pod hello")).rejects.toThrow("NotFound")
  })

  test("etcd lost with a backup: the Pod is back", async (kit) => {
    lost ??= await loseEtcd(kit)
    await replaceData(kit, (flags) => kit.etcdutl(`snapshot restore /tmp/snap.db ${flags}`))
    await eventually(() => kit.kubectl("get pod hello -o jsonpath={.metadata.uid}")).toBe(lost)
    await eventually(() => kit.kubectl("get pod hello -o jsonpath={.status.phase}")).toBe("Running")
    await keepNewData(kit)
    kit.evidence(`Pod hello, lost with etcd and restored with it, has its uid ${lost}`)
  })
})
