import { etcd, eventually, expect, lesson, listeners, settingOf } from "../lib/lesson.ts"

lesson(etcd, ({ test }) => {
  test("etcd starts with a data folder and an address for clients", async (kit) => {
    const { etcd, sh } = kit
    await etcd.start()
    expect((await sh(`tr '\\0' '\\n' </proc/${etcd.pid}/cmdline`)).split("\n")).toEqual(etcd.argv)
    expect(await sh(`ls ${kit.at.etcd.dataDir}`)).toContain("member")
    expect(kit.at.etcd.clientUrls.join()).toContain(`:${kit.at.etcd.port}`)
    // A configuration file would make etcd ignore its flags.
    expect(kit.at.etcd.clientUrls.join()).toBe(settingOf(etcd, "--listen-client-urls") ?? kit.at.etcd.clientUrls.join())
    expect(kit.at.etcd.advertisedClientUrls.join()).toContain(`:${kit.at.etcd.port}`)
  })

  test("the process that listens on 2379 is the etcd that was started", async ({ at, etcd, machine, evidence }) => {
    const found = await listeners(machine, at.etcd.port)
    expect(found.map(({ program, pid }) => `${program} ${pid}`)).toEqual(found.map(() => `etcd ${etcd.pid}`))
    expect(found.map(({ local }) => local)).toContainEqual(expect.stringMatching(new RegExp(`:${at.etcd.port}$`)))
    evidence(`etcd, pid ${etcd.pid}, listens on ${found[0]?.local}`)
  })

  test("nothing lies under /registry yet", async ({ etcdctl, store, apiserver, onCleanup }) => {
    // A kube-apiserver of a later lesson runs already. Its objects are there, or soon will be.
    if (apiserver.isRunning) return eventually(() => store.keys("/registry/")).not.toEqual([])
    onCleanup(() => etcdctl("del /probe"))
    await etcdctl("put /probe seen")
    expect(await etcdctl("get / --prefix --keys-only")).toContain("/probe")
    expect(await etcdctl("get /registry --prefix --keys-only")).toBe("")
  })

  test("put says OK, get prints key and value", async ({ etcdctl, store, nonce }) => {
    expect(await etcdctl(`put /hello world-${nonce}`)).toBe("OK")
    expect(await etcdctl("get /hello")).toBe(`/hello\nworld-${nonce}`)
    expect((await store.get("/hello"))?.value).toBe(`world-${nonce}`)
  })

  test("etcd's API holds the same bytes", async ({ etcdctl, store, nonce }) => {
    await etcdctl(`put /hello ${nonce}`)
    expect((await store.get("/hello"))?.value).toBe(nonce)
    await store.put("/hello", `wörld ${nonce}`)
    expect(await etcdctl("get /hello --print-value-only")).toBe(`wörld ${nonce}`)
  })

  test("each put raises the revision by one", async ({ etcdctl, store }) => {
    const putTwice = async () => {
      const before = await store.revision()
      await etcdctl("put /hello one")
      await etcdctl("put /hello two")
      return { store: (await store.revision()) - before, key: Number((await store.get("/hello"))?.revision) - before }
    }
    // If kube-apiserver runs already, it sometimes writes in between, but not for ten seconds on end.
    await eventually(putTwice, 10_000).toEqual({ store: 2, key: 2 })
  })

  test("a watch sees a put", async ({ etcdctl, store }) => {
    const seen: string[] = []
    await store.watch("/hello", ({ value }) => seen.push(value))
    await etcdctl("put /hello watched")
    await eventually(() => [...seen]).toEqual(["watched"])
  })

  test("the key outlives a restart of etcd", async ({ etcd, etcdctl, evidence }) => {
    await etcdctl("put /hello world")
    const before = etcd.pid
    await etcd.restart()
    expect(etcd.pid).not.toBe(before)
    expect(await etcdctl("get /hello")).toBe("/hello\nworld")
    evidence(`/hello = world, written to etcd ${before}, read from etcd ${etcd.pid}`)
  })
})
