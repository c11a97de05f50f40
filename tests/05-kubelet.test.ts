import { connectionsOf, eventually, expect, httpGet, lesson } from "../lib/lesson.ts"

lesson(5, "kubelet: a machine becomes a Node", ({ test }) => {
  test("the kubelet registers its own Node", { see: "kubectl get nodes", disturbs: true, upTo: 4 }, async ({ cluster, kubelet, kubectl, machine }) => {
    expect(await kubectl("get nodes -o name --ignore-not-found")).not.toContain(`node/${machine.name}`)
    await cluster.startRuntime()
    await kubelet.start()
    await eventually(() => kubectl("get nodes -o name")).toBe(`node/${machine.name}`)
  })

  test("a Node is a key under /registry/minions", { see: "etcdctl get /registry/minions/ --prefix --keys-only" }, async ({ store, machine }) => {
    await eventually(() => store.keys("/registry/minions/")).toEqual([`/registry/minions/${machine.name}`])
  })

  test("it becomes Ready, and the versions that it tells are true", { see: "kubectl get nodes -o wide; kubelet --version; containerd --version" }, async ({ kubectl, sh, machine, evidence }) => {
    await eventually(() => kubectl(`get node ${machine.name} -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'`)).toBe("True")
    const [version, runtime] = (await kubectl(`get node ${machine.name} -o jsonpath={.status.nodeInfo.kubeletVersion},{.status.nodeInfo.containerRuntimeVersion}`)).split(",")
    expect(`Kubernetes ${version}`).toBe(await sh("kubelet --version"))
    const [, , said] = (await sh("containerd --version")).split(" ") // containerd github.com/containerd/containerd/v2 v2.3.7 …
    expect(runtime).toBe(`containerd://${said?.replace(/^v/, "")}`)
    evidence(`Node ${machine.name} is Ready: kubelet ${version}, ${runtime}`)
  })

  test("it renews its lease", { see: "kubectl get lease -n kube-node-lease -o yaml --watch" }, async ({ kubectl, machine }) => {
    const renewed = () => kubectl(`get lease ${machine.name} -n kube-node-lease -o jsonpath={.spec.renewTime}`)
    await eventually(() => renewed().catch(() => "")).not.toBe("")
    const before = await renewed()
    await eventually(renewed).not.toBe(before)
  })

  test("by its sockets, it calls kube-apiserver and nobody else", { see: "ss -tnp | grep kubelet" }, async ({ machine, kubelet }) => {
    const called = (await connectionsOf(machine, kubelet.pid)).filter(({ local }) => !/:(10248|10250)$/.test(local)) // On those two ports it is called.
    expect(new Set(called.map(({ peer }) => peer))).toEqual(new Set(["127.0.0.1:6443"]))
  })

  test("its own port refuses strangers, and answers kube-apiserver", {
    see: "curl --cacert /etc/kubernetes/pki/ca.crt https://127.0.0.1:10250/pods",
  }, async ({ machine, cluster, sh }) => {
    const { status } = await httpGet(machine, { port: 10250, path: "/pods", ca: await cluster.ca() })
    expect(status).toBe(401)
    const known = "--cert /etc/kubernetes/pki/apiserver-kubelet-client.crt --key /etc/kubernetes/pki/apiserver-kubelet-client.key"
    expect(await sh(`curl --silent --cacert /etc/kubernetes/pki/ca.crt ${known} https://127.0.0.1:10250/pods`)).toContain('"kind":"PodList"')
  })
})
