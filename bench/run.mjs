// Compares the times of our cluster and lessons with the times of a plain shell script (by-hand.sh), and the times in a
// container with the times in the sandbox. Each round measures all of them in turn. Prints medians and ratios.
// usage: node bench/run.mjs [--rounds N] [--json] [--no-lessons] [--no-container]      (as root; needs the build in dist)
// Containers run on the engine that DOCKER_HOST names. If DOCKER_HOST is not set, this program starts an engine.
// Both clocks start when a machine exists: in by-hand.sh after unshare, for our cluster after the start of the sandbox.
// The start of the sandbox has its own row.
import { execa } from "execa"
import { chmod, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { prepareArtifacts } from "../dist/clusters/artifacts.js"
import { Cluster } from "../dist/clusters/cluster.js"
import { APISERVER_PORT } from "../dist/components/apiserver.js"
import { componentNames, specs } from "../dist/components/registry.js"
import { httpGet } from "../dist/clients/http-get.js"
import { lessons, testFileOf } from "../dist/curriculum/lessons.js"
import { findEngine } from "../dist/machines/container/engine.js"
import { providerOf } from "../dist/machines/providers.js"
import { terminalProgress } from "../dist/base/progress-terminal.js"
import { packageRoot, readSettings } from "../dist/base/settings.js"
import { startEngine } from "../dist/proof/testing/engine.js"

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    json: { type: "boolean" },
    "no-lessons": { type: "boolean" },
    "no-container": { type: "boolean" },
  },
})
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("--rounds must be an integer of at least 1.")
  process.exit(2)
}
const settings = readSettings()
const artifacts = await prepareArtifacts(componentNames, settings, terminalProgress())
const folder = await mkdtemp(join(tmpdir(), "byhand-bench-"))

/** The last lesson that by-hand.sh does too. */
const LAST_BY_HAND = "07"

/** For each component: the action that its time includes, and further actions that have their own rows. */
const STEPS = {
  etcd: { title: "put and get", act: ({ machine }) => run(machine, "etcdctl put /hello world && etcdctl get /hello") },
  "kube-apiserver": {
    title: "kubectl get",
    act: ({ machine }) => run(machine, "kubectl get namespace default"),
    more: [
      {
        row: "ConfigMap",
        title: "seen in etcd",
        act: ({ machine }) =>
          run(
            machine,
            'kubectl create configmap demo --from-literal=k=v && etcdctl get /registry/configmaps/default/demo | grep -q \'"k":"v"\'',
          ),
      },
    ],
  },
  containerd: { title: "and images" },
  kubelet: {
    title: "Node Ready",
    act: (cluster) =>
      get(cluster, "/api/v1/nodes/bench", ({ status }) =>
        status.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
      ),
  },
}

/** The measured times (seconds) by name, one number for each round. */
const ours = {}
const byHand = {}
const inContainer = {}
const note = (table, name, seconds) => (table[name] ??= []).push(seconds)

