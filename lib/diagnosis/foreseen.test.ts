import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, test } from "vitest"
import type { ComponentName } from "../components/registry.ts"
import type { Failure, NotReady, Plain } from "../failures/failure.ts"
import { sabotages } from "../proof/sabotage/all.ts"
import { RECORDINGS } from "../proof/sabotage/recordings.ts"
import { foreseen } from "./diagnose.ts"
import { memberLists } from "./members.ts"
import type { Observation, ObservedComponent } from "./observation.ts"

const component = (name: ComponentName, given: Partial<ObservedComponent> = {}): ObservedComponent => ({
  name,
  state: "running",
  isMeantToBe: true,
  answer: { isWell: false, text: "connect ECONNREFUSED" },
  pid: 7,
  argv: [name],
  log: [],
  logPath: `/somewhere/${name}.txt`,
  ...given,
})
const notReady = (name: ComponentName, answer = "connect ECONNREFUSED"): NotReady => ({
  kind: "not-ready",
  name,
  waited: 1_000,
  answer,
  log: [],
  logPath: `/somewhere/${name}.txt`,
})
const seen = (given: Partial<Observation>): Observation => ({
  hostname: "host",
  components: [],
  listeners: [],
  connections: [],
  kubeconfigPath: "/root/.kube/config",
  files: {},
  looks: { "date -u": "Thu Nov 26 03:00:00 UTC 2026" },
  ...given,
})
const listener = (local: string, program = "etcd") => ({ local, peer: "0.0.0.0:*", pid: 9, program })
const idsOf = (observation: Observation) => foreseen(observation).map(({ finding }) => finding.id)

describe("while a component or an outcome waits, the cause of its recording is certain", () => {
  /** These came out after the whole patience before a wait could end early. */
  const waited = [
    "cni-no-config",
    "cni-of-no-kind",
    "cni-unparsable",
    "containerd-socket-elsewhere",
    "etcd-listens-elsewhere",
    "kubelet-frozen",
    "kubelet-frozen-at-start",
    "kubelet-healthz-port-taken",
    "kubelet-standalone",
    "lease-renewed-seldom",
    "lease-of-a-dead-leader",
    "not-ready-taint-late",
    "registry-gone",
    "route-to-nowhere",
    "scheduler-certificate-of-another-ca",
  ]
  const names = existsSync(RECORDINGS) ? readdirSync(RECORDINGS).map((name) => basename(name, ".json")) : []
  test.each(waited.filter((id) => names.includes(id)))("%s", (id) => {
    const observation = JSON.parse(readFileSync(join(RECORDINGS, `${id}.json`), "utf8")) as Observation // Written by record.ts.
    expect(idsOf(observation)).toContain(sabotages.find((one) => one.id === id)?.finding)
  })
})

/** A machine on which etcd and kube-apiserver run, and etcd lists itself and one more member. */
function listing(other: string, etcd: Partial<ObservedComponent>, failure?: Failure): Observation {
  const machine = seen({
    components: [
      component("etcd", {
        argv: ["etcd", "--listen-client-urls=http://127.0.0.1:2379"],
        answer: { isWell: true, text: "200" },
        ...etcd,
      }),
      component("kube-apiserver", {
        argv: ["kube-apiserver", "--etcd-servers=http://127.0.0.1:2379"],
        answer: { isWell: true, text: "ok" },
      }),
    ],
    listeners: [listener("127.0.0.1:2379")],
    failure,
  })
  const own = "8e9e05c52164694d, started, one, http://localhost:2380, http://127.0.0.1:2379, false"
  const looks = memberLists(machine).map((look) => [look, `${own}\n${other}`])
  return { ...machine, looks: { ...machine.looks, ...(Object.fromEntries(looks) as Observation["looks"]) } }
}

