import { encodingOf, eventually, expect, lesson, settingOf } from "../lib/lesson.ts"

const DEMO = "/registry/configmaps/default/demo"

lesson(3, "every object is a key in etcd", ({ test }) => {
  test(
    "a ConfigMap that kubectl creates is the value at /registry/configmaps/default/demo",
    {
      see: "kubectl create configmap demo --from-literal=k=v; etcdctl get /registry/configmaps/default/demo",
      disturbs: true,
    },
    async ({ kubectl, etcdctl, stored, nonce, evidence }) => {
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
    },
  )

  test(
    "resourceVersion is etcd's mod revision",
    {
      see: "kubectl get configmap demo -o jsonpath={.metadata.resourceVersion}; etcdctl get /registry/configmaps/default/demo -w json",
    },
    async ({ kubectl, store }) => {
      await kubectl("get configmap demo").catch(() => kubectl("create configmap demo --from-literal=k=v"))
      const version = await kubectl("get configmap demo -o jsonpath={.metadata.resourceVersion}")
      expect(Number(version)).toBe((await store.get(DEMO))?.revision)
    },
  )

  test(
    "an update and a delete travel the same path",
    {
      see: 'kubectl patch configmap travels -p \'{"data":{"k":"w"}}\'; etcdctl get /registry/configmaps/default/travels',
      disturbs: true,
    },
    async ({ kubectl, store, stored }) => {
      const key = "/registry/configmaps/default/travels"
      await kubectl("create configmap travels --from-literal=k=v")
      const created = await store.get(key)
      await kubectl(`patch configmap travels -p '{"data":{"k":"w"}}'`)
      const updated = await store.get(key)
      expect(await stored(key)).toMatchObject({ data: { k: "w" } })
      expect(updated?.revision).toBeGreaterThan(created?.revision ?? Infinity)
      await kubectl("delete configmap travels")
      expect(await store.get(key)).toBeUndefined()
    },
  )

  test(
    "a Secret lies in etcd in plain base64",
    {
      see: "kubectl create secret generic plain --from-literal=password=…; etcdctl get /registry/secrets/default/plain",
      disturbs: true,
    },
    async ({ kubectl, stored }) => {
      const password = `open-${Date.now()}`
      await kubectl(`create secret generic plain --from-literal=password=${password}`)
      expect(await stored("/registry/secrets/default/plain")).toMatchObject({
        data: { password: Buffer.from(password).toString("base64") },
      })
      await kubectl("delete secret plain")
    },
  )

  test(
    "with protobuf, the default encoding, the same key starts with k8s\\0 and still decodes",
    {
      see: "kube-apiserver … without --storage-media-type; etcdctl get /registry/configmaps/default/binary | xxd | head",
      disturbs: true,
    },
    async ({ at, apiserver, kubectl, store, evidence }) => {
      const port = at.apiserver.port + 1
      await using second = await apiserver.another({ "--secure-port": String(port), "--storage-media-type": null })
      const key = "/registry/configmaps/default/binary"
      await kubectl(`--server=https://${at.apiserver.host}:${port} create configmap binary --from-literal=k=v`)
      expect((await store.get(key))?.value).toMatch(/^k8s\0/)
      expect(await kubectl("get configmap binary -o jsonpath={.data}")).toBe('{"k":"v"}')
      await kubectl("label configmap binary written=by-the-first")
      const first = settingOf(apiserver, "--storage-media-type") === "application/json" ? "json" : "protobuf"
      expect(encodingOf((await store.get(key))?.bytes ?? Buffer.alloc(0))).toBe(first)
      await kubectl("delete configmap binary")
      evidence(`written as protobuf by kube-apiserver ${second.pid}, read as the same object by ${apiserver.pid}`)
    },
  )

  test(
    "a backup of etcd is a backup of the cluster",
    {
      see: "etcdctl snapshot save snap.db; kubectl delete configmap demo; etcdutl snapshot restore snap.db --data-dir=/var/lib/etcd; kubectl get configmap demo",
      disturbs: true,
    },
    async ({
      at: {
        etcd: { dataDir },
      },
      etcd,
      apiserver,
      kubectl,
      etcdctl,
      etcdutl,
      sh,
      evidence,
    }) => {
      await kubectl("get configmap demo").catch(() => kubectl("create configmap demo --from-literal=k=v"))
      const uid = await kubectl("get configmap demo -o jsonpath={.metadata.uid}")
      await etcdctl("snapshot save /tmp/snap.db")
      await kubectl("delete configmap demo")
      await expect(kubectl("get configmap demo")).rejects.toThrow("NotFound")

      await apiserver.kill()
      await etcd.stop()
      await sh(`mv ${dataDir} ${dataDir}.before`)
      await etcdutl(`snapshot restore /tmp/snap.db --data-dir=${dataDir}`)
      await Promise.all([etcd.start(), apiserver.start()])

      await eventually(() => kubectl("get configmap demo -o jsonpath={.metadata.uid}")).toBe(uid)
      await sh(`rm -r ${dataDir}.before /tmp/snap.db`)
      evidence(`ConfigMap demo, deleted and restored, has its uid ${uid}`)
    },
  )
})
