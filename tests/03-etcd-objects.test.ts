import {
  encodingOf,
  eventually,
  expect,
  type Kit,
  keepNewData,
  lesson,
  objects,
  putDataBack,
  replaceData,
  settingOf,
} from "../lib/lesson.ts"

const DEMO = "/registry/configmaps/default/demo"

/** Makes sure that the ConfigMap demo exists. */
async function demo({ kubectl, needs }: Kit): Promise<void> {
  await kubectl("get configmap demo").catch(() => {
    needs("restart")
    return kubectl("create configmap demo --from-literal=k=v")
  })
}

lesson(objects, ({ test }) => {
  test("a ConfigMap that kubectl creates is the value at /registry/configmaps/default/demo", async ({
    kubectl,
    etcdctl,
    stored,
    nonce,
    evidence,
  }) => {
    await kubectl("delete configmap demo --ignore-not-found")
    expect(await etcdctl(`get ${DEMO}`)).toBe("")
    await kubectl(`create configmap demo --from-literal=k=${nonce}`)
    expect((await etcdctl(`get ${DEMO}`)).split("\n")[0]).toBe(DEMO)
    const uid = await kubectl("get configmap demo -o jsonpath={.metadata.uid}")
    expect(await stored(DEMO)).toMatchObject({
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: { name: "demo", uid },
      data: { k: nonce },
    })
    evidence(`${DEMO} holds the ConfigMap with uid ${uid}`)
  })

  test("resourceVersion is etcd's mod revision", async (kit) => {
    const { kubectl, store } = kit
    await demo(kit)
    const version = await kubectl("get configmap demo -o jsonpath={.metadata.resourceVersion}")
    expect(Number(version)).toBe((await store.get(DEMO))?.revision)
  })

  test("an update and a delete change the same key", async ({ kubectl, store, stored, onCleanup }) => {
    const key = "/registry/configmaps/default/travels"
    onCleanup(() => kubectl("delete configmap travels --ignore-not-found"))
    await kubectl("create configmap travels --from-literal=k=v")
    const created = await store.get(key)
    await kubectl(`patch configmap travels -p '{"data":{"k":"w"}}'`)
    const updated = await store.get(key)
    expect(await stored(key)).toMatchObject({ data: { k: "w" } })
    expect(updated?.revision).toBeGreaterThan(created?.revision ?? Infinity)
    await kubectl("delete configmap travels")
    expect(await store.get(key)).toBeUndefined()
  })

  test("a Secret lies in etcd in plain base64", async ({ kubectl, stored, onCleanup }) => {
    const password = `open-${Date.now()}`
    onCleanup(() => kubectl("delete secret plain --ignore-not-found"))
    await kubectl(`create secret generic plain --from-literal=password=${password}`)
    expect(await stored("/registry/secrets/default/plain")).toMatchObject({
      data: { password: Buffer.from(password).toString("base64") },
    })
  })

  test("with protobuf, the default encoding, the same key starts with k8s\\0 and still decodes", async ({
    at,
    apiserver,
    kubectl,
    store,
    evidence,
    onCleanup,
  }) => {
    const { host, port } = await at.server()
    onCleanup(() => kubectl("delete configmap binary --ignore-not-found"))
    await using second = await apiserver.another({ "--secure-port": String(port + 1), "--storage-media-type": null })
    const key = "/registry/configmaps/default/binary"
    await kubectl(`--server=https://${host}:${port + 1} create configmap binary --from-literal=k=v`)
    expect((await store.get(key))?.value).toMatch(/^k8s\0/)
    expect(await kubectl("get configmap binary -o jsonpath={.data}")).toBe('{"k":"v"}')
    await kubectl("label configmap binary written=by-the-first")
    const first = settingOf(apiserver, "--storage-media-type") === "application/json" ? "json" : "protobuf"
    expect(encodingOf((await store.get(key))?.bytes ?? Buffer.alloc(0))).toBe(first)
    evidence(`written as protobuf by kube-apiserver ${second.pid}, read as the same object by ${apiserver.pid}`)
  })

  test("a backup of etcd is a backup of the cluster", async (kit) => {
    const { kubectl, etcdctl, etcdutl, sh, evidence, onCleanup } = kit
    await demo(kit)
    const uid = await kubectl("get configmap demo -o jsonpath={.metadata.uid}")
    onCleanup(() => sh("rm -f /tmp/snap.db"))
    await etcdctl("snapshot save /tmp/snap.db")
    await kubectl("delete configmap demo")
    await expect(kubectl("get configmap demo")).rejects.toThrow("NotFound")

    onCleanup(() => putDataBack(kit))
    await replaceData(kit, (flags) => etcdutl(`snapshot restore /tmp/snap.db ${flags}`))
    await eventually(() => kubectl("get configmap demo -o jsonpath={.metadata.uid}")).toBe(uid)
    await keepNewData(kit)
    evidence(`ConfigMap demo, deleted and restored, has its uid ${uid}`)
  })
})
