import {
  acknowledged,
  atomic,
  bookmarkable,
  cannotCheck,
  clientAt,
  connectionsOf,
  etcdCluster,
  EtcdLoad,
  type EtcdRecording,
  eventually,
  expect,
  judge,
  type Kit,
  LEAST_RATE,
  lesson,
  longestGap,
  type Member,
  memberOn,
  membersOf,
  type Operation,
  ordered,
  porcupineLacks,
  promisesOf,
  reliable,
  resumable,
  rolesOf,
  settingOf,
  STEADY,
  steadyClients,
  traceOf,
  unique,
  writesWithin,
} from "../lib/lesson.ts"

/** Half a megabyte. A write stores it twice. */
const BIG = "x".repeat(500_000)

/** The file with the history as porcupine draws it. It is kept with the logs of the run. */
const DRAWING = "/var/log/byhand/history.html"

/** A further etcd with one member, which never waits for its disk. */
const PORT = 12379
const ALONE = {
  "--name": "alone",
  "--data-dir": "/var/lib/etcd-alone",
  "--listen-client-urls": `https://127.0.0.1:${PORT}`,
  "--advertise-client-urls": `https://127.0.0.1:${PORT}`,
  "--listen-peer-urls": `https://127.0.0.1:${PORT + 1}`,
  "--initial-advertise-peer-urls": `https://127.0.0.1:${PORT + 1}`,
  "--initial-cluster": `alone=https://127.0.0.1:${PORT + 1}`,
  "--initial-cluster-state": "new",
  "--unsafe-no-fsync": "",
}

/** Waits until all members have the same data up to the newest revision of one of them. @returns that revision */
async function sameData(members: readonly [Member, ...Member[]]): Promise<number> {
  const { revision } = await members[0].client.status()
  const hashes = () => Promise.all(members.map(async ({ client }) => (await client.hash(revision)).hash))
  await eventually(async () => new Set(await hashes()).size).toBe(1)
  return revision
}

/** The voting members, as the first member lists them. */
async function voters({ client }: Member): Promise<string[]> {
  return (await client.members()).filter(({ isLearner }) => !isLearner).map(({ id }) => id)
}

/** The value that a member has itself. It asks no other member. */
function own({ client }: Member, key: string): Promise<string | undefined> {
  return client.read(key, "serializable")
}

/** The values of acknowledged writes that a member does not have. */
async function lostAt(
  { client }: Pick<Member, "client">,
  prefix: string,
  written: readonly Pick<Operation, "key" | "value">[],
) {
  const there = new Set(await client.keys(prefix))
  return written.flatMap(({ key, value = "" }) => (there.has(traceOf(key, value)) ? [] : [value]))
}

/** Expects that a request succeeds neither now nor later. */
async function fails(request: Promise<unknown>): Promise<void> {
  await expect(request).rejects.toThrow(/deadline|timed out|no leader|unavailable/i)
}

/** Writes to a member until it is refused. @returns what etcd says */
async function writesUntilRefused({ client }: Member, key: string): Promise<string> {
  for (let count = 0; count < 100; count++) {
    const refusal = await client.write(key, `${count}${BIG}`).then(
      () => undefined,
      (error: unknown) => String(error),
    )
    if (refusal !== undefined) return refusal
  }
  return "nothing was refused"
}

