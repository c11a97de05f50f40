import { apiserver, connectionsTo, expect, lesson, listeners, settingOf } from "../lib/lesson.ts"

lesson(apiserver, ({ test }) => {
  test("kube-apiserver starts on top of etcd, and holds port 6443 itself", async (kit) => {
    const { apiserver, machine } = kit
    await apiserver.start()
    expect((await listeners(machine, kit.at.apiserver.port)).map(({ pid }) => pid)).toEqual([apiserver.pid])
  })

  test("kubectl get nodes says that there are none", async ({ sh, kubelet, node }) => {
    const answer = await sh("kubectl get nodes 2>&1")
    // A kubelet of a later lesson may run already. It registers its Node some time after kube-apiserver has started.
    if (!kubelet.isRunning || !answer.includes(node())) expect(answer).toBe("No resources found")
  })

  test("the built-in namespaces are Active", async ({ kubectl }) => {
    const namespaces = (await kubectl("get namespaces --no-headers"))
      .split("\n")
      .map((line) => line.split(/\s+/).slice(0, 2))
    for (const name of ["default", "kube-node-lease", "kube-public", "kube-system"])
      expect(namespaces).toContainEqual([name, "Active"])
  })

  test("the Service kubernetes has the first address of --service-cluster-ip-range", async ({ apiserver, kubectl }) => {
    const [, network, last] =
      /^(.*\D)(\d+)\/\d+/.exec(settingOf(apiserver, "--service-cluster-ip-range") ?? "none is set") ?? []
    expect(await kubectl("get service kubernetes -o jsonpath={.spec.clusterIP}")).toBe(`${network}${Number(last) + 1}`)
  })

  test("what kube-apiserver makes for itself is in etcd", async ({ etcdctl, evidence }) => {
    const keys = (await etcdctl("get /registry/ --prefix --keys-only")).split("\n").filter((line) => line !== "")
    expect(keys).toEqual(
      expect.arrayContaining([
        "/registry/namespaces/default",
        "/registry/namespaces/kube-system",
        "/registry/apiregistration.k8s.io/apiservices/v1.",
      ]),
    )
    evidence(`${keys.length} keys under /registry, /registry/namespaces/default among them`)
  })

  test("the namespaces that kubectl lists are the keys under /registry/namespaces", async ({ kubectl, store }) => {
    const listed = (await kubectl("get namespaces -o name"))
      .split("\n")
      .map((line) => line.replace("namespace/", "/registry/namespaces/"))
    expect(listed.toSorted()).toEqual((await store.keys("/registry/namespaces/")).toSorted())
  })

  test("a namespace written straight into etcd shows up in kubectl", async ({ kubectl, store, stored, onCleanup }) => {
    const name = `smuggled-${Date.now()}`
    const object = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name,
        uid: "f1e0a1de-0000-4000-8000-000000000000",
        labels: { "kubernetes.io/metadata.name": name },
      },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    }
    expect(await stored("/registry/namespaces/default")).toMatchObject({
      kind: "Namespace",
      metadata: { name: "default" },
    })
    onCleanup(() => store.delete(`/registry/namespaces/${name}`))
    await store.put(`/registry/namespaces/${name}`, JSON.stringify(object))
    expect(await kubectl(`get namespace ${name} --no-headers`)).toMatch(new RegExp(`^${name}\\s+Active`))
    await store.delete(`/registry/namespaces/${name}`)
    await expect(kubectl(`get namespace ${name}`)).rejects.toThrow("NotFound")
  })

  test("without a token, or with a wrong one, the answer is 401; the right one identifies the user", async ({
    ask,
    access,
    kubectl,
    evidence,
  }) => {
    const { token } = await access()
    if (token !== undefined) expect(await ask("/api/v1/namespaces", token)).toBe(200)
    expect(await ask("/api/v1/namespaces", "wrong")).toBe(401)
    const anonymous = await ask("/api/v1/namespaces")
    expect(anonymous === 403 ? 401 : anonymous).toBe(401) // 403 if anonymous requests are authenticated, and then not authorized.
    const name = await kubectl("auth whoami -o jsonpath={.status.userInfo.username}")
    expect(name).not.toBe("system:anonymous")
    evidence(`no token: ${anonymous}, wrong token: 401, kubectl is ${name}`)
  })

  test("a client that trusts another CA refuses to connect to kube-apiserver", async ({ sh, access, at }) => {
    const { host, port } = await at.server()
    const itsCa = (await access()).ca.toString()
    const anotherCa = await sh(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=another -keyout /dev/null 2>/dev/null",
    )
    const curl = `cat | curl --silent --output /dev/null --write-out %{http_code} https://${host}:${port}/api --cacert /dev/stdin`
    // The certificate is trusted; the credentials are missing.
    expect(["401", "403"]).toContain(await sh(curl, { input: itsCa }))
    await expect(sh(curl, { input: `${anotherCa}\n` })).rejects.toThrow("status 60") // curl(1): the peer's certificate cannot be verified.
  })

  test("by its sockets, kube-apiserver alone is connected to etcd", async ({
    at,
    machine,
    part,
    apiserver,
    evidence,
  }) => {
    const clients = (await connectionsTo(machine, at.etcd.port)).map(({ pid }) => pid)
    // Before version 3.7, etcd was a client of itself too: it answers HTTP that way.
    expect([...new Set(clients)].filter((pid) => pid !== part("etcd").pid)).toEqual([apiserver.pid])
    evidence(`only kube-apiserver, pid ${apiserver.pid}, is connected to etcd`)
  })
})
