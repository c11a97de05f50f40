import { X509Certificate } from "node:crypto"
import { BlockList } from "node:net"
import { eventually, expect, httpGet, type Kit, lesson, manifest, networking, steadyProbe } from "../lib/lesson.ts"

/** The folder in which each container finds the token of its Pod, and the CA of kube-apiserver. */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

interface Condition {
  readonly type: string
  readonly status: string
}

/** The fields of a Pod that this lesson reads. */
interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
  readonly spec: { readonly nodeName?: string }
  readonly status: { readonly podIP?: string; readonly conditions?: readonly Condition[] }
}

/** The fields of a Node that this lesson reads. */
interface Node {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly podCIDR?: string }
  readonly status: {
    readonly addresses: readonly { readonly type: string; readonly address: string }[]
    readonly conditions: readonly Condition[]
  }
}

/** The fields of an EndpointSlice that this lesson reads. */
interface EndpointSlice {
  readonly ports: readonly { readonly port: number }[] | null
  readonly endpoints:
    | readonly { readonly addresses: readonly string[]; readonly conditions: { ready: boolean } }[]
    | null
}

/** The fields of a request for a certificate that this lesson reads. */
interface CertificateRequest {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly username: string; readonly groups: readonly string[]; readonly signerName: string }
  readonly status: { readonly conditions?: readonly Condition[]; readonly certificate?: string }
}

/** The objects that kubectl lists, as JSON. */
async function list<T>({ kubectl }: Kit, what: string): Promise<T[]> {
  return (JSON.parse(await kubectl(`get ${what} -o json`)) as { items: T[] }).items // kubectl prints a list.
}

const is = (conditions: readonly Condition[] | undefined, wanted: string) =>
  conditions?.some(({ type, status }) => type === wanted && status === "True") === true

/** The Pods of the Deployment web that are Ready and are not being deleted. */
async function webPods(kit: Kit): Promise<Pod[]> {
  return (await list<Pod>(kit, "pods -l app=web")).filter(
    ({ metadata, status }) => metadata.deletionTimestamp === undefined && is(status.conditions, "Ready"),
  )
}

/** Makes sure that the Deployment web, with its Services, has this number of Pods. */
async function web(kit: Kit, replicas: number): Promise<readonly Pod[]> {
  const { kubectl, onLessonEnd } = kit
  await kubectl("get deployment web").catch(async () => {
    onLessonEnd(() => kubectl("delete deployment/web service/web service/web-headless --ignore-not-found"))
    await kubectl("create -f -", { input: await manifest("web.yaml") })
  })
  await kubectl(`scale deployment web --replicas=${replicas}`)
  await eventually(async () => (await webPods(kit)).length).toBe(replicas)
  await eventually(async () => (await endpoints(kit)).length).toBe(replicas)
  return webPods(kit)
}

/** The endpoints of the Service web, as its EndpointSlices list them: ADDRESS:PORT. */
async function endpoints(kit: Kit): Promise<string[]> {
  const slices = await list<EndpointSlice>(kit, "endpointslices -l kubernetes.io/service-name=web")
  return slices
    .flatMap(({ ports, endpoints: all }) =>
      (all ?? [])
        .filter(({ conditions }) => conditions.ready)
        .flatMap(({ addresses }) =>
          addresses.flatMap((address) => (ports ?? []).map(({ port }) => `${address}:${port}`)),
        ),
    )
    .toSorted()
}

const addressOfWeb = ({ kubectl }: Kit) => kubectl("get service web -o jsonpath={.spec.clusterIP}")
const portOfWeb = ({ kubectl }: Kit) => kubectl("get service web -o 'jsonpath={.spec.ports[0].nodePort}'")

/**
 * How often each Pod answers, if a client on this machine opens one connection after another. After a connection that
 * fails it opens no further one: the last line is then what curl says of it.
 */
async function answers({ sh }: Kit, host: string, times = 60): Promise<Record<string, number>> {
  const output = await sh(
    `curl -sS --fail-early --max-time 3 -H "Connection: close" "http://${host}/?[1-${times}]" 2>&1 || true`,
  )
  const counts: Record<string, number> = {}
  for (const line of output.split("\n")) counts[line] = (counts[line] ?? 0) + 1
  return counts
}

/** Waits until only these Pods answer at this address: kube-proxy may not know yet that others are gone. */
async function answered(kit: Kit, host: string, pods: readonly Pod[]): Promise<void> {
  const others = async () => Object.keys(await answers(kit, host, 20)).filter((name) => !names(pods).includes(name))
  await eventually(others).toEqual([])
}

