import { describe, expect, test } from "vitest"
import type { Stage } from "../clusters/stage.ts"
import { errorOf, etcdScripts } from "../proof/testing/etcd-scripts.ts"
import type { OpenedScripts } from "../proof/testing/open-scripts.ts"

const scripts = etcdScripts([8])
const STAGES: readonly Stage[] = [
  { number: 8, components: ["etcd"], changed: ["etcd"], changes: { etcd: (component) => component } },
]
const END = "pkill -KILL -x etcd; while pgrep -x etcd; do sleep 0.1; done"
const CHANGED = "etcd --data-dir=/var/lib/etcd --name=changed"
const UNTIL_WELL = "until curl -fs http://127.0.0.1:2379/health; do kill -0 $! || exit 1; sleep 0.1; done"

/** A machine with a folder whose first script starts etcd; the second one changes it. */
function open(change: string | undefined, patience?: number) {
  const files = {
    "01-etcd.sh": "#!/bin/bash\nexec etcd --data-dir=/var/lib/etcd\n",
    ...(change === undefined ? {} : { "08-change.sh": `#!/bin/bash\n${change}\n` }),
  }
  return scripts.open(files, patience)
}

test.each([
  ["in the background", `set -e\n${END}\n${CHANGED} &\n${UNTIL_WELL}`],
  ["with exec", `${END}\nexec ${CHANGED}`],
  ["and waits for it", `${END}\n${CHANGED} &\n${UNTIL_WELL}\nwait`],
  ["in the foreground", `${END}\n${CHANGED}`],
])("a script of a later lesson starts a component in another way: %s", async (_, script) => {
  await using opened = await open(script)
  const { cluster } = opened
  await cluster.ensure(["etcd"])
  const before = cluster.part("etcd").pid
  expect(cluster.canEnter(8)).toBe(true)
  await cluster.enter(STAGES)
  await cluster.ensure(["etcd"]) // That the first process has ended is no failure.
  const { argv, pid } = cluster.part("etcd")
  expect(pid).not.toBe(before)
  expect(argv).toContain("--name=changed")

  await cluster.part("etcd").restart()
  await cluster.enter(STAGES) // It does not run again.
  expect(cluster.part("etcd").argv).toEqual(argv)
})

test("a script that fails before it changes a component is named, and blocks after that", async () => {
  await using opened = await open("exit 3")
  const { cluster } = opened
  expect(await errorOf(cluster.enter(STAGES))).toMatchObject({
    failure: { kind: "script-ended", name: "etcd", script: "08-change.sh", exit: { code: 3 }, wasRunning: true },
  })
  expect(await errorOf(cluster.enter(STAGES))).toMatchObject({ name: "BlockedError" })
})

test("a script that fails after it has changed a component is named, and says so", async () => {
  await using opened = await open(`set -e\n${END}\n${CHANGED} &\n${UNTIL_WELL}\ncp /nowhere /etc/`)
  const failure = await errorOf(opened.cluster.enter(STAGES))
  expect(failure).toMatchObject({
    failure: { kind: "script-ended", name: "etcd", script: "08-change.sh", wasRunning: true, hasStarted: true },
  })
})

test("a component that ends in its new way is reported, and not its script", async () => {
  await using opened = await open(`${END}\netcd --data-dri=/var/lib/etcd &\n${UNTIL_WELL}`)
  const { cluster } = opened
  expect(await errorOf(cluster.enter(STAGES))).toMatchObject({
    failure: { kind: "component-exited", name: "etcd", argv: ["etcd", "--data-dri=/var/lib/etcd"] },
  })
})

test("a component that ends because the script did not end the one before is reported", async () => {
  await using opened = await open(`${CHANGED} &\n${UNTIL_WELL}`)
  const { cluster } = opened
  await cluster.ensure(["etcd"])
  const { pid } = cluster.part("etcd")
  expect(await errorOf(cluster.enter(STAGES))).toMatchObject({
    failure: {
      kind: "component-exited",
      name: "etcd",
      argv: expect.arrayContaining(["--name=changed"]) as string[],
      log: expect.arrayContaining([expect.stringContaining("address already in use")]) as string[],
    },
  })
  expect(cluster.part("etcd").pid).toBe(pid)
})

test("a script that does not come past a command is reported, although what it has started is ready", async () => {
  await using opened = await open(
    `${END}\n${CHANGED} &\nuntil curl -fs http://127.0.0.1:2379/healt; do sleep 0.1; done`,
    15_000,
  )
  const { cluster } = opened
  await cluster.ensure(["etcd"])
  const place = { file: "/root/cluster/08-change.sh", line: 4, command: "curl -fs http://127.0.0.1:2379/healt" }
  expect(await cluster.waiting()).toEqual([])
  const change = errorOf(cluster.enter(STAGES))
  await expect.poll(() => cluster.waiting(), { timeout: 10_000 }).toEqual([place])
  expect(await change).toMatchObject({
    failure: { kind: "script-runs-on", script: "08-change.sh", name: "etcd", place },
  })
})

test("a component that is not started again is reported with the script that ended it", async () => {
  await using opened = await open(END)
  const { cluster } = opened
  await cluster.enter(STAGES)
  expect(await errorOf(cluster.ensure(["etcd"]))).toMatchObject({
    failure: { kind: "script-ended", name: "etcd", script: "08-change.sh" },
  })
})

describe("on a machine that was used before", () => {
  const ETCD = "#!/bin/bash\nexec etcd --data-dir=/var/lib/etcd\n"
  const CHANGE = `#!/bin/bash\nset -e\n${END}\n${CHANGED} &\n${UNTIL_WELL}\n`
  const get = (opened: OpenedScripts) => opened.machine.run(["etcdctl", "get", "key", "--print-value-only"])

  test("a script of a later lesson that never ran leaves the component alone that its name contains", async () => {
    await using before = await scripts.open({ "01-etcd.sh": ETCD })
    await before.cluster.ensure(["etcd"])
    const { pid } = before.cluster.part("etcd")
    const { cluster } = await scripts.open({ "01-etcd.sh": ETCD, "08-etcd.sh": CHANGE }, undefined, before)
    await cluster.ensure(["etcd"])
    expect(cluster.part("etcd").pid).toBe(pid)
  })

  test("a changed script of a later lesson begins everything anew, without the data of before", async () => {
    await using before = await scripts.open({ "01-etcd.sh": ETCD, "08-etcd.sh": CHANGE })
    await before.cluster.ensure(["etcd"])
    await before.cluster.enter(STAGES)
    await before.machine.run(["etcdctl", "put", "key", "value"])
    const same = await scripts.open({ "01-etcd.sh": ETCD, "08-etcd.sh": CHANGE }, undefined, before)
    await same.cluster.ensure(["etcd"])
    expect((await get(same)).stdout).toBe("value\n")
    const again = await scripts.open({ "01-etcd.sh": ETCD, "08-etcd.sh": `${CHANGE}# again\n` }, undefined, before)
    await again.cluster.ensure(["etcd"])
    expect(again.cluster.part("etcd").argv).not.toContain("--name=changed")
    expect(await get(again)).toMatchObject({ stdout: "", exitCode: 0 })
  })
})

test("without such a script nothing changes", async () => {
  await using opened = await open(undefined)
  const { cluster } = opened
  expect(cluster.canEnter(8)).toBe(false)
  await cluster.ensure(["etcd"])
  const { pid } = cluster.part("etcd")
  await cluster.enter(STAGES)
  expect(cluster.part("etcd").pid).toBe(pid)
})
