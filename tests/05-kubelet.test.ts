import { connectionsOf, eventually, expect, lesson, settingOf } from "../lib/lesson.ts"

lesson(5, "kubelet: a machine becomes a Node", ({ test }) => {
  test(
    "the kubelet registers its own Node",
    { see: "kubectl get nodes", disturbs: true, upTo: 4 },
    async ({ subject, kubelet, kubectl, node }) => {
      if (!kubelet.isRunning)
        expect(await kubectl("get nodes -o name --ignore-not-found")).not.toContain(`node/${node()}`)
      await subject.ensure(["containerd"])
      await kubelet.start()
      await eventually(() => kubectl("get nodes -o name")).toBe(`node/${node()}`)
    },
  )

  test(
    "a Node is a key under /registry/minions",
    { see: "etcdctl get /registry/minions/ --prefix --keys-only" },
    async ({ store, node }) => {
      await eventually(() => store.keys("/registry/minions/")).toEqual([`/registry/minions/${node()}`])
    },
  )

  test(
    "it becomes Ready, and the versions that it tells are true",
    { see: "kubectl get nodes -o wide; kubelet --version; containerd --version" },
    async ({ kubectl, sh, node, evidence }) => {
      await eventually(() =>
        kubectl(`get node ${node()} -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'`),
      ).toBe("True")
      const [version, runtime] = (
        await kubectl(
          `get node ${node()} -o jsonpath={.status.nodeInfo.kubeletVersion},{.status.nodeInfo.containerRuntimeVersion}`,
        )
      ).split(",")
      expect(`Kubernetes ${version}`).toBe(await sh("kubelet --version"))
      const [, , said] = (await sh("containerd --version")).split(" ") // containerd github.com/containerd/containerd/v2 v2.3.7 …
      expect(runtime).toBe(`containerd://${said?.replace(/^v/, "")}`)
      evidence(`Node ${node()} is Ready: kubelet ${version}, ${runtime}`)
    },
  )

  test(
    "it renews its lease",
    { see: "kubectl get lease -n kube-node-lease -o yaml --watch" },
    async ({ kubectl, node }) => {
      const renewed = () => kubectl(`get lease ${node()} -n kube-node-lease -o jsonpath={.spec.renewTime}`)
      await eventually(() => renewed().catch(() => "")).not.toBe("")
      const before = await renewed()
      await eventually(renewed).not.toBe(before)
    },
  )

  test(
    "by its sockets, it calls kube-apiserver and nobody else",
    { see: "ss -tnp | grep kubelet" },
    async ({ at, machine, kubelet }) => {
      const { port, healthz } = await at.kubelet()
      const portOf = (address: string) => Number(address.split(":").at(-1))
      const called = (await connectionsOf(machine, kubelet.pid)).filter(
        ({ local }) => ![port, healthz].includes(portOf(local)),
      ) // On those two ports it is called.
      expect(new Set(called.map(({ peer }) => portOf(peer)))).toEqual(new Set([at.apiserver.port]))
    },
  )

  test(
    "its own port refuses strangers, and answers kube-apiserver",
    {
      see: "curl --cacert /etc/kubernetes/pki/ca.crt https://127.0.0.1:10250/pods",
    },
    async ({ at, apiserver, sh }) => {
      const { host, port, ca } = await at.kubelet()
      const pods = `--silent --cacert ${ca} https://${host}:${port}/pods`
      expect(await sh(`curl ${pods} --output /dev/null --write-out %{http_code}`)).toBe("401")
      const [certificate, key] = [
        settingOf(apiserver, "--kubelet-client-certificate"),
        settingOf(apiserver, "--kubelet-client-key"),
      ]
      expect(await sh(`curl ${pods} --cert ${certificate} --key ${key}`)).toContain('"kind":"PodList"')
    },
  )
})
