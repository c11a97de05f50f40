import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { Cluster } from "../clusters/cluster.ts"
import type { Machine } from "../machines/machine.ts"
import { errorOf, etcdScripts } from "../proof/testing/etcd-scripts.ts"
import { lastOf, stuckAt, Trace } from "./trace.ts"

const scripts = etcdScripts()
const ETCD = "etcd --data-dir=/var/lib/etcd"
const MISTYPED = "etcd --data-dri=/var/lib/etcd"

/** A machine with a folder whose only script starts etcd. */
async function open(script: string) {
  const opened = await scripts.open({ "01-etcd.sh": `#!/bin/bash\n${script}\n` })
  return { ...opened, failure: async () => (await errorOf(opened.cluster.ensure(["etcd"])))?.failure }
}

describe("a component that ends before it is ready is reported with its flags, its log and its line", () => {
  const own = "/var/log/byhand/01-etcd.sh.log"
  test.each([
    ["exec", `set -e\nexec ${MISTYPED}`, { line: 3, logPath: own, exit: { code: 2, signal: null } }],
    ["foreground", `set -e\n${MISTYPED}\necho never`, { line: 3, logPath: own, exit: { code: 2, signal: null } }],
    ["background", `${MISTYPED} &`, { line: 2, logPath: own }],
    [
      "own log, and a loop that never ends",
      `${MISTYPED} >/var/log/own.log 2>&1 &\nuntil curl -fs http://127.0.0.1:2379/health; do sleep 0.5; done`,
      { line: 2, logPath: "/var/log/own.log" },
    ],
    ["supervisor", `while true; do\n  ${MISTYPED} || true\n  sleep 0.5\ndone`, { line: 3, logPath: own, times: 3 }],
    ["another name", `exec -a store ${MISTYPED}`, { logPath: own, exit: { code: 2, signal: null } }],
  ] as const)("%s", async (_, script, { logPath, ...expected }) => {
    await using opened = await open(script)
    const found = await opened.failure()
    expect(found).toMatchObject({
      kind: "component-exited",
      name: "etcd",
      logPath,
      argv: [expect.any(String), "--data-dri=/var/lib/etcd"],
      ...("line" in expected ? { place: { file: "/root/cluster/01-etcd.sh", line: expected.line } } : {}),
      ...("exit" in expected ? { exit: expected.exit } : {}),
    })
    const log = await opened.cluster.machine.read(logPath)
    expect(log.toString()).toContain("flag provided but not defined: -data-dri")
    if ("times" in expected) expect((found as { times?: number }).times).toBeGreaterThanOrEqual(expected.times)
  })
})

describe("a script that does not start its component is reported with its line", () => {
  test.each([
    ["fails", "set -e\nfalse\nexec etcd", { kind: "script-ended", place: { line: 3, command: "false" } }],
    [
      "mistyped",
      "etdc &\nwait; sleep infinity",
      { kind: "not-started", place: { line: 3, command: "sleep infinity" } },
    ],
    [
      "in a function",
      `begin() {\n  cp /nowhere /etc/ || exit 7\n}\nbegin\nexec ${ETCD}`,
      { kind: "script-ended", exit: { code: 7 }, place: { line: 3, command: "exit 7" } },
    ],
    [
      "fails in a subshell",
      "set -e\nmake() {\n  [ ! -e /there ]\n  (\n    umask 077\n    cp /nowhere /there 2>/dev/null\n  )\n}\nmake\nexec etcd",
      { kind: "script-ended", place: { line: 7, command: "cp /nowhere /there 2> /dev/null" } },
    ],
    [
      "fails while a process in the background goes on",
      "set -e\n(sleep 0.2; sleep 60) &\nsleep 0.5\nfalse\nexec etcd",
      { kind: "script-ended", place: { line: 5, command: "false" } },
    ],
    ...(["cp /nowhere /etc/ &", "(cp /nowhere /etc/) &"] as const).map(
      (line) =>
        [
          `misses ${line}`,
          `set -e\nwait_for() {\n  until "$@"; do\n    kill -0 $!\n    sleep 0.1\n  done\n}\n${line}\nwait_for pidof etcd\netcd`,
          {
            kind: "script-ended",
            place: { line: 5, command: "kill -0 $!" },
            missed: { line: 9, command: "cp /nowhere /etc/" },
          },
        ] as const,
    ),
    ["prints its version", "etcd --version\nexit 3", { kind: "script-ended", place: { line: 3, command: "exit 3" } }],
  ] as const)("%s", async (_, script, expected) => {
    await using opened = await open(script)
    expect(await opened.failure()).toMatchObject(expected)
  })
})