lesson(etcdCluster, ({ test }) => {
  let load: EtcdLoad | undefined
  let recording: EtcdRecording | undefined

  /** Clients that write and read from now on, in all outcomes, until `recorded` stops them. */
  async function steady(kit: Kit, members: readonly Member[]): Promise<EtcdLoad> {
    if (load === undefined) {
      const made = await EtcdLoad.start(
        members.map(({ hasty }) => hasty),
        kit.nonce,
      )
      kit.onLessonEnd(() => made[Symbol.asyncDispose]())
      load = made
    }
    for (const { hasty } of members) load.add(hasty)
    await load.writes(1) // Before anything is broken, writes succeed.
    return load
  }

  /** What the clients have recorded in all outcomes; if none of them ran, while a follower dies. */
  async function recorded(kit: Kit): Promise<EtcdRecording> {
    if (recording !== undefined) return recording
    const members = await membersOf(kit)
    if (load === undefined) {
      const clients = await steady(kit, members)
      const { follower } = await rolesOf(members)
      await clients.writes(20)
      await follower.etcd.kill()
      await clients.writes(20)
      await follower.etcd.start()
      await clients.writes(20)
    }
    recording = await (await steady(kit, members)).stop()
    return recording
  }

  test("two members join one at a time, and no write is lost", async (kit) => {
    const first = await memberOn(kit, kit.machine.name)
    const clients = await steady(kit, [first])
    await clients.writes(10)
    for (const name of ["etcd-2", "etcd-3"]) {
      await (await kit.on(name)).etcd.start()
      const member = await memberOn(kit, name)
      await eventually(async () => voters(first)).toContain((await member.client.status()).id)
      await steady(kit, [member])
      await clients.writes(10)
    }
    const members = await membersOf(kit)
    const statuses = await Promise.all(members.map(({ client }) => client.status()))
    expect(new Set(statuses.map(({ clusterId }) => clusterId)).size).toBe(1)
    expect(statuses.map(({ id }) => id).toSorted()).toEqual((await voters(first)).toSorted())
    const written = acknowledged(clients.clients.history)
    for (const member of members) expect(await lostAt(member, STEADY, written)).toEqual([])
    kit.evidence(`${written.length} writes were acknowledged while two members joined, and each member has all of them`)
  })

  test("kube-apiserver uses all three members, and each of them has its objects", async (kit) => {
    const { apiserver, kubectl, machine, onCleanup, nonce } = kit
    const members = await membersOf(kit)
    const servers = (settingOf(apiserver, "--etcd-servers") ?? "").split(",").map((url) => new URL(url).port)
    const peers = async () => new Set((await connectionsOf(machine, apiserver.pid)).map(({ peer }) => peer))
    const used = async () => [...(await peers())].filter((peer) => servers.some((port) => peer.endsWith(`:${port}`)))
    await eventually(async () => (await used()).length).toBe(3)
    onCleanup(() => kubectl("delete configmap three --ignore-not-found"))
    await kubectl(`create configmap three --from-literal=nonce=${nonce}`)
    for (const member of members)
      await eventually(() => own(member, "/registry/configmaps/default/three")).toContain(nonce)
  })

  test("a follower dies: writes go on, and it catches up when it is back", async (kit) => {
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { follower: dead } = await rolesOf(members)
    await dead.etcd.kill()
    await clients.writes(20)
    await dead.etcd.start()
    const revision = await sameData(members)
    kit.evidence(`${dead.name} died; all members have the same data up to revision ${revision}`)
  })

  test("the leader dies: another member is elected, and writes go on", async (kit) => {
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { leader, follower, other } = await rolesOf(members)
    const died = clients.clients.now()
    await leader.etcd.kill()
    const next = await rolesOf([follower, other])
    await clients.writes(20)
    const gap = longestGap(clients.clients.history, died, clients.clients.now())
    await leader.etcd.start()
    await sameData(members)
    kit.evidence(`${next.leader.name} leads in place of ${leader.name}; no write was acknowledged for ${gap} ms`)
  })

  test("two members die: no write and no linearizable read succeeds; serializable reads answer, and are stale", async (kit) => {
    const { nonce } = kit
    const members = await membersOf(kit)
    const { leader, follower: left, other } = await rolesOf(members)
    await leader.client.write("/two", `old-${nonce}`)
    await eventually(() => own(left, "/two")).toBe(`old-${nonce}`)
    // What a member has sent before it dies would arrive later.
    await left.link.down()
    await leader.client.write("/two", `new-${nonce}`)
    await Promise.all([leader.etcd.kill(), other.etcd.kill()])
    expect(await own(left, "/two")).toBe(`old-${nonce}`)
    await left.link.up()
    await Promise.all([fails(left.hasty.write("/two", `lost-${nonce}`)), fails(left.hasty.read("/two"))])
    expect(await own(left, "/two")).toContain(nonce)
    await Promise.all([leader.etcd.start(), other.etcd.start()])
    // What could not be written may be written now.
    await eventually(() => left.client.read("/two")).toMatch(new RegExp(`^(new|lost)-${nonce}$`))
    expect(await lostAt(left, "/two/", [{ key: "/two", value: `new-${nonce}` }])).toEqual([])
    kit.evidence(`${left.name} alone still read old-${nonce} when new-${nonce} was acknowledged already`)
  })

  test("when they are back, nothing is lost: revisions and hashes are equal at all members", async (kit) => {
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    await clients.writes(10)
    const revision = await sameData(members)
    kit.evidence(`one hash of all keys at revision ${revision}`)
  })

  test("a leader behind a cut link steps down: what is written there is never acknowledged", async (kit) => {
    const { nonce } = kit
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { leader, follower, other } = await rolesOf(members)
    const cut = clients.clients.now()
    await leader.link.down()
    const next = await rolesOf([follower, other])
    await eventually(async () => (await leader.client.status()).leader).toBe("0")
    await fails(leader.hasty.write("/sides", `few-${nonce}`))
    await next.leader.client.write("/sides", `most-${nonce}`)
    const gap = longestGap(clients.clients.history, cut, clients.clients.now())
    expect(await own(leader, traceOf("/sides", `few-${nonce}`))).toBeUndefined()
    await leader.link.up()
    await eventually(() => leader.client.read("/sides")).toBe(`most-${nonce}`)
    await sameData(members)
    // Each member's own data: a linearizable read fails while the leader changes.
    for (const { client } of members)
      expect(await client.keys("/sides/", "serializable")).toEqual([`/sides/most-${nonce}`])
    kit.evidence(`${next.leader.name} leads in place of ${leader.name}; no write was acknowledged for ${gap} ms`)
  })

  test("a slow member does not slow the others", async (kit) => {
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { leader, follower: slow, other } = await rolesOf(members)
    await slow.link.limit(64)
    await leader.client.write("/slow", BIG)
    await eventually(() => own(other, "/slow")).toBe(BIG)
    const began = clients.clients.now()
    await clients.writes(20)
    expect(await own(slow, "/slow")).toBeUndefined()
    const writes = writesWithin(clients.clients.history, began, clients.clients.now())
    await slow.link.clear()
    await eventually(() => own(slow, "/slow")).toBe(BIG)
    kit.evidence(`${writes} writes were acknowledged before ${slow.name} had the one before them`)
  })

  test("a member whose disk is full ends, and the others go on", async (kit) => {
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { leader, remote: full } = await rolesOf(members)
    const { dataDir } = full.etcd.settings
    const { sh } = full.kit
    await full.etcd.kill()
    const move = (from: string, to: string) => `find ${from} -mindepth 1 -maxdepth 1 -exec mv -t ${to} {} +`
    // The member goes on with the data that it has at the end: it must not forget what it has promised to the others.
    kit.onCleanup(() =>
      sh(`mkdir /tmp/full; ${move(dataDir, "/tmp/full")}; umount ${dataDir}; ${move("/tmp/full", dataDir)}`),
    )
    await sh(`mkdir /tmp/small /tmp/full
mount -t tmpfs -o size=$(($(du -sm ${dataDir} | cut -f1) + 8))m,mode=700 tmpfs /tmp/small
${move(dataDir, "/tmp/small")}
mount --move /tmp/small ${dataDir}
rmdir /tmp/small /tmp/full`)
    await using small = await full.etcd.another({})
    const { pid } = small
    await eventually(async () => {
      await leader.client.write("/full", BIG)
      return sh(`kill -0 ${pid} 2>/dev/null || echo ended`)
    }).toBe("ended")
    expect(await sh(`df --output=avail ${dataDir} | tail -n 1`)).toMatch(/^ *\d{1,4}$/)
    await clients.writes(20)
    kit.evidence(`${full.name} ended on a full disk`)
  })

  test("a removed member cannot come back with its data; a new one takes its place", async (kit) => {
    const { etcdctl } = kit
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { remote: dead } = await rolesOf(members)
    const { id } = await dead.client.status()
    const listed = await members[0].client.members()
    const { name = "", peerUrls = [] } = listed.find((one) => one.id === id) ?? {}
    await dead.etcd.kill()
    // etcd refuses it until each of the others has run for five seconds.
    await eventually(() => etcdctl(`member remove ${id}`)).toContain("removed from cluster")
    await expect(dead.etcd.another({})).rejects.toThrow("exited")
    await dead.kit.sh(`rm -rf ${dead.etcd.settings.dataDir}/member`)
    await eventually(() => etcdctl(`member add ${name} --learner --peer-urls=${peerUrls.join(",")}`)).toContain(
      "added as learner",
    )
    await dead.etcd.start({
      "--initial-cluster": listed.map((one) => `${one.name}=${one.peerUrls[0]}`).join(","),
      "--initial-cluster-state": "existing",
    })
    const now = (await dead.client.status()).id
    expect(now).not.toBe(id)
    await eventually(async () => {
      await etcdctl(`member promote ${now}`).catch(() => undefined)
      return voters(members[0])
    }).toContain(now)
    await clients.writes(10)
    await sameData(members)
    kit.evidence(`member ${now} has taken the place of ${id}`)
  })

  test("compaction ends old revisions, and defragmentation gives their space back", async (kit) => {
    const { etcdctl } = kit
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { leader } = await rolesOf(members)
    const before = await leader.client.write("/compacted", "before")
    for (let count = 0; count < 4; count++) await leader.client.write("/compacted", `${count}${BIG}`)
    await etcdctl("del /compacted --prefix")
    expect(await etcdctl(`get /compacted --print-value-only --rev=${before}`)).toBe("before")
    const sizes = () => Promise.all(members.map(async ({ client }) => (await client.status()).size))
    const large = await sizes()
    const revision = await clients.seen()
    await etcdctl(`compact ${revision} --physical`)
    await expect(etcdctl(`get /compacted --rev=${before}`)).rejects.toThrow("compacted")
    await etcdctl("defrag --cluster --command-timeout=30s")
    const small = await sizes()
    expect(small.map((size, at) => size < (large[at] ?? 0))).toEqual([true, true, true])
    const megabytes = (all: readonly number[]) => all.map((size) => (size / 1e6).toFixed(1)).join(", ")
    kit.evidence(`${megabytes(large)} MB before, ${megabytes(small)} MB after`)
  })

  test("a member over its quota raises the alarm NOSPACE: no member accepts writes, until the alarm is cleared", async (kit) => {
    const { etcdctl } = kit
    const members = await membersOf(kit)
    const clients = await steady(kit, members)
    const { remote: small } = await rolesOf(members)
    const quota = (await small.client.status()).size + 8_000_000
    kit.onCleanup(() => etcdctl("alarm disarm"))
    await small.etcd.restart({ "--quota-backend-bytes": String(quota) })
    kit.onCleanup(() => small.etcd.kill())
    const { leader } = await rolesOf(members)
    expect(await writesUntilRefused(leader, "/over")).toContain("database space exceeded")
    await eventually(() => etcdctl("alarm list")).toContain("NOSPACE")
    for (const { client } of members) {
      await expect(client.write("/refused", "value")).rejects.toThrow("database space exceeded")
      expect(await client.read("/over")).toContain(BIG)
    }
    await etcdctl("del /over --prefix")
    await etcdctl(`compact ${await clients.seen()} --physical`)
    // The member may still be about to remove the old revisions.
    await eventually(async () => {
      await etcdctl("defrag --cluster --command-timeout=30s")
      return (await small.client.status()).size
    }).toBeLessThan(quota - 2_000_000)
    await etcdctl("alarm disarm")
    await clients.writes(10)
    kit.evidence(`${small.name} raised the alarm; after compaction and defragmentation all members accept writes`)
  })

  const kept = async (kit: Kit, guarantee: typeof ordered): Promise<EtcdRecording> => {
    const found = await recorded(kit)
    expect(found.watches.flatMap((watch) => guarantee(watch, found.truth)).slice(0, 10)).toEqual([])
    expect(acknowledged(found.history).length).toBeGreaterThan(0)
    return found
  }

  test("watches are ordered: changes come in the order of their revisions", async (kit) => {
    const { watches, truth } = await kept(kit, ordered)
    kit.evidence(`${truth.size} revisions in ${watches.length} watches`)
  })

  test("watches are unique: no change comes twice", async (kit) => {
    await kept(kit, unique)
  })

  test("watches are reliable: no change is missing, and each has the value that was written", async (kit) => {
    await kept(kit, reliable)
  })

  test("watches are atomic: the changes of one revision come together", async (kit) => {
    await kept(kit, atomic)
  })

  test("watches are resumable: a watch that breaks goes on after the last change that it has seen", async (kit) => {
    const { watches } = await kept(kit, resumable)
    const resumed = watches.reduce((sum, { streams }) => sum + streams.length - 1, 0)
    if (resumed === 0) cannotCheck("no watch has broken")
    kit.evidence(`${resumed} times a watch was resumed`)
  })

  test("watches are bookmarkable: a progress notification comes after all changes up to its revision", async (kit) => {
    const { watches } = await kept(kit, bookmarkable)
    const promises = watches.reduce((sum, watch) => sum + promisesOf(watch), 0)
    if (promises === 0) cannotCheck("etcd has sent no progress notification")
    kit.evidence(`${promises} progress notifications`)
  })

  test("the history of all clients is linearizable", async (kit) => {
    const { history, rate } = await recorded(kit)
    if (rate < LEAST_RATE)
      cannotCheck(
        `${rate.toFixed(1)} operations a second succeeded; a history with fewer than ${LEAST_RATE} says little`,
      )
    const lacks = await porcupineLacks(kit.machine)
    if (lacks !== undefined) cannotCheck(lacks)
    expect(acknowledged(history).length).toBeGreaterThan(0)
    const { verdict, operations, violations } = await judge(kit.machine, history, DRAWING)
    if (verdict === "unknown") cannotCheck("porcupine came to no verdict in time")
    expect({ verdict, violations }).toEqual({ verdict: "linearizable", violations: [] })
    kit.evidence(`${operations} operations, ${rate.toFixed(0)} in a second; drawn in ${DRAWING}`)
  })

  test("every acknowledged write can be read back", async (kit) => {
    const { history } = await recorded(kit)
    const members = await membersOf(kit)
    const written = acknowledged(history)
    for (const member of members) expect(await lostAt(member, STEADY, written)).toEqual([])
    expect(written.length).toBeGreaterThan(0)
    kit.evidence(`${written.length} acknowledged writes, all of them at all members`)
  })

  test("the check can fail: with serializable reads, a cut link makes a history that is not linearizable", async (kit) => {
    const lacks = await porcupineLacks(kit.machine)
    if (lacks !== undefined) cannotCheck(lacks)
    const members = await membersOf(kit)
    const { leader, follower: cut } = await rolesOf(members)
    const store = (from: Member) => ({
      name: from.name,
      write: (key: string, value: string) => leader.client.write(key, value),
      read: (key: string) => own(from, key),
    })
    await using clients = steadyClients({
      members: () => [store(leader), store(cut)],
      keys: ["/stale"],
      rate: 20,
      nonce: kit.nonce,
    })
    const answers = (name: string) =>
      clients.history.filter(({ member, outcome }) => member === name && outcome === "ok")
    await eventually(() => answers(cut.name).length).toBeGreaterThan(5)
    await cut.link.down()
    const before = answers(cut.name).length
    await eventually(() => answers(cut.name).length).toBeGreaterThan(before + 10)
    const { verdict } = await judge(kit.machine, await clients.stop(), DRAWING.replace("history", "stale"))
    expect(verdict).toBe("not linearizable")
  })

  test("the check can fail: with --unsafe-no-fsync, a power failure takes acknowledged writes", async (kit) => {
    const { etcd, sh, machine, nonce, onCleanup } = kit
    const lacks = await porcupineLacks(machine)
    if (lacks !== undefined) cannotCheck(lacks)
    onCleanup(() => sh(`rm -rf ${ALONE["--data-dir"]}*`))
    const first = await etcd.another(ALONE)
    onCleanup(() => first.kill())
    const client = await clientAt(kit, PORT)
    await sh(`cp -a ${ALONE["--data-dir"]} ${ALONE["--data-dir"]}.disk`)
    await using clients = steadyClients({ members: () => [client], keys: ["/power"], rate: 20, nonce })
    const answers = (op: string) => clients.history.filter((one) => one.op === op && one.outcome === "ok").length
    const synced = () =>
      sh(
        `curl -sf --cacert "$ETCDCTL_CACERT" --cert "$ETCDCTL_CERT" --key "$ETCDCTL_KEY" https://127.0.0.1:${PORT}/metrics | sed -n 's/^etcd_disk_wal_fsync_duration_seconds_count //p'`,
      )
    const before = await synced()
    await eventually(() => answers("put")).toBeGreaterThan(10)
    expect(await synced()).toBe(before)
    // A new write would hide from readers that the old ones are gone.
    const written = await clients.stop()
    await first.kill()
    // When the power fails, what was never synced is gone. The disk has what it had before.
    await sh(`rm -r ${ALONE["--data-dir"]}; mv ${ALONE["--data-dir"]}.disk ${ALONE["--data-dir"]}`)
    await using _second = await etcd.another(ALONE)
    await eventually(() => client.keys("/power/")).toEqual(expect.any(Array)) // The connection is new.
    const start = clients.now()
    const value = await client.read("/power")
    const read = { client: 9, member: client.name, op: "get", key: "/power", value, revision: undefined } as const
    const history = [...written, { ...read, start, end: clients.now(), outcome: "ok" as const }]
    const lost = await lostAt({ client }, "/power/", acknowledged(history))
    expect(lost.length).toBeGreaterThan(0)
    expect((await judge(machine, history, DRAWING.replace("history", "power"))).verdict).toBe("not linearizable")
    kit.evidence(
      `${lost.length} acknowledged writes are lost: etcd has synced its log ${before} times, and never for them`,
    )
  })

  test("a snapshot becomes three new members: revisions go on above the old ones, and watches notice", async (kit) => {
    const { etcdctl, kubectl, nonce, onCleanup } = kit
    const members = await membersOf(kit)
    await recorded(kit) // The clients must end before: what they write now is lost on purpose.
    const listed = await members[0].client.members()
    onCleanup(() => kit.sh("rm -f /shared/snap.db"))
    await etcdctl("snapshot save /shared/snap.db")
    onCleanup(() => kubectl("delete configmap later --ignore-not-found"))
    await kubectl(`create configmap later --from-literal=nonce=${nonce}`)
    const { revision } = await members[0].client.status()
    await Promise.all(members.map(({ etcd }) => etcd.kill()))
    const peers = listed.map(({ name, peerUrls }) => `${name}=${peerUrls[0]}`).join(",")
    for (const { etcd, kit: its } of members) {
      const { dataDir, advertisedClientUrls } = etcd.settings
      const it = listed.find(({ clientUrls }) => clientUrls[0] === advertisedClientUrls[0])
      await its.sh(`rm -rf ${dataDir}/member`)
      await its.etcdutl(
        `snapshot restore /shared/snap.db --data-dir=${dataDir} --name=${it?.name} --initial-advertise-peer-urls=${it?.peerUrls[0]} --initial-cluster=${peers} --initial-cluster-token=restored-${nonce} --bump-revision=1000000 --mark-compacted`,
      )
    }
    await Promise.all(members.map(({ etcd }) => etcd.start()))
    await rolesOf(members)
    expect((await members[0].client.status()).revision).toBeGreaterThan(revision)
    const watch = await members[1].client.watch("/registry/", revision, () => undefined)
    expect(await watch.ended).toContain("compacted")
    await eventually(() => kubectl("get configmap later --ignore-not-found")).toBe("")
    await sameData(members)
    kit.evidence(`revision ${revision} before, ${(await members[0].client.status()).revision} after`)
  })
})
