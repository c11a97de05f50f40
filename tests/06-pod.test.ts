import { BlockList } from "node:net"
import { basename } from "node:path"
import { containerPid, decode, eventually, expect, hello, type Kit, lesson, pod, serves } from "../lib/lesson.ts"

const KEY = "/registry/pods/default/hello"

/** The fields of a Pod that this lesson reads. */
interface Pod {
  readonly metadata: { readonly uid: string; readonly managedFields: readonly { readonly manager: string }[] }
  readonly spec: { readonly nodeName?: string }
  readonly status: {
    readonly phase: string
    readonly podIP?: string
    readonly containerStatuses?: readonly { readonly state: Record<string, { readonly reason?: string }> }[]
  }
}

const podIP = "get pod hello -o jsonpath={.status.podIP}"

/** Every state of the Pod, oldest first, as etcd keeps them. */
async function states({ store, kubectl }: Kit): Promise<Pod[]> {
  const created = await kubectl("get pod hello -o jsonpath={.metadata.creationTimestamp}")
  expect(created).not.toBe("")
  const revision = await store.createdAt(KEY)
  // The key holds a Pod.
  return Promise.all((await store.history(KEY, revision)).map(({ bytes }) => decode(bytes) as Promise<Pod>))
}

lesson(pod, ({ test }) => {
  test("kubectl run hello --image=nginx: Pending, ContainerCreating, Running", async (kit) => {
    const { kubectl, evidence } = kit
    await kubectl("delete pod hello --ignore-not-found")
    expect(await kubectl("run hello --image=nginx")).toBe("pod/hello created")
    await hello(kit)
    const seen = (await states(kit)).map(
      ({ status }) => status.containerStatuses?.[0]?.state["waiting"]?.reason ?? status.phase,
    )
    expect(seen.filter((state, at) => state !== seen[at - 1])).toEqual(["Pending", "ContainerCreating", "Running"])
    evidence("hello went Pending, ContainerCreating, Running")
  })

  test("revision by revision: written with no Node, bound by the scheduler, status by the kubelet", async (kit) => {
    await hello(kit)
    const history = await states(kit)
    const [written] = history
    // If no Node is ready yet, the scheduler first writes that it has found none.
    const bound = history.find(({ spec }) => (spec.nodeName ?? "") !== "")
    expect(written?.spec.nodeName ?? "").toBe("") // Protobuf has an empty field; JSON omits it.
    expect(written?.metadata.managedFields.map(({ manager }) => manager)).toEqual(["kubectl-run"])
    expect(bound?.spec.nodeName).toBe(kit.node())
    expect(bound?.status.containerStatuses ?? []).toEqual([])
    const kubelet = basename(kit.kubelet.argv[0] ?? "") // Each program names itself to the API.
    expect(history.at(-1)?.metadata.managedFields.map(({ manager }) => manager)).toContain(kubelet)
    expect(new Set(history.map(({ metadata }) => metadata.uid)).size).toBe(1)
  })

  test("the events name who did what", async (kit) => {
    await hello(kit)
    const { core } = await kit.kubernetes()
    const events = async () =>
      (await core.listNamespacedEvent({ namespace: "default", fieldSelector: "involvedObject.name=hello" })).items
    await eventually(async () =>
      (await events()).map(
        ({ source, reportingComponent, reason }) => `${source?.component ?? reportingComponent}: ${reason}`,
      ),
    ).toEqual(
      expect.arrayContaining([
        "default-scheduler: Scheduled",
        "kubelet: Pulling",
        "kubelet: Pulled",
        "kubelet: Created",
        "kubelet: Started",
      ]),
    )
  })

  test("it lies at /registry/pods/default/hello", async (kit) => {
    await hello(kit)
    const stored = (await kit.stored(KEY)) as Pod | undefined
    expect(stored?.metadata.uid).toBe(await kit.kubectl("get pod hello -o jsonpath={.metadata.uid}"))
    expect(stored?.status.phase).toBe("Running")
  })

  test("nginx answers on the Pod's IP", async (kit) => {
    await hello(kit)
    const ip = await kit.kubectl(podIP)
    await serves(kit.machine, ip, 80)
    expect(await kit.sh(`curl --silent http://${ip}`)).toContain("Welcome to nginx!")
    kit.evidence(`nginx answers on ${ip}`)
  })

  test("its process is a child of a containerd shim", async (kit) => {
    await hello(kit)
    const pid = await containerPid(
      kit,
      await kit.kubectl("get pod hello -o jsonpath={.status.containerStatuses[0].containerID}"),
    )
    expect(await kit.sh(`cat /proc/${pid}/comm`)).toBe("nginx")
    const parent = await kit.sh(`ps -o ppid= -p ${pid}`)
    expect(await kit.sh(`tr '\\0' ' ' </proc/${parent.trim()}/cmdline`)).toMatch(/^\S*containerd-shim-runc-v2 /)
  })

  test("the Pod's address comes from the CNI network, which Services do not use", async (kit) => {
    await hello(kit)
    const network = new BlockList()
    const subnets = [...(await kit.sh(`cat ${await kit.cniFolder()}/*`)).matchAll(/"subnet":\s*"([^/]+)\/(\d+)"/g)]
    for (const [, address = "", bits] of subnets) network.addSubnet(address, Number(bits))
    const [pod, service] = [
      await kit.kubectl(podIP),
      await kit.kubectl("get service kubernetes -o jsonpath={.spec.clusterIP}"),
    ]
    expect({ pod, isOfTheNetwork: network.check(pod) }).toEqual({ pod, isOfTheNetwork: true })
    expect({ service, isOfTheNetwork: network.check(service) }).toEqual({ service, isOfTheNetwork: false })
  })

  test("kubectl logs and kubectl exec reach into it", async (kit) => {
    await hello(kit)
    const path = `/asked-${Date.now()}`
    await kit.sh(`curl --silent http://${await kit.kubectl(podIP)}${path}`)
    await eventually(() => kit.kubectl("logs hello")).toContain(`GET ${path}`)
    expect(await kit.kubectl("exec hello -- sh -c 'nginx -v 2>&1'")).toMatch(/^nginx version: nginx\//)
  })
})