test("a second instance that ends twice does not end the first", async () => {
  await using opened = await open(`exec ${ETCD}`)
  const { cluster, failure } = opened
  expect(await failure()).toBeUndefined()
  const { pid } = cluster.part("etcd")
  const address = (port: number) => `http://127.0.0.1:${port}`
  const second = await cluster.part("etcd").another({
    "--data-dir": "/var/lib/second",
    "--listen-client-urls": address(12379),
    "--advertise-client-urls": address(12379),
    "--listen-peer-urls": address(12380),
    "--initial-advertise-peer-urls": address(12380),
    "--initial-cluster": `default=${address(12380)}`,
  })
  await second.kill()
  await second.kill()
  expect((await cluster.machine.run(["pidof", "etcd"])).stdout.trim()).toBe(String(pid))
  expect(await failure()).toBeUndefined()
})

describe("a component that ends later by itself", () => {
  const killOnce = "pkill -KILL -x etcd; while pidof etcd; do sleep 0.05; done"

  test("fails the next outcome, once, and is started again", async () => {
    await using opened = await open(`exec ${ETCD}`)
    const { cluster, failure } = opened
    expect(await failure()).toBeUndefined()
    await cluster.machine.run(["sh", "-c", killOnce])
    expect(await failure()).toMatchObject({
      kind: "component-exited",
      wasReady: true,
      isBack: false,
      exit: { code: null, signal: "SIGKILL" },
    })
    expect(await failure()).toBeUndefined()
    expect(cluster.part("etcd").isRunning).toBe(true)
  })

  test("is reported also when a supervisor starts it again, and not when a lesson ended it", async () => {
    await using opened = await open(`while true; do\n  ${ETCD}\n  sleep 0.2\ndone`)
    const { cluster, failure } = opened
    expect(await failure()).toBeUndefined()
    await cluster.part("etcd").restart()
    expect(await failure()).toBeUndefined()
    const before = cluster.part("etcd").pid
    await cluster.machine.run(["kill", "-KILL", String(before)])
    const isBack = async () => (await cluster.machine.run(["pidof", "etcd"])).stdout.trim()
    await expect.poll(isBack, { timeout: 20_000 }).toMatch(/^\d+$/)
    expect(await failure()).toMatchObject({ kind: "component-exited", wasReady: true, isBack: true })
    expect(await failure()).toBeUndefined()
  })

  test("fails the next outcome of our own cluster in the same way", async () => {
    const machine = await scripts.machine()
    await using _ = { [Symbol.asyncDispose]: () => machine.close() }
    const cluster = new Cluster({ machine, images: undefined, patience: 60_000 })
    await cluster.ensure(["etcd"])
    await cluster.part("etcd").restart()
    await cluster.ensure(["etcd"])
    await machine.run(["sh", "-c", killOnce])
    await expect.poll(() => cluster.part("etcd").isRunning).toBe(false)
    await expect(cluster.ensure(["etcd"])).rejects.toMatchObject({
      failure: { kind: "component-exited", wasReady: true, exit: { code: null, signal: "SIGKILL" } },
    })
    await cluster.ensure(["etcd"])
    expect(cluster.part("etcd").isRunning).toBe(true)
  })

  test("is not reported again when its outcome has failed already", async () => {
    await using opened = await open(`exec ${ETCD}`)
    const { cluster, failure } = opened
    expect(await failure()).toBeUndefined()
    await cluster.machine.run(["sh", "-c", killOnce])
    await cluster.forgetExits()
    expect(await failure()).toBeUndefined()
  })
})

