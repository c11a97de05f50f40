import { connectionsOf, eventually, expect, lesson, manifest, tinyScheduler } from "../lib/lesson.ts"

/** Several schedulers stand by for each other through a lease; the one standing by takes over after two seconds, not fifteen. */
const STANDBY = {
  "--leader-elect": "true",
  "--leader-elect-lease-duration": "2s",
  "--leader-elect-renew-deadline": "1500ms",
  "--leader-elect-retry-period": "200ms",
}

const nodeOf = (pod: string) => `get pod ${pod} -o jsonpath={.spec.nodeName}`
const scheduled = (pod: string) => `get pod ${pod} -o 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}'`

lesson(4, "kube-scheduler: it fills in one field", ({ test }) => {
  test(
    "without a scheduler a Pod stays Pending, assigned to no Node, and nobody says why",
    {
      see: "kubectl run waiting --image=nginx; kubectl get pod waiting -o yaml",
      disturbs: true,
      upTo: 3,
    },
    async ({ scheduler, kubectl, store }) => {
      await scheduler.kill()
      await kubectl("run waiting --image=nginx")
      expect(await kubectl("get pod waiting -o jsonpath={.status.phase}")).toBe("Pending")
      expect(await kubectl(nodeOf("waiting"))).toBe("")
      expect(await kubectl(scheduled("waiting"))).toBe("")
      const written = await store.get("/registry/pods/default/waiting")
      expect(await kubectl("get pod waiting -o jsonpath={.metadata.resourceVersion}")).toBe(String(written?.revision))
    },
  )

  test(
    "once a scheduler runs it says that the Pod is Unschedulable: there is no Node",
    {
      see: "kubectl describe pod waiting",
      disturbs: true,
      upTo: 3,
    },
    async ({ scheduler, kubectl, evidence }) => {
      await scheduler.start()
      await kubectl("get pod waiting").catch(() => kubectl("run waiting --image=nginx"))
      await eventually(() => kubectl(scheduled("waiting"))).toBe("Unschedulable")
      evidence(await kubectl(`get pod waiting -o 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}'`))
    },
  )

  test(
    "once there is a Node the Pod is bound to it",
    {
      see: "kubectl apply -f fixtures/manifests/node.yaml; kubectl get pod waiting -o wide",
      disturbs: true,
    },
    async ({ kubectl, evidence }) => {
      await kubectl("get pod waiting").catch(() => kubectl("run waiting --image=nginx"))
      await kubectl("create -f -", { input: await manifest("node.yaml") })
      await eventually(() => kubectl(nodeOf("waiting"))).toBe("paper")
      evidence(`Pod waiting: Unschedulable without a Node, bound to Node paper once it was there`)
    },
  )

  test(
    "a scheduler of twenty lines is its peer: it binds the Pod that asks for it by name",
    {
      see: "kubectl create -f fixtures/manifests/pod-for-tiny-scheduler.yaml; kubectl get pod picky -o wide",
      disturbs: true,
    },
    async ({ kubectl, kubernetes }) => {
      await kubectl("create -f -", { input: await manifest("pod-for-tiny-scheduler.yaml") })
      expect(await kubectl(nodeOf("picky"))).toBe("")
      await using _tiny = tinyScheduler(await kubernetes(), "tiny")
      await eventually(() => kubectl(nodeOf("picky"))).not.toBe("")
      await kubectl("delete pod picky --force --grace-period=0")
    },
  )

  test(
    "by its sockets, it talks to kube-apiserver and to nobody else",
    { see: "ss -tnp | grep kube-scheduler" },
    async ({ at, machine, scheduler }) => {
      const peers = (await connectionsOf(machine, scheduler.pid)).map(({ peer }) => Number(peer.split(":").at(-1)))
      expect(new Set(peers)).toEqual(new Set([at.apiserver.port]))
    },
  )

  test(
    "killed and restarted, it has lost nothing: what waited is bound",
    {
      see: "pkill -KILL kube-scheduler; kubectl run late --image=nginx; kube-scheduler …; kubectl get pod late -o wide",
      disturbs: true,
    },
    async ({ scheduler, kubectl }) => {
      await kubectl("get node paper").catch(async () => kubectl("create -f -", { input: await manifest("node.yaml") }))
      await scheduler.kill()
      await kubectl("run late --image=nginx")
      expect(await kubectl(nodeOf("late"))).toBe("")
      await scheduler.start()
      await eventually(() => kubectl(nodeOf("late"))).toBe("paper")
    },
  )

  test(
    "of two, one leads by a lease; when it dies, the lease moves to the other",
    {
      see: "kubectl get lease kube-scheduler -n kube-system -o yaml",
      disturbs: true,
    },
    async ({ scheduler, kubectl, evidence }) => {
      const leader = () =>
        kubectl("get lease kube-scheduler -n kube-system --ignore-not-found -o jsonpath={.spec.holderIdentity}")
      await kubectl("get node paper").catch(async () => kubectl("create -f -", { input: await manifest("node.yaml") }))
      await scheduler.restart(STANDBY)
      await eventually(leader).not.toBe("")
      const first = await leader()
      const second = await scheduler.another({ ...STANDBY, "--secure-port": "10260" })
      expect(await leader()).toBe(first)
      await scheduler.kill()
      await kubectl("run heir --image=nginx")
      await eventually(leader).not.toBe(first)
      await eventually(() => kubectl(nodeOf("heir"))).toBe("paper")
      evidence(`the lease moved from ${first} to ${await leader()}`)
      await second.kill()
      await kubectl("delete lease kube-scheduler -n kube-system")
      await kubectl("delete pod --all --force --grace-period=0")
      await kubectl("delete node paper")
      await scheduler.start()
    },
  )
})
