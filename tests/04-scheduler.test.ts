import {
  connectionsOf,
  eventually,
  expect,
  type Kit,
  lesson,
  manifest,
  portOf,
  scheduler,
  tinyScheduler,
} from "../lib/lesson.ts"

/**
 * Flags for two schedulers that elect a leader through a lease. The second takes over after two seconds instead of
 * fifteen.
 */
const STANDBY = {
  "--leader-elect": "true",
  "--leader-elect-lease-duration": "2s",
  "--leader-elect-renew-deadline": "1500ms",
  "--leader-elect-retry-period": "200ms",
}

const nodeOf = (pod: string) => `get pod ${pod} -o jsonpath={.spec.nodeName}`
const scheduled = (pod: string) => `get pod ${pod} -o 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}'`

/** Creates a Pod, and deletes it at the end of the lesson. */
async function run({ kubectl, onLessonEnd }: Kit, pod: string): Promise<void> {
  onLessonEnd(() => kubectl(`delete pod ${pod} --ignore-not-found --force --grace-period=0`))
  await kubectl(`run ${pod} --image=nginx`)
}

/** Makes sure that the Pod waiting exists. */
async function waitingPod(kit: Kit): Promise<void> {
  await kit.kubectl("get pod waiting").catch(() => run(kit, "waiting"))
}

/** Creates the Node paper, and deletes it at the end of the lesson. */
async function createNode({ kubectl, onLessonEnd }: Kit): Promise<void> {
  onLessonEnd(() => kubectl("delete node paper --ignore-not-found"))
  await kubectl("create -f -", { input: await manifest("node.yaml") })
}

/** Makes sure that the Node paper exists. */
async function paperNode(kit: Kit): Promise<void> {
  await kit.kubectl("get node paper").catch(() => createNode(kit))
}

lesson(scheduler, ({ test }) => {
  test("without a scheduler a Pod stays Pending, assigned to no Node, and its status gives no reason", async (kit) => {
    const { scheduler, kubectl, store } = kit
    await scheduler.kill()
    await run(kit, "waiting")
    expect(await kubectl("get pod waiting -o jsonpath={.status.phase}")).toBe("Pending")
    expect(await kubectl(nodeOf("waiting"))).toBe("")
    expect(await kubectl(scheduled("waiting"))).toBe("")
    const written = await store.get("/registry/pods/default/waiting")
    expect(await kubectl("get pod waiting -o jsonpath={.metadata.resourceVersion}")).toBe(String(written?.revision))
  })

  test("once a scheduler runs, it marks the Pod as Unschedulable: there is no Node", async (kit) => {
    const { scheduler, kubectl, evidence } = kit
    await scheduler.start()
    await waitingPod(kit)
    await eventually(() => kubectl(scheduled("waiting"))).toBe("Unschedulable")
    evidence(await kubectl(`get pod waiting -o 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}'`))
  })

  test("once there is a Node, the Pod is bound to it", async (kit) => {
    const { kubectl, evidence } = kit
    await waitingPod(kit)
    await createNode(kit)
    await eventually(() => kubectl(nodeOf("waiting"))).toBe("paper")
    evidence(`Pod waiting: Unschedulable without a Node, bound to Node paper once that existed`)
  })

  test("a scheduler of twenty lines can do the same: it binds the Pod whose schedulerName it has", async ({
    kubectl,
    kubernetes,
    onCleanup,
  }) => {
    onCleanup(() => kubectl("delete pod picky --ignore-not-found --force --grace-period=0"))
    await kubectl("create -f -", { input: await manifest("pod-for-tiny-scheduler.yaml") })
    expect(await kubectl(nodeOf("picky"))).toBe("")
    await using _tiny = tinyScheduler(await kubernetes(), "tiny")
    await eventually(() => kubectl(nodeOf("picky"))).not.toBe("")
  })

  test("by its sockets, it is connected to kube-apiserver only", async ({ at, machine, scheduler }) => {
    const peers = (await connectionsOf(machine, scheduler.pid)).map(({ peer }) => Number(portOf(peer)))
    expect(new Set(peers)).toEqual(new Set([at.apiserver.port]))
  })

  test("killed and restarted, it has lost nothing: the waiting Pod is bound", async (kit) => {
    const { scheduler, kubectl } = kit
    await paperNode(kit)
    await scheduler.kill()
    await run(kit, "late")
    expect(await kubectl(nodeOf("late"))).toBe("")
    await scheduler.start()
    await eventually(() => kubectl(nodeOf("late"))).toBe("paper")
  })

  test("of two schedulers, one leads by a lease; when it dies, the lease moves to the other", async (kit) => {
    const { scheduler, kubectl, evidence, onCleanup } = kit
    const leader = () =>
      kubectl("get lease kube-scheduler -n kube-system --ignore-not-found -o jsonpath={.spec.holderIdentity}")
    await paperNode(kit)
    onCleanup(() => scheduler.restart())
    onCleanup(() => kubectl("delete lease kube-scheduler -n kube-system --ignore-not-found"))
    await scheduler.restart(STANDBY)
    await eventually(leader).not.toBe("")
    const first = await leader()
    const second = await scheduler.another({ ...STANDBY, "--secure-port": "10260" })
    onCleanup(() => second.kill())
    expect(await leader()).toBe(first)
    await scheduler.kill()
    await run(kit, "heir")
    await eventually(leader).not.toBe(first)
    await eventually(() => kubectl(nodeOf("heir"))).toBe("paper")
    evidence(`the lease moved from ${first} to ${await leader()}`)
  })
})
