import { BlockList } from "node:net"
import {
  controllerManager,
  decode,
  eventually,
  expect,
  type Kit,
  lesson,
  manifest,
  paperKubelet,
} from "../lib/lesson.ts"

/**
 * Flags for two managers that elect a leader through a lease. The second takes over after two seconds instead of
 * fifteen.
 */
const STANDBY = {
  "--leader-elect": "true",
  "--leader-elect-lease-duration": "2s",
  "--leader-elect-renew-deadline": "1500ms",
  "--leader-elect-retry-period": "200ms",
}

const TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"
const NOT_READY = "node.kubernetes.io/not-ready"
const UNREACHABLE = "node.kubernetes.io/unreachable"

/** The fields of a Pod that this lesson reads. */
interface Pod {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly deletionTimestamp?: string
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[]
  }
  readonly spec: {
    readonly nodeName?: string
    readonly containers: readonly { readonly env?: readonly { readonly value?: string }[] }[]
  }
  readonly status: { readonly phase: string; readonly podIP?: string }
}

/** An object as etcd holds it. */
interface Stored {
  readonly metadata: { readonly managedFields: readonly { readonly manager: string }[] }
  readonly spec?: { readonly nodeName?: string; readonly taints?: readonly { readonly key: string }[] }
}

/** The objects that kubectl lists, as JSON. */
async function list<T>({ kubectl }: Kit, what: string): Promise<T[]> {
  return (JSON.parse(await kubectl(`get ${what} -o json`)) as { items: T[] }).items // kubectl prints a list.
}

/** The Pods of a Deployment that are not being deleted. */
async function podsOf(kit: Kit, deployment: string): Promise<Pod[]> {
  return (await list<Pod>(kit, `pods -l app=${deployment}`)).filter(
    (pod) => pod.metadata.deletionTimestamp === undefined,
  )
}

/** The phases of a Deployment's Pods: Running, Running, … */
async function phasesOf(kit: Kit, deployment: string): Promise<string[]> {
  return (await podsOf(kit, deployment)).map(({ status }) => status.phase)
}

const running = (count: number) => Array.from({ length: count }, () => "Running")

/** The number of Pods of each of a Deployment's ReplicaSets, by the number of its rollout. */
async function replicasOf(kit: Kit, deployment: string): Promise<Record<string, number>> {
  const sets = await list<{
    metadata: { annotations: Record<string, string> }
    status: { replicas: number }
  }>(kit, `replicasets -l app=${deployment}`)
  return Object.fromEntries(
    sets.map(({ metadata, status }) => [metadata.annotations["deployment.kubernetes.io/revision"], status.replicas]),
  )
}

/** Makes sure that the Deployment web exists. */
async function createWeb({ kubectl, onLessonEnd }: Kit): Promise<void> {
  await kubectl("get deployment web").catch(() => {
    onLessonEnd(() => kubectl("delete deployment web --ignore-not-found"))
    return kubectl("create deployment web --image=nginx --replicas=2")
  })
}

/** Makes sure that the Deployment web runs this number of Pods. */
async function web(kit: Kit, replicas: number): Promise<void> {
  await createWeb(kit)
  await kit.kubectl(`scale deployment web --replicas=${replicas}`)
  await eventually(() => phasesOf(kit, "web")).toEqual(running(replicas))
}

/** Makes sure that the namespace demo exists. */
async function createDemo({ kubectl, onLessonEnd }: Kit): Promise<void> {
  await kubectl("get namespace demo").catch(() => {
    onLessonEnd(() => kubectl("delete namespace demo --ignore-not-found --wait=false"))
    return kubectl("create namespace demo")
  })
}

/** A Pod that may take a second to end: for half of that time, the namespace's controller does not look again. */
const RUN_CLIENT = `run client --image=nginx -n demo --overrides='{"spec": {"terminationGracePeriodSeconds": 1}}'`

/** Makes sure that the Pod client runs in the namespace demo. */
async function client(kit: Kit): Promise<void> {
  const { kubectl } = kit
  await createDemo(kit)
  await kubectl("get pod client -n demo").catch(() =>
    // The namespace may still be without a ServiceAccount.
    eventually(() => kubectl(RUN_CLIENT)).toBe("pod/client created"),
  )
  await eventually(() => kubectl("get pod client -n demo -o jsonpath={.status.phase}")).toBe("Running")
}