describe("bash notes the commands of a script", () => {
  let machine: Machine
  beforeAll(async () => {
    machine = await scripts.machine()
  })
  afterAll(() => machine.close())

  const SCRIPT = `set -euo pipefail
echo "options $-"; false || echo "status $?"; echo one two; echo "last $_"
add() { local sum=$(($1 + $2)); echo "$sum"; }
add 1 2 | cat; add 3 4
set -x; echo shown; set +x
true | false | true || echo "\${PIPESTATUS[@]}"
bash -c 'echo "inner $-"'; sh -c 'echo "sh $-"'
cat <<END
here
END
ls /proc/self/fd | wc -l
echo "line $LINENO"
exec sh -c 'exit 9'
`

  test("without another change that the script could notice than set -T", async () => {
    await machine.write("/root/cluster/a.sh", SCRIPT)
    const { trace, env } = await Trace.of(machine, "a.sh")
    const run = (more: Readonly<Record<string, string>>) =>
      machine.run(["sh", "-c", "cd /root/cluster && exec bash ./a.sh 2>&1"], { env: more })
    const [plain, traced] = [await run({}), await run(env)]
    expect(traced.stdout).toBe(plain.stdout.replace(/^options \w+/, "$&T"))
    expect([plain.exitCode, traced.exitCode]).toEqual([9, 9])
    const commands = await trace.commands()
    const { pid = 0 } = commands[0] ?? {}
    expect(lastOf(commands, pid)).toEqual({ file: "/root/cluster/a.sh", line: 13, command: "exec sh -c 'exit 9'" })
    expect(commands.map(({ line, command }) => `${line} ${command}`)).toContain("3 local sum=$(($1 + $2))")
    expect((await machine.run(["stat", "--format=%a", "/run/byhand/trace/a.sh"])).stdout.trim()).toBe("600")
  })

  test("a trace does not grow without end", async () => {
    await machine.write("/root/cluster/b.sh", "for i in {1..3000}; do :; done\n")
    const { trace, env } = await Trace.of(machine, "b.sh")
    await machine.run(["sh", "-c", "cd /root/cluster && exec bash ./b.sh"], { env })
    expect((await trace.commands()).length).toBeLessThanOrEqual(500)
  })

  test("a command in a function is noted with the command that called it, also long after that", async () => {
    const loop = '#!/bin/bash\nset -eu\nwaits() { until [ -e "$1" ]; do sleep 0.001; done; }\n\nwaits /never\necho\n'
    await machine.write("/root/cluster/c.sh", loop)
    const { trace, env } = await Trace.of(machine, "c.sh")
    const { pid } = await machine.spawn(["bash", "./c.sh"], { cwd: "/root/cluster", log: "/dev/null", env })
    const place = async () => stuckAt(await trace.commands(), pid)
    await expect.poll(place).toBeDefined()
    await expect.poll(async () => (await trace.commands()).length).toBeGreaterThan(450)
    await expect.poll(async () => (await trace.commands()).length).toBeLessThan(450)
    expect(await place()).toEqual({
      file: "/root/cluster/c.sh",
      line: 3,
      command: '[ -e "$1" ]',
      call: { file: "/root/cluster/c.sh", line: 5, command: "waits /never" },
    })
    await machine.run(["kill", "-KILL", String(pid)])
  })

  test.each(["wait", "sleep infinity", "tail -f /dev/null"])("a script may end in %s", async (command) => {
    await machine.write("/root/cluster/d.sh", `sleep 60 &\n${command}\n`)
    const { trace, env } = await Trace.of(machine, "d.sh")
    const { pid } = await machine.spawn(["bash", "./d.sh"], { cwd: "/root/cluster", log: "/dev/null", env })
    await expect.poll(async () => (await trace.commands()).at(-1)?.command).toBe(command)
    expect(stuckAt(await trace.commands(), pid)).toBeUndefined()
    await machine.run(["pkill", "-KILL", "-s", String(pid)])
  })
})
