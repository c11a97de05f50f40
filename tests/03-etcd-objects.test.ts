import { eventually, expect, lesson } from "../lib/lesson.ts"

const DEMO = "/registry/configmaps/default/demo"

/** The object as JSON in etcd. */
interface Stored {
  readonly kind: string
  readonly apiVersion: string
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly data: Record<string, string>
}

lesson(3, "every object is a key in etcd", ({ test }) => {
  test("a ConfigMap that kubectl creates is the value at /registry/configmaps/default/demo", {
    see: "kubectl create configmap demo --from-literal=k=v; etcdctl get /registry/configmaps/default/demo",
    disturbs: true,
  }, async ({ kubectl, etcdctl, evidence }) => {
    await kubectl("delete configmap demo --ignore-not-found")
    expect(await etcdctl(`get ${DEMO}`)).toBe("")
    await kubectl("create configmap demo --from-literal=k=v")
    const [key, value = ""] = (await etcdctl(`get ${DEMO}`)).split("\n")
    expect(key).toBe(DEMO)
    const uid = await kubectl("get configmap demo -o jsonpath={.metadata.uid}")
    expect(JSON.parse(value)).toMatchObject({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "demo", uid }, data: { k: "v" } })
    evidence(`${DEMO} holds the ConfigMap with uid ${uid}`)
  })

  test("resourceVersion is etcd's mod revision", {
    see: "kubectl get configmap demo -o jsonpath={.metadata.resourceVersion}; etcdctl get /registry/configmaps/default/demo -w json",
  }, async ({ kubectl, store }) => {
    await kubectl("get configmap demo").catch(() => kubectl("create configmap demo --from-literal=k=v"))
    const version = await kubectl("get configmap demo -o jsonpath={.metadata.resourceVersion}")
    expect(Number(version)).toBe((await store.get(DEMO))?.revision)
  })

  test("an update and a delete travel the same path", {
    see: "kubectl patch configmap travels -p '{\"data\":{\"k\":\"w\"}}'; etcdctl get /registry/configmaps/default/travels",
    disturbs: true,
  }, async ({ kubectl, store }) => {
    const key = "/registry/configmaps/default/travels"
    await kubectl("create configmap travels --from-literal=k=v")
    const created = await store.get(key)
    await kubectl(`patch configmap travels -p '{"data":{"k":"w"}}'`)
    const updated = await store.get(key)
    expect((JSON.parse(updated?.value ?? "null") as Stored | null)?.data).toEqual({ k: "w" })
    expect(updated?.revision).toBeGreaterThan(created?.revision ?? Infinity)
    await kubectl("delete configmap travels")
    expect(await store.get(key)).toBeUndefined()
  })

  test("a Secret lies in etcd in plain base64", {
    see: "kubectl create secret generic plain --from-literal=password=…; etcdctl get /registry/secrets/default/plain",
    disturbs: true,
  }, async ({ kubectl, etcdctl }) => {
    const password = `open-${Date.now()}`
    await kubectl(`create secret generic plain --from-literal=password=${password}`)
    const stored = JSON.parse(await etcdctl("get /registry/secrets/default/plain --print-value-only")) as Stored
    expect(Buffer.from(stored.data["password"] ?? "", "base64").toString()).toBe(password)
    await kubectl("delete secret plain")
  })

  test("with protobuf, the default encoding, the same key starts with k8s\\0 and still decodes", {
    see: "kube-apiserver … without --storage-media-type; etcdctl get /registry/configmaps/default/binary | xxd | head",
    disturbs: true,
  }, async ({ apiserver, kubectl, store, evidence }) => {
    await using second = await apiserver.another({ port: 6444, storage: "protobuf" })
    const key = "/registry/configmaps/default/binary"
    await kubectl(`--server=https://127.0.0.1:6444 create configmap binary --from-literal=k=v`)
    expect((await store.get(key))?.value).toMatch(/^k8s\0/)
    expect(await kubectl("get configmap binary -o jsonpath={.data}")).toBe('{"k":"v"}')
    await kubectl("label configmap binary written=by-the-first")
    expect((await store.get(key))?.value).toMatch(/^\{"kind":"ConfigMap"/)
    await kubectl("delete configmap binary")
    evidence(`written as protobuf by kube-apiserver ${second.pid}, read as the same object by ${apiserver.pid}`)
  })

  test("a backup of etcd is a backup of the cluster", {
    see: "etcdctl snapshot save snap.db; kubectl delete configmap demo; etcdutl snapshot restore snap.db --data-dir=/var/lib/etcd; kubectl get configmap demo",
    disturbs: true,
  }, async ({ etcd, apiserver, kubectl, etcdctl, etcdutl, sh, evidence }) => {
    await kubectl("get configmap demo").catch(() => kubectl("create configmap demo --from-literal=k=v"))
    const uid = await kubectl("get configmap demo -o jsonpath={.metadata.uid}")
    await etcdctl("snapshot save /tmp/snap.db")
    await kubectl("delete configmap demo")
    await expect(kubectl("get configmap demo")).rejects.toThrow("NotFound")

    await apiserver.kill()
    await etcd.stop()
    await sh("mv /var/lib/etcd /var/lib/etcd.before")
    await etcdutl("snapshot restore /tmp/snap.db --data-dir=/var/lib/etcd")
    await Promise.all([etcd.start(), apiserver.start()])

    await eventually(() => kubectl("get configmap demo -o jsonpath={.metadata.uid}")).toBe(uid)
    await sh("rm -r /var/lib/etcd.before /tmp/snap.db")
    evidence(`ConfigMap demo, deleted and restored, has its uid ${uid}`)
  })
})