/** The names of the Pods that answer, sorted. */
async function answering(kit: Kit, host: string): Promise<string[]> {
  const counts = await answers(kit, host)
  kit.evidence(
    Object.entries(counts)
      .map(([name, times]) => `${name} ${times}`)
      .join(", "),
  )
  return Object.keys(counts).toSorted()
}

const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name).toSorted()

/** Makes sure that the Pod client runs. */
async function client({ kubectl, onLessonEnd }: Kit): Promise<void> {
  await kubectl("get pod client").catch(async () => {
    onLessonEnd(() => kubectl("delete pod client --ignore-not-found --wait=false"))
    await kubectl("create -f -", { input: await manifest("client.yaml") })
  })
  await eventually(() => kubectl("get pod client -o jsonpath={.status.phase}")).toBe("Running")
}

/** The domain of the cluster, as the Pod client finds it in its /etc/resolv.conf. */
async function domain({ kubectl }: Kit): Promise<string> {
  const resolver = await kubectl("exec client -- cat /etc/resolv.conf")
  return /^search .*?\bsvc\.(\S+)/m.exec(resolver)?.[1] ?? ""
}

/** The addresses to which a name leads, as the Pod client finds them, sorted. */
async function lookup({ kubectl }: Kit, name: string): Promise<string[]> {
  const [, answer = ""] = (await kubectl(`exec client -- nslookup -type=a ${name}`)).split("\n\n")
  return [...answer.matchAll(/^Address.*?:\s*([\d.]+)$/gm)].map(([, address = ""]) => address).toSorted()
}

/** A person approves every request for a certificate that waits. */
async function approve(kit: Kit): Promise<void> {
  const requests = await list<CertificateRequest>(kit, "certificatesigningrequests")
  for (const { metadata, status } of requests)
    if (status.conditions === undefined) await kit.kubectl(`certificate approve ${metadata.name}`)
}

/** The request of a machine that has no certificate yet. */
async function firstRequest(kit: Kit): Promise<CertificateRequest | undefined> {
  return (await list<CertificateRequest>(kit, "certificatesigningrequests")).find(
    ({ spec }) =>
      spec.signerName === "kubernetes.io/kube-apiserver-client-kubelet" &&
      spec.username.startsWith("system:bootstrap:"),
  )
}

async function nodeOf(kit: Kit, name: string): Promise<Node> {
  return JSON.parse(await kit.kubectl(`get node ${name} -o json`)) as Node
}

const addressOf = ({ status }: Node) => status.addresses.find(({ type }) => type === "InternalIP")?.address ?? ""

/** Whether an address is in a range such as 10.88.0.0/24. */
function isIn(range: string, address: string): boolean {
  const [start = "", bits] = range.split("/")
  const addresses = new BlockList()
  addresses.addSubnet(start, Number(bits))
  return addresses.check(address)
}