const engine = flags["no-container"] ? undefined : await engineForContainers()
try {
  await layOutBinaries()
  for (let round = 1; round <= rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${rounds}\n`)
    await runByHand()
    await runCluster("sandbox", ours)
    if (engine !== undefined) await runCluster("container", inContainer)
    await runMachines("sandbox", ours)
    if (engine !== undefined) await runMachines("container", inContainer)
    await runUp()
    if (flags["no-lessons"]) continue
    await runLessons("sandbox", ours)
    if (engine !== undefined) await runLessons("container", inContainer)
  }
} finally {
  await engine?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}
report()

/**
 * An engine that already has the image of the machine. Only an engine that this program has started is stopped at the
 * end.
 */
async function engineForContainers() {
  const own =
    process.env.DOCKER_HOST === undefined
      ? await startEngine(settings, terminalProgress())
      : { environment: {}, [Symbol.asyncDispose]: async () => {} }
  Object.assign(process.env, own.environment)
  await providerOf("container", settings).prepare(terminalProgress())
  if (process.stderr.isTTY) process.stderr.write(`containers: ${(await findEngine()).description}\n`)
  return own
}

/** Creates the folder that by-hand.sh requires: all tools in one folder, and the CNI plugins in its subfolder cni. */
async function layOutBinaries() {
  await chmod(folder, 0o755)
  await mkdir(join(folder, "bin", "cni"), { recursive: true })
  for (const { source, target } of artifacts.binds) {
    if (target.endsWith(".tar")) continue
    await symlink(source, join(folder, "bin", target.startsWith("/opt/cni") ? "cni" : "", basename(target)))
  }
}

async function runByHand() {
  const started = performance.now()
  const { stdout } = await execa("bash", [
    join(packageRoot, "bench", "by-hand.sh"),
    join(folder, "bin"),
    artifacts.images.pause.archive,
    artifacts.images.nginx.archive,
  ])
  note(byHand, "workshop", (performance.now() - started) / 1000)
  const at = Object.fromEntries(
    [...stdout.matchAll(/^ *([\d.]+) (.+)$/gm)].map(([, seconds, milestone]) => [milestone, Number(seconds)]),
  )
  note(byHand, "etcd", at["1 etcd answers"])
  note(byHand, "kube-apiserver", at["2 apiserver ready"] - at["1 etcd answers"])
  note(byHand, "namespace", at["2 apiserver ready"])
  note(byHand, "ConfigMap", at["3 ConfigMap in etcd"] - at["2 apiserver ready"])
  note(byHand, "containerd", at["5 containerd ready, images imported"] - at["4 scheduler started"])
  note(byHand, "kubelet", at["5 Node Ready"] - at["5 containerd ready, images imported"])
  note(byHand, "Pod", at["6 nginx Running and serving"] - at["5 Node Ready"])
  note(byHand, "serving", at["6 nginx Running and serving"])
}

/**
 * Starts the components one after another, in start order. Components that the lessons start ahead are started ahead
 * here too.
 */
async function runCluster(kind, table) {
  const before = performance.now()
  const { machine } = await providerOf(kind, settings).start({ name: "bench", binds: artifacts.binds })
  let last = performance.now()
  const zero = last
  note(table, "machine", (zero - before) / 1000)
  const lap = (name) => {
    const now = performance.now()
    note(table, name, (now - last) / 1000)
    last = now
  }
  try {
    const cluster = new Cluster({ machine, images: artifacts.images, patience: settings.patience })
    const ahead = cluster.up(specs.filter(({ startsAhead }) => startsAhead).map(({ name }) => name))
    for (const { name, isProvided } of specs) {
      if (isProvided) continue
      await cluster.part(name).start()
      await STEPS[name]?.act?.(cluster)
      lap(name)
      for (const { row, act } of STEPS[name]?.more ?? []) {
        await act(cluster)
        lap(row)
      }
    }
    await ahead
    await run(machine, "kubectl run hello --image=nginx")
    const pod = await get(
      cluster,
      "/api/v1/namespaces/default/pods/hello",
      ({ status }) => status.phase === "Running" && status.podIP,
    )
    while (
      await httpGet(machine, { port: 80, host: pod.status.podIP, path: "/" }).then(
        ({ status }) => status !== 200,
        () => true,
      )
    )
      await sleep(20)
    lap("Pod")
    note(table, "serving", (last - zero) / 1000)
  } finally {
    await machine.close()
  }
}

/** Starts further machines one after another, then cuts and restores a link, until packets arrive again. */
async function runMachines(kind, table) {
  const { machine, network } = await providerOf(kind, settings).start({ name: "bench", binds: artifacts.binds })
  let last = performance.now()
  const lap = (name) => {
    const now = performance.now()
    note(table, name, (now - last) / 1000)
    last = now
  }
  try {
    const second = await network.machine("node-2")
    lap("second machine")
    await network.machine("etcd-2")
    lap("third machine")
    await second.spawn(["/run/byhand/node", "-e", 'require("net").createServer().listen(7000, "0.0.0.0")'], {
      log: "/tmp/log",
    })
    const call = `/run/byhand/node -e 'require("net").connect(7000, "node-2").on("connect", () => process.exit(0)).on("error", () => process.exit(1))'`
    await run(machine, `until ${call}; do sleep 0.05; done`)
    last = performance.now()
    const link = network.link("node-2")
    await link.down()
    await link.up()
    lap("link")
    await run(machine, call)
    lap("call")
  } finally {
    await machine.close()
  }
}

async function run(machine, line) {
  const { exitCode, stderr } = await machine.run(["sh", "-ec", line])
  if (exitCode !== 0) throw new Error(`${line}: ${stderr}`)
}

async function get(cluster, path, isThere) {
  for (const deadline = performance.now() + settings.patience; performance.now() < deadline; await sleep(20)) {
    const { status, body } = await httpGet(cluster.machine, {
      port: APISERVER_PORT,
      path,
      ca: await cluster.ca(),
      token: cluster.token,
    })
    const object = JSON.parse(body)
    if (status === 200 && isThere(object)) return object
  }
  throw new Error(`${path} did not reach the expected state before the timeout.`)
}

async function runUp() {
  const byhand = (...args) =>
    execa(process.execPath, [join(packageRoot, "dist", "cli", "main.js"), ...args, "--name", "bench-up", "--json"])
  try {
    const { milliseconds } = JSON.parse((await byhand("up")).stdout)
    note(ours, "namespace", (milliseconds.namespace - milliseconds.machine) / 1000)
    note(ours, "typed", milliseconds.namespace / 1000)
  } finally {
    await byhand("down")
  }
}

async function runLessons(kind, table) {
  const results = join(folder, "lessons.json")
  const started = performance.now()
  await execa("npx", ["vitest", "run", "--reporter=json", `--outputFile=${results}`], {
    cwd: packageRoot,
    env: { BYHAND_MACHINE: kind },
  })
  note(table, "total", (performance.now() - started) / 1000)
  const { testResults } = JSON.parse(await readFile(results, "utf8"))
  const times = testResults.map(({ name, startTime, endTime }) => [lessonOf(name), (endTime - startTime) / 1000])
  for (const [lesson, seconds] of times) note(table, lesson, seconds)
  const workshop = times.filter(([lesson]) => lesson <= `lesson ${LAST_BY_HAND}`)
  note(
    table,
    "workshop",
    workshop.reduce((sum, [, seconds]) => sum + seconds, 0),
  )
}

/** The row of a test file: "lesson 08". */
function lessonOf(path) {
  return `lesson ${basename(path).slice(0, 2)}`
}

function report() {
  const median = (numbers) => numbers?.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
  const lessonRows = lessons.map(testFileOf).map((path) => [`  ${lessonOf(path)}`, lessonOf(path)])
  const containerRows = [
    ["the machine itself", "machine"],
    ["a second machine, and the network", "second machine"],
    ["a third machine", "third machine"],
    ["a link, cut and restored", "link"],
    ["etcd to nginx serving", "serving"],
    ["all lessons, whole command", "total"],
    ...lessonRows,
  ].flatMap(([title, name]) => {
    const [container, sandbox] = [median(inContainer[name]), median(ours[name])]
    return container === undefined ? [] : [{ title, container, sandbox, ratio: container / sandbox }]
  })
  const rows = [
    ["etcd to nginx serving", "serving", 0.9],
    ["byhand up to the default namespace", "namespace", 0.7],
    [`lessons 01 to ${LAST_BY_HAND}`, "workshop", 2.5],
    ["all lessons, whole command", "total"],
    ...lessonRows,
    ...specs
      .filter(({ isProvided }) => !isProvided)
      .flatMap(({ name }) => [
        [`  ${name}, ${STEPS[name]?.title ?? "ready"}`, name],
        ...(STEPS[name]?.more ?? []).map(({ row, title }) => [`  ${row}, ${title}`, row]),
      ]),
    ["  Pod, nginx answers", "Pod"],
    ["the machine itself", "machine"],
    ["a second machine, and the network", "second machine"],
    ["a third machine", "third machine"],
    ["a link, cut and restored", "link"],
    ["a connection over it, with the start of Node.js", "call"],
    ["byhand up, from typing to the default namespace", "typed"],
  ].flatMap(([title, name, aim]) => {
    const [mine, shell] = [median(ours[name]), median(byHand[name])]
    return mine === undefined
      ? []
      : [{ title, ours: mine, byHand: shell, ratio: shell === undefined ? undefined : mine / shell, aim }]
  })
  if (flags.json)
    return console.log(
      JSON.stringify(
        {
          rounds,
          rows: rows.map((row) => ({ ...row, title: row.title.trim() })),
          container: containerRows,
          measured: { ours, byHand, inContainer },
        },
        undefined,
        2,
      ),
    )
  const seconds = (number) => (number === undefined ? "" : `${number.toFixed(2)} s`)
  const width = Math.max(...rows.map(({ title }) => title.length))
  const line = (title, ...cells) =>
    console.log(`${title.padEnd(width)}${cells.map((cell) => cell.padStart(12)).join("")}`.trimEnd())
  line(`median of ${rounds}`, "ours", "by hand", "ratio", "aim")
  for (const { title, ours, byHand, ratio, aim } of rows) {
    line(
      title,
      seconds(ours),
      seconds(byHand),
      ratio?.toFixed(2) ?? "",
      aim === undefined ? "" : `${ratio <= aim ? "ok" : "MISSED"} ${aim}`,
    )
  }
  if (containerRows.length === 0) return
  console.log("")
  line("", "container", "sandbox", "ratio")
  for (const { title, container, sandbox, ratio } of containerRows)
    line(title, seconds(container), seconds(sandbox), ratio.toFixed(2))
}