/** The token of the Pod client, which kube-apiserver accepts. */
async function acceptedToken(kit: Kit): Promise<string> {
  await client(kit)
  const token = await kit.kubectl(`exec client -n demo -- cat ${TOKEN_FILE}`)
  expect(await kit.ask("/api", token)).toBe(200)
  return token
}

/** The states of an object in etcd, oldest first. */
async function statesOf({ store }: Kit, key: string): Promise<Stored[]> {
  const history = await store.history(key, await store.createdAt(key))
  return Promise.all(history.map(({ bytes }) => decode(bytes) as Promise<Stored>)) // The key holds an object.
}

/** The programs that wrote an object's first state. */
const writers = ([first]: readonly Stored[]) => first?.metadata.managedFields.map(({ manager }) => manager)

lesson(controllerManager, ({ test }) => {
  test("without it a Deployment is a key in etcd: no ReplicaSet, no Pod", async (kit) => {
    const { controllerManager, kubectl, store } = kit
    await controllerManager.kill()
    await createWeb(kit)
    expect((await store.get("/registry/deployments/default/web"))?.revision).toBeGreaterThan(0)
    await expect(kubectl("rollout status deployment/web --timeout=1s")).rejects.toThrow("timed out")
    expect(await store.keys("/registry/replicasets/default/web")).toEqual([])
    expect(await store.keys("/registry/pods/default/web")).toEqual([])
    expect(await kubectl("get deployment web -o jsonpath={.status}")).toBe("{}")
  })

  test("without it a new namespace has no ServiceAccount, and kube-apiserver refuses Pods there", async (kit) => {
    const { controllerManager, kubectl } = kit
    await controllerManager.kill()
    await createDemo(kit)
    await expect(kubectl("run client --image=nginx -n demo")).rejects.toThrow('serviceaccount "default" not found')
  })

  test("once it runs, ReplicaSet and Pods appear, and etcd's revisions show who wrote each", async (kit) => {
    const { controllerManager, store, evidence } = kit
    await createWeb(kit)
    await controllerManager.start()
    await eventually(() => phasesOf(kit, "web")).toEqual(running(2))
    const sets = await store.keys("/registry/replicasets/default/web")
    expect(sets).toEqual([expect.stringContaining("/registry/replicasets/default/web-")])
    const [set = ""] = sets
    const pods = await store.keys("/registry/pods/default/web")
    const [deployed, replicated, ...created] = await Promise.all(
      ["/registry/deployments/default/web", set, ...pods].map((key) => store.createdAt(key)),
    )
    expect(deployed).toBeLessThan(replicated ?? 0)
    for (const revision of created) expect(replicated).toBeLessThan(revision)
    expect(writers(await statesOf(kit, "/registry/deployments/default/web"))).toEqual(["kubectl-create"])
    expect(writers(await statesOf(kit, set))).toEqual(["kube-controller-manager"])
    for (const key of pods) {
      const states = await statesOf(kit, key)
      expect(writers(states)).toEqual(["kube-controller-manager"])
      expect(states[0]?.spec?.nodeName ?? "").toBe("") // Protobuf has an empty field; JSON omits it.
      // If no Node is ready yet, the scheduler first writes that it has found none.
      expect(states.find(({ spec }) => (spec?.nodeName ?? "") !== "")?.spec?.nodeName).toBe(kit.node())
      expect(states.at(-1)?.metadata.managedFields.map(({ manager }) => manager)).toContain("kubelet")
    }
    evidence(`Deployment, ReplicaSet and Pods written at revisions ${deployed}, ${replicated}, ${created.join(", ")}`)
  })

  test("a namespace gets its ServiceAccount default, and kube-root-ca.crt, with which kube-apiserver is verified", async (kit) => {
    const { kubectl, store, access, ask } = kit
    await createDemo(kit)
    await eventually(() => store.keys("/registry/serviceaccounts/demo/")).toEqual([
      "/registry/serviceaccounts/demo/default",
    ])
    const published = () => kubectl("get configmap kube-root-ca.crt -n demo -o 'jsonpath={.data.ca\\.crt}'")
    await eventually(published).toContain("BEGIN CERTIFICATE")
    expect(await ask("/readyz", (await access()).token, await published())).toBeGreaterThan(0)
  })

  test("a new Node is tainted not-ready from its first revision on, and a controller lifts the taint when it is Ready", async (kit) => {
    const taints = () => kit.kubectl("get node paper -o 'jsonpath={.spec.taints[*].key}'")
    await using _kubelet = await paperKubelet(await kit.kubernetes(), "paper")
    await eventually(taints).not.toContain(NOT_READY)
    const [first] = await statesOf(kit, "/registry/minions/paper")
    expect(first?.spec?.taints?.map(({ key }) => key)).toContain(NOT_READY)
  })

  test("each Node has a range of Pod addresses of its own, and its Pods have addresses of that range", async (kit) => {
    const { kubectl, evidence } = kit
    const rangeOf = (node: string) => kubectl(`get node ${node} -o jsonpath={.spec.podCIDR}`)
    await web(kit, 2)
    await using _kubelet = await paperKubelet(await kit.kubernetes(), "paper")
    await eventually(() => rangeOf("paper")).toContain("/")
    const own = await rangeOf(kit.node())
    expect(own).toContain("/")
    expect(await rangeOf("paper")).not.toBe(own)
    const [address = "", bits] = own.split("/")
    const range = new BlockList()
    range.addSubnet(address, Number(bits))
    const addresses = (await podsOf(kit, "web")).map(({ status }) => status.podIP ?? "")
    expect({ own, addresses: addresses.filter((one) => !range.check(one)) }).toEqual({ own, addresses: [] })
    evidence(`Pods ${addresses.join(" and ")} in ${own}`)
  })

  let accepted: string | undefined

  test("kube-apiserver accepts the token that a Pod finds in its container", async (kit) => {
    accepted = await acceptedToken(kit)
    expect(await kit.kubectl("get pod client -n demo -o jsonpath={.spec.serviceAccountName}")).toBe("default")
    expect(await kit.ask("/api", `${accepted}x`)).toBe(401)
  })

  test("a Secret of type service-account-token is filled with a token, and kube-apiserver accepts it", async (kit) => {
    const { kubectl, ask } = kit
    await createDemo(kit)
    await eventually(() => kubectl("get serviceaccount default -n demo -o name")).toBe("serviceaccount/default")
    await kubectl("delete secret token -n demo --ignore-not-found")
    await kubectl("create -n demo -f -", { input: await manifest("token.yaml") })
    const token = () => kubectl("get secret token -n demo -o jsonpath={.data.token}")
    await eventually(token).not.toBe("")
    expect(await ask("/api", Buffer.from(await token(), "base64").toString())).toBe(200)
  })

  test("a deleted Pod is replaced", async (kit) => {
    await web(kit, 2)
    const [first, other] = (await podsOf(kit, "web")).map(({ metadata }) => metadata)
    await kit.kubectl(`delete pod ${first?.name} --wait=false`)
    await eventually(() => phasesOf(kit, "web")).toEqual(running(2))
    const uids = (await podsOf(kit, "web")).map(({ metadata }) => metadata.uid)
    expect(uids).toContain(other?.uid)
    expect(uids).not.toContain(first?.uid)
  })

  test("kubectl scale: more Pods, and fewer", async (kit) => {
    await web(kit, 4)
    expect(await kit.kubectl("get deployment web -o jsonpath={.status.replicas}")).toBe("4")
    await web(kit, 2)
  })

  test("a rollout goes from one ReplicaSet to the next, and its undo goes back to the first", async (kit) => {
    const { kubectl } = kit
    const values = async () =>
      (await podsOf(kit, "web")).flatMap(({ spec }) => spec.containers.map(({ env }) => env?.[0]?.value))
    await web(kit, 2)
    await kubectl("set env deployment/web COLOR=green")
    await eventually(() => replicasOf(kit, "web")).toEqual({ 1: 0, 2: 2 })
    await eventually(values).toEqual(["green", "green"])
    await kubectl("rollout undo deployment/web")
    await eventually(() => replicasOf(kit, "web")).toEqual({ 2: 0, 3: 2 })
    await eventually(values).toEqual([undefined, undefined])
  })

  test("a Job runs its Pod to the end", async ({ kubectl, nonce, onCleanup }) => {
    onCleanup(() => kubectl("delete job once --ignore-not-found"))
    await kubectl(`create job once --image=nginx -- echo ${nonce}`)
    await eventually(() => kubectl("get job once -o jsonpath={.status.succeeded}")).toBe("1")
    expect(await kubectl("logs job/once")).toBe(nonce)
    expect(await kubectl("get pods -l job-name=once -o 'jsonpath={.items[*].status.phase}'")).toBe("Succeeded")
  })

  test("an object goes when its owner goes, unless the owner is deleted with --cascade=orphan", async (kit) => {
    const { kubectl, store, onCleanup } = kit
    const sets = (owner: string) => store.keys(`/registry/replicasets/default/${owner}-`)
    const owners = () => kubectl("get replicasets -l app=orphaned -o 'jsonpath={.items[*].metadata.ownerReferences}'")
    for (const owner of ["followed", "orphaned"]) {
      onCleanup(() => kubectl(`delete deployment,replicaset -l app=${owner}`))
      await kubectl(`create deployment ${owner} --image=nginx --replicas=0`)
      await eventually(() => sets(owner)).toHaveLength(1)
    }
    expect(await owners()).toContain("Deployment")
    await kubectl("delete deployment followed")
    await eventually(() => sets("followed")).toEqual([])
    await kubectl("delete deployment orphaned --cascade=orphan")
    await eventually(owners).toBe("")
    expect(await sets("orphaned")).toHaveLength(1)
  })

  test("a deleted namespace is emptied in etcd key by key, and its own key is the last", async (kit) => {
    const { kubectl, store, evidence } = kit
    await client(kit)
    await kubectl("create configmap left -n demo --from-literal=k=v")
    const held = async () => (await store.keys("/registry/")).filter((key) => key.includes("/demo/"))
    const before = await held()
    expect(before).toEqual(expect.arrayContaining(["/registry/pods/demo/client", "/registry/configmaps/demo/left"]))
    const from = await store.revision()
    await kubectl("delete namespace demo --wait=false")
    await eventually(held).toEqual([])
    const own = "/registry/namespaces/demo"
    const changes = await store.changes("/registry/", from, ({ key, kind }) => key === own && kind === "deleted")
    const deleted = changes.filter(({ kind }) => kind === "deleted").map(({ key }) => key)
    expect(deleted).toEqual(expect.arrayContaining(before))
    expect(deleted.at(-1)).toBe(own)
    evidence(`${before.length} keys of the namespace were deleted, and then its own`)
  })

  test("the token of a deleted Pod is refused", async (kit) => {
    accepted ??= await acceptedToken(kit)
    await kit.kubectl("delete pod client -n demo --ignore-not-found --wait=false")
    // kube-apiserver remembers for ten seconds that it has accepted a token.
    await eventually(() => kit.ask("/api", accepted)).toBe(401)
  })

  test("the kubelet dies: its Node is NotReady and tainted, its Pod is evicted; it comes back, and all recovers", async (kit) => {
    const { controllerManager, kubelet, kubectl, onCleanup, evidence } = kit
    const node = kit.node()
    const ready = () => kubectl(`get node ${node} -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'`)
    const taints = () => kubectl(`get node ${node} -o 'jsonpath={.spec.taints[*].key}'`)
    const lease = () => kubectl(`get lease ${node} -n kube-node-lease -o jsonpath={.spec.leaseDurationSeconds}`)
    await eventually(lease).not.toBe("")
    // By default a Node is NotReady after 50 seconds without a heartbeat.
    await controllerManager.kill()
    await controllerManager.start({
      "--node-monitor-grace-period": `${await lease()}s`,
      "--node-monitor-period": "200ms",
    })
    onCleanup(() => controllerManager.kill())
    // If no Node is Ready, the network is to blame, and nothing is evicted.
    await using _other = await paperKubelet(await kit.kubernetes(), "paper")
    onCleanup(() => kubectl("delete deployment impatient --ignore-not-found"))
    await kubectl("create -f -", { input: await manifest("impatient.yaml") })
    await eventually(() => phasesOf(kit, "impatient")).toEqual(running(1))
    const [evicted] = await podsOf(kit, "impatient")

    await kubelet.kill()
    await eventually(ready).toBe("Unknown")
    await eventually(taints).toContain(UNREACHABLE)
    await eventually(() =>
      kubectl(`get pod ${evicted?.metadata.name} -o jsonpath={.metadata.deletionTimestamp}`),
    ).not.toBe("")
    expect(
      await kubectl(
        `get pod ${evicted?.metadata.name} -o 'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].reason}'`,
      ),
    ).toBe("DeletionByTaintManager")
    await eventually(() => phasesOf(kit, "impatient")).toEqual(["Pending"])

    await kubelet.start()
    await eventually(ready).toBe("True")
    await eventually(taints).toBe("")
    await eventually(() => phasesOf(kit, "impatient")).toEqual(running(1))
    await eventually(() => kubectl(`get pod ${evicted?.metadata.name} --ignore-not-found`)).toBe("")
    evidence(`Pod ${evicted?.metadata.name} was evicted, and another one runs since the kubelet is back`)
  })

  test("of two managers, one leads by a lease; when it dies, the other goes on, and no Pod is created twice", async (kit) => {
    const { controllerManager, kubectl, store, evidence, onCleanup } = kit
    const leader = () =>
      kubectl("get lease kube-controller-manager -n kube-system --ignore-not-found -o jsonpath={.spec.holderIdentity}")
    await createWeb(kit)
    onCleanup(() => controllerManager.kill())
    onCleanup(() => kubectl("delete lease kube-controller-manager -n kube-system --ignore-not-found"))
    const before = await leader() // A learner's manager may have held the lease.
    await controllerManager.kill()
    await controllerManager.start(STANDBY)
    await eventually(leader).not.toBe(before)
    const first = await leader()
    const second = await controllerManager.another({ ...STANDBY, "--secure-port": "10258" })
    onCleanup(() => second.kill())
    await web(kit, 2)
    expect(await leader()).toBe(first)

    const from = await store.revision()
    await kubectl("scale deployment web --replicas=3")
    await controllerManager.kill()
    await kubectl("scale deployment web --replicas=4")
    await eventually(leader).not.toBe(first)
    await eventually(() => phasesOf(kit, "web")).toEqual(running(4))
    const newest = Math.max(
      ...(await Promise.all(
        (await store.keys("/registry/pods/default/web-")).map(async (key) => (await store.get(key))?.revision ?? 0),
      )),
    )
    const changes = await store.changes("/registry/pods/default/web-", from, ({ revision }) => revision >= newest)
    expect(changes.filter(({ kind }) => kind !== "changed").map(({ kind }) => kind)).toEqual(["created", "created"])
    evidence(`the lease moved from ${first} to ${await leader()}`)
  })

  test("killed in the middle of a rollout and started again, it finishes the rollout", async (kit) => {
    const { controllerManager, kubectl, nonce, evidence } = kit
    const values = async () =>
      (await podsOf(kit, "web")).map(({ spec }) => spec.containers.flatMap(({ env }) => env ?? []).at(-1)?.value)
    await web(kit, 3)
    await kubectl(`set env deployment/web NONCE=${nonce}`)
    await eventually(values).toContain(nonce)
    await controllerManager.kill()
    const between = (await values()).filter((value) => value === nonce).length
    await expect(kubectl("rollout status deployment/web --timeout=1s")).rejects.toThrow("timed out")
    expect((await values()).filter((value) => value !== nonce)).not.toEqual([])

    await controllerManager.start()
    await eventually(values).toEqual([nonce, nonce, nonce])
    evidence(`killed when ${between} of 3 Pods were new, it replaced the others after its start`)
  })
})
