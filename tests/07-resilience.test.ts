import { answers, containerPid, eventually, expect, httpGet, lesson, steadyProbe, type Kit } from "../lib/lesson.ts"

const IDENTITY =
  "get pod hello -o jsonpath={.metadata.uid},{.status.containerStatuses[0].containerID},{.status.containerStatuses[0].restartCount}"

/** Who the Pod and its container are: uid, container, restarts, and the process on the machine. */
async function identity(kit: Kit) {
  const [uid = "", containerId = "", restarts = ""] = (await kit.kubectl(IDENTITY)).split(",")
  return { uid, containerId, restarts, pid: await containerPid(kit, containerId) }
}

/** The Pod of lesson 06, serving; made where it is not there. */
async function hello(kit: Kit) {
  await kit.kubectl("get pod hello").catch(() => kit.kubectl("run hello --image=nginx"))
  await eventually(() => kit.kubectl("get pod hello -o jsonpath={.status.phase}")).toBe("Running")
  const ip = await kit.kubectl("get pod hello -o jsonpath={.status.podIP}")
  await answers(kit.machine, ip, 80)
  return { ip, ...(await identity(kit)) }
}

/** Takes etcd's data folder away, puts another in its place, and starts etcd and kube-apiserver on it. */
async function onAnotherFolder({ at, etcd, apiserver, sh }: Kit, fill: () => Promise<unknown>): Promise<void> {
  const { dataDir } = at.etcd
  await apiserver.kill()
  await etcd.kill()
  await sh(`rm -r ${dataDir}`)
  await fill()
  await Promise.all([etcd.start(), apiserver.start()])
}

/** Backs etcd up, then loses it; resolves to the uid that the Pod had. */
async function loseEtcd(kit: Kit): Promise<string> {
  const { uid } = await hello(kit)
  await kit.etcdctl("snapshot save /tmp/snap.db")
  await onAnotherFolder(kit, () => Promise.resolve())
  return uid
}

lesson(7, "resilience: all state is in etcd", ({ test }) => {
  let before: Awaited<ReturnType<typeof hello>> | undefined

  test(
    "scheduler and apiserver are killed: kubectl is refused, nginx loses not one request",
    {
      see: "pkill -KILL 'kube-(scheduler|apiserver)'; kubectl get pods; curl http://POD_IP",
      disturbs: true,
    },
    async (kit) => {
      const { scheduler, apiserver, kubectl, machine, evidence } = kit
      before = await hello(kit)
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
    },
  )

  test(
    "restarted on the same etcd: the same Pod, the same container, no restart",
    {
      see: "kube-apiserver …; kube-scheduler …; kubectl get pod hello -o yaml",
      disturbs: true,
    },
    async (kit) => {
      if (before === undefined) {
        // This test alone: the outage of the one before it is made here.
        before = await hello(kit)
        await Promise.all([kit.scheduler.kill(), kit.apiserver.kill()])
        await Promise.all([kit.apiserver.start(), kit.scheduler.start()])
      }
      const { ip, ...same } = before
      expect(await identity(kit)).toEqual(same)
      await answers(kit.machine, ip, 80)
    },
  )

  test(
    "and a new Pod gets scheduled",
    { see: "kubectl run after --image=nginx; kubectl get pod after", disturbs: true },
    async ({ kubectl }) => {
      await kubectl("run after --image=nginx")
      await eventually(() => kubectl("get pod after -o jsonpath={.status.phase}")).toBe("Running")
      await kubectl("delete pod after --grace-period=1 --wait=false")
    },
  )

  test(
    "the kubelet acts alone: with the API down, it restarts the container whose process is killed",
    {
      see: "pkill -KILL kube-apiserver; ctr -n k8s.io tasks kill --signal SIGKILL CONTAINER; curl http://POD_IP",
      disturbs: true,
    },
    async (kit) => {
      const { ip, pid, containerId } = await hello(kit)
      await kit.apiserver.kill()
      await kit.sh(`kill -KILL ${pid}`)
      await answers(kit.machine, ip, 80)
      await expect(kit.kubectl("get pods")).rejects.toThrow("refused")
      await kit.apiserver.start()
      await eventually(async () => (await identity(kit)).restarts).toBe("1")
      const after = await identity(kit)
      expect(after.containerId).not.toBe(containerId)
      kit.evidence(`container process ${pid} killed, ${after.pid} started by the kubelet with no API server`)
    },
  )

  let lost: string | undefined

  test(
    "etcd lost without a backup: the Pod is gone",
    {
      see: "etcdctl snapshot save snap.db; rm -r /var/lib/etcd; etcd …; kubectl get pod hello",
      disturbs: true,
    },
    async (kit) => {
      lost = await loseEtcd(kit)
      await expect(kit.kubectl("get pod hello")).rejects.toThrow("NotFound")
    },
  )

  test(
    "etcd lost with a backup: the Pod is back",
    {
      see: "etcdutl snapshot restore snap.db --data-dir=/var/lib/etcd; etcd …; kubectl get pod hello",
      disturbs: true,
    },
    async (kit) => {
      lost ??= await loseEtcd(kit)
      await onAnotherFolder(kit, () => kit.etcdutl(`snapshot restore /tmp/snap.db --data-dir=${kit.at.etcd.dataDir}`))
      await eventually(() => kit.kubectl("get pod hello -o jsonpath={.metadata.uid}")).toBe(lost)
      await eventually(() => kit.kubectl("get pod hello -o jsonpath={.status.phase}")).toBe("Running")
      kit.evidence(`Pod hello, lost with etcd and restored with it, has its uid ${lost}`)
    },
  )
})
