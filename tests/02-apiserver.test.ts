import { connectionsTo, expect, lesson, listeners, settingOf } from "../lib/lesson.ts"

lesson(2, "kube-apiserver: the only door to etcd", ({ test }) => {
  test(
    "kube-apiserver starts on top of etcd, and holds port 6443 itself",
    { see: "ss -tlnp sport = :6443", upTo: 1 },
    async (kit) => {
      const { apiserver, machine } = kit
      await apiserver.start()
      expect((await listeners(machine, kit.at.apiserver.port)).map(({ pid }) => pid)).toEqual([apiserver.pid])
    },
  )

  test("kubectl get nodes says that there are none", { see: "kubectl get nodes" }, async ({ sh, kubelet, node }) => {
    const answer = await sh("kubectl get nodes 2>&1")
    if (kubelet.isRunning) return expect(answer).toContain(node()) // A later lesson has been here already.
    expect(answer).toBe("No resources found")
  })

  test("the built-in namespaces are Active", { see: "kubectl get namespaces" }, async ({ kubectl }) => {
    const namespaces = (await kubectl("get namespaces --no-headers"))
      .split("\n")
      .map((line) => line.split(/\s+/).slice(0, 2))
    for (const name of ["default", "kube-node-lease", "kube-public", "kube-system"])
      expect(namespaces).toContainEqual([name, "Active"])
  })

  test(
    "the Service kubernetes has the first address of --service-cluster-ip-range",
    {
      see: "kubectl get service kubernetes; ps -o args= -C kube-apiserver",
    },
    async ({ apiserver, kubectl }) => {
      const [, network, last] =
        /^(.*\D)(\d+)\/\d+/.exec(settingOf(apiserver, "--service-cluster-ip-range") ?? "none is set") ?? []
      expect(await kubectl("get service kubernetes -o jsonpath={.spec.clusterIP}")).toBe(
        `${network}${Number(last) + 1}`,
      )
    },
  )

  test(
    "what kube-apiserver makes for itself is in etcd",
    { see: "etcdctl get /registry/ --prefix --keys-only" },
    async ({ etcdctl, evidence }) => {
      const keys = (await etcdctl("get /registry/ --prefix --keys-only")).split("\n").filter((line) => line !== "")
      expect(keys).toEqual(
        expect.arrayContaining([
          "/registry/namespaces/default",
          "/registry/namespaces/kube-system",
          "/registry/apiregistration.k8s.io/apiservices/v1.",
        ]),
      )
      evidence(`${keys.length} keys under /registry, /registry/namespaces/default among them`)
    },
  )

  test(
    "the namespaces that kubectl lists are the keys under /registry/namespaces",
    {
      see: "kubectl get namespaces -o name; etcdctl get /registry/namespaces/ --prefix --keys-only",
    },
    async ({ kubectl, store }) => {
      const listed = (await kubectl("get namespaces -o name"))
        .split("\n")
        .map((line) => line.replace("namespace/", "/registry/namespaces/"))
      expect(listed.toSorted()).toEqual((await store.keys("/registry/namespaces/")).toSorted())
    },
  )

  test(
    "a namespace written straight into etcd shows up in kubectl",
    {
      see: "etcdctl get /registry/namespaces/default --print-value-only | sed s/default/smuggled/g | etcdctl put /registry/namespaces/smuggled; kubectl get namespaces",
      disturbs: true,
    },
    async ({ kubectl, store, stored }) => {
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
      await store.put(`/registry/namespaces/${name}`, JSON.stringify(object))
      expect(await kubectl(`get namespace ${name} --no-headers`)).toMatch(new RegExp(`^${name}\\s+Active`))
      await store.delete(`/registry/namespaces/${name}`)
      await expect(kubectl(`get namespace ${name}`)).rejects.toThrow("NotFound")
    },
  )

  test(
    "without a token, or with a wrong one, the answer is 401; with the right one it is who it says",
    {
      see: "kubectl auth whoami; kubectl --token=wrong auth whoami",
    },
    async ({ ask, access, kubectl, evidence }) => {
      const { token } = await access()
      if (token !== undefined) expect(await ask("/api/v1/namespaces", token)).toBe(200)
      expect(await ask("/api/v1/namespaces", "wrong")).toBe(401)
      const stranger = await ask("/api/v1/namespaces") // 403 where anonymous requests are heard, and then may do nothing.
      expect([401, 403]).toContain(stranger)
      const name = await kubectl("auth whoami -o jsonpath={.status.userInfo.username}")
      expect(name).not.toBe("system:anonymous")
      evidence(`no token: ${stranger}, wrong token: 401, kubectl is ${name}`)
    },
  )

  test(
    "a client that trusts another CA refuses to talk to it",
    {
      see: "curl --cacert /etc/kubernetes/pki/kubelet.crt https://127.0.0.1:6443/readyz",
    },
    async ({
      sh,
      machine,
      access,
      at: {
        apiserver: { host, port },
      },
    }) => {
      await machine.write("/tmp/its-ca.crt", (await access()).ca)
      await sh(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=another -keyout /dev/null -out /tmp/another-ca.crt 2>/dev/null",
      )
      const status = `curl --silent --output /dev/null --write-out %{http_code} https://${host}:${port}/api --cacert`
      expect(["401", "403"]).toContain(await sh(`${status} /tmp/its-ca.crt`)) // It is known, and asks who is there.
      await expect(sh(`${status} /tmp/another-ca.crt`)).rejects.toThrow("status 60") // curl(1): the peer's certificate cannot be verified.
    },
  )

  test(
    "by its sockets, kube-apiserver alone is connected to etcd",
    { see: "ss -tnp dport = :2379" },
    async ({ at, machine, apiserver, evidence }) => {
      const programs = new Map((await connectionsTo(machine, at.etcd.port)).map(({ pid, program }) => [pid, program]))
      expect([...programs.keys()]).toEqual([apiserver.pid])
      evidence(`only kube-apiserver, pid ${apiserver.pid}, is connected to etcd`)
    },
  )
})
