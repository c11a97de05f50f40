import { connectionsOf, eventually, expect, kubelet, lesson, portOf, settingOf } from "../lib/lesson.ts"

lesson(kubelet, ({ test }) => {
  test("the kubelet registers its own Node", async ({ startRuntime, kubelet, kubectl, node }) => {
    if (!kubelet.isRunning)
      expect(await kubectl("get nodes -o name --ignore-not-found")).not.toContain(`node/${node()}`)
    await startRuntime()
    await kubelet.start()
    await eventually(() => kubectl("get nodes -o name")).toBe(`node/${node()}`)
  })

  test("a Node is a key under /registry/minions", async ({ store, node }) => {
    await eventually(() => store.keys("/registry/minions/")).toEqual([`/registry/minions/${node()}`])
  })

  test("it becomes Ready, and the versions that it reports are true", async ({ kubectl, sh, node, evidence }) => {
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
  })

  test("it renews its lease", async ({ kubectl, node }) => {
    const renewed = () => kubectl(`get lease ${node()} -n kube-node-lease -o jsonpath={.spec.renewTime}`)
    await eventually(() => renewed().catch(() => "")).not.toBe("")
    const before = await renewed()
    await eventually(renewed).not.toBe(before)
  })

  test("by its sockets, it calls kube-apiserver only", async ({ at, machine, kubelet }) => {
    const peers = (await connectionsOf(machine, kubelet.pid)).map(({ peer }) => Number(portOf(peer)))
    expect(new Set(peers)).toEqual(new Set([at.apiserver.port]))
  })

  test("its own port refuses unauthenticated requests, and answers kube-apiserver", async ({ at, apiserver, sh }) => {
    const { host, port, ca, isVerified } = await at.kubelet()
    const pods = `--silent ${isVerified ? `--cacert ${ca}` : "--insecure"} https://${host}:${port}/pods`
    expect(await sh(`curl ${pods} --output /dev/null --write-out %{http_code}`)).toBe("401")
    const [certificate, key] = [
      settingOf(apiserver, "--kubelet-client-certificate"),
      settingOf(apiserver, "--kubelet-client-key"),
    ]
    expect(await sh(`curl ${pods} --cert ${certificate} --key ${key}`)).toContain('"kind":"PodList"')
  })
})