describe("what can still succeed is awaited", () => {
  const apiserver = (servers: string) =>
    seen({
      components: [
        component("etcd", {
          argv: ["etcd", "--listen-client-urls=http://127.0.0.1:2379"],
          answer: { isWell: true, text: "200" },
        }),
        component("kube-apiserver", { argv: ["kube-apiserver", `--etcd-servers=${servers}`] }),
      ],
      listeners: [listener("127.0.0.1:2379")],
      failure: notReady("kube-apiserver"),
    })

  test("kube-apiserver has another etcd, or may reach it by a name", () => {
    expect(idsOf(apiserver("http://127.0.0.1:2399"))).toEqual(["etcd-elsewhere"])
    expect(idsOf(apiserver("http://:2399"))).toEqual(["etcd-elsewhere"])
    expect(idsOf(apiserver("http://127.0.0.1:2399,http://127.0.0.1:2379"))).toEqual([])
    expect(idsOf(apiserver("http://etcd.local:2379"))).toEqual([])
  })

  test("etcd starts at its own address, and has no leader yet", () => {
    const starting = (isWell: boolean) =>
      seen({
        components: [
          component("etcd", {
            argv: ["etcd", "--listen-client-urls=http://10.77.0.2:2379"],
            answer: { isWell, text: "503" },
          }),
        ],
        listeners: [listener("10.77.0.2:2379")],
        failure: notReady("etcd", "503"),
      })
    expect(idsOf(starting(false))).toEqual([])
    expect(idsOf(starting(true))).toEqual(["etcd-listens-elsewhere"])
  })

  test("etcd asks other members for votes: they may start, unless no process listens there", () => {
    const asking = (listeners: Observation["listeners"], changed: Partial<Observation> = {}) =>
      seen({
        ...changed,
        components: [
          component("etcd", {
            log: [
              'x sent MsgPreVote request to 91bc3c398fb3c146 at term 1"}',
              '{"msg":"prober detected unhealthy status","error":"dial tcp 127.0.0.1:2390: connect: connection refused"}',
            ],
          }),
        ],
        listeners,
        failure: notReady("etcd"),
      })
    expect(idsOf(asking([]))).toEqual(["out-of-quorum"])
    expect(idsOf(asking([listener("127.0.0.1:2390")]))).toEqual([])
    expect(idsOf(asking([], { changedLinks: ["etcd-2"] }))).toEqual([]) // The lesson itself keeps the members apart.
  })

  test("a member was added to etcd's cluster: it may start on another machine, unless it must run on this one", () => {
    const without = (url: string, text = "RAFT NO LEADER") =>
      listing(`91bc3c398fb3c146, unstarted, , ${url}, , false`, { answer: { isWell: false, text } })
    expect(idsOf(without("http://127.0.0.1:2390"))).toEqual(["member-not-started"])
    expect(idsOf(without("http://127.0.0.1:2379"))).toEqual([]) // A process listens there.
    expect(idsOf(without("https://10.77.0.4:2380"))).toEqual([])
    expect(idsOf(without("http://127.0.0.1:2390", "alarm:NOSPACE"))).toEqual(["no-space"])
  })

  test("an alarm for which the outcome itself has started etcd with a small quota is no mistake", () => {
    const failure = { kind: "command-failed", argv: ["etcdctl"], exitCode: 1, stdout: "", stderr: "" } as const
    const full = (changed: Partial<Observation> = {}) =>
      seen({
        ...changed,
        components: [component("etcd", { answer: { isWell: false, text: "alarm:NOSPACE" } })],
        failure,
      })
    expect(idsOf(full())).toEqual(["no-space"])
    expect(idsOf(full({ changedFlags: ["--election-timeout"] }))).toEqual(["no-space"])
    expect(idsOf(full({ changedFlags: ["--quota-backend-bytes"] }))).toEqual([])
  })

  test("a learner explains only that the voting members are not the expected ones", () => {
    const learner = "5f284ba45a66d922, started, two, https://10.77.0.4:2380, https://10.77.0.4:2379, true"
    const voting = (actual: Plain) => listing(learner, {}, { kind: "mismatch", outcome: "11 …", actual })
    expect(idsOf(voting(["8e9e05c52164694d"]))).toEqual(["learner-not-promoted"])
    expect(idsOf(voting("the value of a key"))).toEqual([])
  })

  test("kube-apiserver need not know all members of etcd, unless connections to all are expected", () => {
    const second = "5f284ba45a66d922, started, two, https://10.77.0.4:2380, https://10.77.0.4:2379, false"
    const using = (actual: number, expected: number) =>
      listing(second, {}, { kind: "mismatch", outcome: "11 …", expected, actual })
    expect(idsOf(using(1, 2))).toEqual(["etcd-servers-incomplete"])
    expect(idsOf(using(0, 2))).toEqual([]) // It does not even use the one that it knows.
    expect(idsOf(using(1, 3))).toEqual([])
  })

  test("the scheduler may be about to say that there is no Node, and a kubelet may be about to register one", () => {
    const pending = (expected: string, isKubeletMeantToBe: boolean) => {
      const failure: Failure = { kind: "mismatch", outcome: "04 …", expected, actual: "" }
      return seen({
        failure,
        components: [
          component("kube-scheduler", { answer: { isWell: true, text: "ok" } }),
          component("kubelet", {
            state: "absent",
            isMeantToBe: isKubeletMeantToBe,
            argv: ["kubelet", "--kubeconfig=/k"],
          }),
        ],
        api: {
          version: "v1.37.2",
          namespaces: [],
          nodes: [],
          pods: [{ metadata: { name: "waiting" }, spec: {} }],
          events: [],
          services: [],
          leases: [],
          deployments: [],
          replicaSets: [],
        },
      })
    }
    expect(idsOf(pending("Unschedulable", false))).toEqual([])
    expect(idsOf(pending("host", true))).not.toContain("no-node")
    expect(idsOf(pending("paper", false))).toEqual(["no-node"])
  })

  test("the kubelet registers its Node at the second attempt, or is refused again and again", () => {
    const line = (reason: string) => `E1126 "Unable to register node with API server" err="${reason}" node="host"`
    const kubelet = (log: readonly string[]) =>
      seen({
        components: [
          component("kubelet", { argv: ["kubelet", "--kubeconfig=/k"], log, answer: { isWell: true, text: "ok" } }),
        ],
      })
    expect(idsOf(kubelet([line("Unauthorized")]))).toEqual([])
    expect(idsOf(kubelet([line("Unauthorized"), line("Unauthorized")]))).toEqual(["node-not-registered"])
    expect(
      idsOf(kubelet([line("Unauthorized"), line("Unauthorized"), 'I1126 "Successfully registered node" node="host"'])),
    ).toEqual([])
    // kube-apiserver is being restarted.
    const refused = line(
      'Post \\"https://127.0.0.1:6443/api/v1/nodes\\": dial tcp 127.0.0.1:6443: connect: connection refused',
    )
    expect(idsOf(kubelet([refused, refused]))).toEqual([])
    const elsewhere = refused.replaceAll("6443", "7443")
    expect(idsOf(kubelet([elsewhere, elsewhere]))).toEqual(["node-not-registered"])
  })
})