lesson(networking, ({ test }) => {
  test("without kube-proxy a Service is an address that leads nowhere, although it has endpoints", async (kit) => {
    const { kubeProxy, sh, kubectl, evidence } = kit
    await kubeProxy.kill()
    await kubectl("delete service web --ignore-not-found")
    const [pod] = await web(kit, 2)
    expect(await sh(`curl -s http://${pod?.status.podIP}`)).toBe(pod?.metadata.name)
    const address = await addressOfWeb(kit)
    await expect(sh(`curl -s --max-time 1 http://${address}`)).rejects.toThrow()
    evidence(`Service ${address} has the endpoints ${(await endpoints(kit)).join(" and ")}`)
  })

  test("once it runs, connections to the Service's address are spread over its Pods", async (kit) => {
    const pods = await web(kit, 2)
    await kit.kubeProxy.start()
    const address = await addressOfWeb(kit)
    await answered(kit, address, pods)
    expect(await answering(kit, address)).toEqual(names(pods))
  })

  test("the kernel's rules list exactly the endpoints of the EndpointSlice", async (kit) => {
    const { rules, evidence } = kit
    for (const replicas of [2, 1, 3]) {
      await web(kit, replicas)
      await eventually(() => rules("default/web")).toEqual(await endpoints(kit))
    }
    evidence((await rules("default/web")).join(", "))
  })

  test("a port of the Node leads to the same Pods", async (kit) => {
    const pods = await web(kit, 2)
    const host = `${addressOf(await nodeOf(kit, kit.node()))}:${await portOfWeb(kit)}`
    await answered(kit, host, pods)
    expect(await answering(kit, host)).toEqual(names(pods))
  })

  test("a Pod that is deleted leaves the rules, and no connection fails", async (kit) => {
    const { rules, machine, kubectl, evidence } = kit
    const [pod] = await web(kit, 2)
    const endpoint = `${pod?.status.podIP}:80`
    const host = await addressOfWeb(kit)
    expect(await rules("default/web")).toContain(endpoint)
    await using steady = steadyProbe(() => httpGet(machine, { host, port: 80, path: "/" }))
    await kubectl(`delete pod ${pod?.metadata.name} --wait=false`)
    await eventually(() => endpoints(kit)).not.toContain(endpoint)
    const left = performance.now()
    await eventually(() => rules("default/web")).not.toContain(endpoint)
    const milliseconds = Math.round(performance.now() - left)
    await eventually(() => kubectl(`get pod ${pod?.metadata.name} --ignore-not-found`)).toBe("")
    const { answered, lost } = await steady.stop()
    expect(lost).toBe(0)
    evidence(`out of the rules ${milliseconds} ms after the EndpointSlice; ${answered} connections, none failed`)
  })

  test("without endpoints, connections are refused at once", async (kit) => {
    await web(kit, 0)
    const address = await addressOfWeb(kit)
    const COULD_NOT_CONNECT = "7" // The exit status of curl.
    await eventually(() => kit.sh(`curl -s --max-time 1 http://${address} || echo $?`)).toBe(COULD_NOT_CONNECT)
  })

  test("with sessionAffinity, one client stays at one Pod", async (kit) => {
    const { kubectl, onCleanup } = kit
    await web(kit, 2)
    const address = await addressOfWeb(kit)
    const become = (affinity: string) => kubectl(`patch service web -p '{"spec": {"sessionAffinity": "${affinity}"}}'`)
    onCleanup(() => become("None"))
    await become("ClientIP")
    await eventually(async () => Object.keys(await answers(kit, address, 20))).toHaveLength(1)
    expect(await answering(kit, address)).toHaveLength(1)
  })

  test("a Pod reaches a Service by its name", async (kit) => {
    const pods = await web(kit, 2)
    await client(kit)
    const answer = () => kit.kubectl("exec client -- wget -qO- http://web")
    await eventually(async () => names(pods).includes(await answer())).toBe(true)
  })

  test("names lead to Services, to all Pods of a headless Service, and to single Pods", async (kit) => {
    const pods = await web(kit, 2)
    await client(kit)
    const addresses = pods.map(({ status }) => status.podIP ?? "").toSorted()
    const [first = ""] = addresses
    const cluster = await domain(kit)
    await eventually(() => lookup(kit, `web.default.svc.${cluster}`)).toEqual([await addressOfWeb(kit)])
    await eventually(() => lookup(kit, `web-headless.default.svc.${cluster}`)).toEqual(addresses)
    await eventually(() => lookup(kit, `${first.replaceAll(".", "-")}.default.pod.${cluster}`)).toEqual([first])
  })

  test("a Pod reaches kube-apiserver as kubernetes.default.svc, and is admitted with its token", async (kit) => {
    await client(kit)
    const asked = (token: string) =>
      kit.kubectl(
        `exec client -- sh -c 'kubectl auth whoami -o jsonpath={.status.userInfo.username} --server=https://kubernetes.default.svc --certificate-authority=${ACCOUNT}/ca.crt --token="${token}"'`,
      )
    await eventually(() => asked(`$(cat ${ACCOUNT}/token)`)).toBe("system:serviceaccount:default:default")
    await expect(asked("x")).rejects.toThrow("Unauthorized")
  })

  test("a NetworkPolicy is enforced by a program on the Node; without one it changes nothing", async (kit) => {
    const { kubectl, onCleanup, evidence } = kit
    const [pod] = await web(kit, 2)
    await client(kit)
    const asked = async (times: number) => {
      const once = `timeout 1 wget -qO- http://${pod?.status.podIP} || echo no answer; sleep 0.2`
      return (await kubectl(`exec client -- sh -c 'for i in $(seq ${times}); do ${once}; done'`)).split("\n")
    }
    const answer = pod?.metadata.name ?? ""
    await eventually(() => asked(1)).toEqual([answer])
    onCleanup(() => kubectl("delete networkpolicy web --ignore-not-found"))
    await kubectl("create -f -", { input: await manifest("policy.yaml") })
    let after = await asked(15) // A program that enforces it needs a moment.
    await eventually(async () => {
      after = await asked(3)
      return new Set(after).size
    }).toBe(1)
    onCleanup(() => kubectl("label pod client friend-"))
    await kubectl("label pod client friend=yes")
    await eventually(() => asked(1)).toEqual([answer]) // The policy lets friends in.
    evidence(
      after.includes(answer)
        ? "a Pod that the policy excludes still got answers: no program on the Node, such as kube-network-policies, enforces it"
        : "a Pod that the policy excludes got no answer, and as a friend it did",
    )
  })

  test("a machine joins: its kubelet requests a certificate with a bootstrap token, and a person approves it", async (kit) => {
    const { kubectl, on, evidence } = kit
    const second = await on("node-2")
    const starting = second.kubelet.start()
    starting.catch(() => undefined) // It is awaited below.
    const requested = eventually(() => firstRequest(kit)).toBeDefined()
    await Promise.race([starting, requested]) // A kubelet that does not start requests nothing.
    await requested
    const before = await kubectl("get node node-2 --ignore-not-found")
    const request = await firstRequest(kit)
    // A learner's script, or a controller, can have approved it already.
    if (request?.status.conditions === undefined) expect(before).toBe("")
    const ready = eventually(async () => {
      await approve(kit)
      return is((await nodeOf(kit, "node-2")).status.conditions, "Ready")
    }).toBe(true)
    await Promise.all([starting, ready])
    await eventually(async () => {
      await approve(kit) // The kubelet requests a second certificate, to serve with.
      return kubectl("get --raw /api/v1/nodes/node-2/proxy/healthz")
    }).toBe("ok")
    expect(request?.spec.groups).toContain("system:bootstrappers")
    const certificate = new X509Certificate(Buffer.from((await firstRequest(kit))?.status.certificate ?? "", "base64"))
    expect(certificate.subject).toBe("O=system:nodes\nCN=system:node:node-2")
    const { kubeconfig } = second.kubelet.settings
    expect(
      await second.sh(`kubectl auth whoami --kubeconfig=${kubeconfig} -o jsonpath={.status.userInfo.username}`),
    ).toBe("system:node:node-2")
    evidence(`${request?.spec.username} requested the certificate of system:node:node-2`)
  })

  test("Pods on both Nodes have addresses of their Node's range, and reach each other by their own addresses", async (kit) => {
    const { kubectl, nonce, evidence } = kit
    const pods = await web(kit, 4)
    const one = pods.find(({ spec }) => spec.nodeName === kit.node())
    const other = pods.find(({ spec }) => spec.nodeName === "node-2")
    for (const { spec, status } of pods) {
      const range = (await nodeOf(kit, spec.nodeName ?? "")).spec.podCIDR ?? ""
      expect({ range, address: status.podIP, isInRange: isIn(range, status.podIP ?? "") }).toMatchObject({
        isInRange: true,
      })
    }
    for (const [from, to] of [
      [one, other],
      [other, one],
    ]) {
      const ask = `exec ${from?.metadata.name} -- timeout 2 wget -qO- "http://${to?.status.podIP}/?${nonce}"`
      await eventually(() => kubectl(ask)).toBe(to?.metadata.name)
      const log = await kubectl(`logs ${to?.metadata.name}`)
      const [seen = ""] = log.split("\n").filter((line) => line.includes(nonce))
      expect(seen.split(" ")[0]).toBe(from?.status.podIP)
      evidence(`${to?.metadata.name} on ${to?.spec.nodeName} saw ${seen.split(" ")[0]}`)
    }
  })

  test("a Service's address, and a port of each Node, spread connections over Pods on both Nodes, whichever Node is asked", async (kit) => {
    const second = await kit.on("node-2")
    const pods = await web(kit, 4)
    const port = await portOfWeb(kit)
    const nodes = await list<Node>(kit, "nodes")
    const hosts = [await addressOfWeb(kit), ...nodes.map((node) => `${addressOf(node)}:${port}`)]
    for (const there of [kit, second]) {
      await eventually(() => there.rules("default/web")).toEqual(await endpoints(kit))
      for (const host of hosts)
        expect({ host, names: await answering(there, host) }).toEqual({ host, names: names(pods) })
    }
  })

  test("draining a Node moves its Pods to the other Node, and a steady client loses no request", async (kit) => {
    const { kubectl, machine, onCleanup, evidence } = kit
    const before = await web(kit, 4)
    expect(before.map(({ spec }) => spec.nodeName)).toContain("node-2")
    const host = await addressOfWeb(kit)
    await using steady = steadyProbe(() => httpGet(machine, { host, port: 80, path: "/" }))
    onCleanup(() => kubectl("uncordon node-2"))
    await kubectl("drain node-2 --force --ignore-daemonsets --delete-emptydir-data --timeout=20s")
    const pods = await web(kit, 4)
    const { answered, lost } = await steady.stop()
    expect(pods.map(({ spec }) => spec.nodeName)).not.toContain("node-2")
    expect(lost).toBe(0)
    evidence(`${answered} requests while node-2 was drained, none lost`)
  })
})
