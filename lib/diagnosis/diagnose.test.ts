import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, test } from "vitest"
import type { ComponentName } from "../components/registry.ts"
import type { Failure } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import { sabotages } from "../proof/sabotage/all.ts"
import { foundIn, RECORDINGS } from "../proof/sabotage/recordings.ts"
import { LONGEST_LINE } from "../clients/log.ts"
import { LOGS } from "./containers.ts"
import { catalogue, diagnose } from "./diagnose.ts"
import type { Observation, ObservedComponent } from "./observation.ts"
import { accessReviews } from "./refusals.ts"
import { recordingOf } from "./record.ts"
import { secretsOf } from "./secrets.ts"
import { matched, symptom } from "./symptom.ts"

const component = (name: ComponentName, given: Partial<ObservedComponent> = {}): ObservedComponent => ({
  name,
  state: "running",
  isMeantToBe: true,
  answer: undefined,
  pid: 7,
  argv: [name],
  log: [],
  logPath: `/somewhere/${name}.txt`,
  ...given,
})
const seen = (given: Partial<Observation> = {}): Observation => ({
  hostname: "host",
  components: [],
  listeners: [],
  connections: [],
  kubeconfigPath: "/home/learner/kubeconfig",
  files: {},
  looks: { "date -u": "Thu Nov 26 03:00:00 UTC 2026" },
  ...given,
})
const first = (observation: Observation) => diagnose(observation)[0]
/** Whether each text of a finding has its words: nothing is missing, nothing is left to fill in. */
const textsOf = ({ cause, remedy, look }: Finding) => [cause, remedy, look]
const GAP = /undefined|\[object|\$\d|\(\)|\s,|: *$|^$/

/** Its list of users has another name, which no program reads. */
const FLAWED = `kind: Config
clusters: [{ name: byhand, cluster: { server: "https://127.0.0.1:6443" } }]
users users: [{ name: kubelet, user: { token: t } }]
contexts: [{ name: byhand, context: { cluster: byhand, user: kubelet } }]
current-context: byhand
`

describe("recordings of broken clusters", () => {
  const names = existsSync(RECORDINGS) ? readdirSync(RECORDINGS).filter((name) => name.endsWith(".json")) : []
  const recordings = names.map((name) => ({
    id: basename(name, ".json"),
    observation: JSON.parse(readFileSync(join(RECORDINGS, name), "utf8")) as Observation, // Written by record.ts.
  }))

  test("each belongs to a sabotage", () => {
    const ids = recordings.map(({ id }) => id)
    expect(ids.filter((id) => sabotages.every((one) => one.id !== id))).toEqual([])
  })

  test.each(recordings)("$id", ({ id, observation }) => {
    const sabotage = sabotages.find((one) => one.id === id)
    if (sabotage === undefined) return
    expect(foundIn(observation, sabotage)).toContain(sabotage.finding)
    for (const finding of diagnose(observation)) {
      expect(finding.evidence, finding.id).not.toBe("")
      for (const text of textsOf(finding)) expect(text, finding.id).not.toMatch(GAP)
    }
  })

  test.each(recordings)("$id: another wording of the outcome leads to the same findings", ({ observation }) => {
    const { failure } = observation
    if (failure?.kind !== "mismatch") return
    const reworded: Failure = { ...failure, outcome: "00 said in completely different words" }
    expect(diagnose({ ...observation, failure: reworded })).toEqual(diagnose(observation))
  })

  test("objects that could not be listed are not taken for missing", () => {
    const wrong = recordings.flatMap(({ id, observation }) => {
      const { api } = observation
      if (api === undefined) return []
      const found = new Set(diagnose(observation).map((finding) => finding.id))
      return diagnose({ ...observation, api: { version: api.version } })
        .filter((finding) => !found.has(finding.id))
        .map((finding) => `${id}: ${finding.id}`)
    })
    expect(wrong).toEqual([])
  })

  test.each(recordings)("$id holds no secret", ({ observation }) => {
    for (const secret of secretsOf(observation)) expect(secret).toMatch(/^(?:secret-number-\d+|some-other-token)$/)
    expect(JSON.stringify(observation)).not.toContain("PRIVATE KEY")
  })
})

test("the last words of a container are not those of an earlier Pod with the same name", () => {
  const recorded = JSON.parse(readFileSync(join(RECORDINGS, "container-crashes.json"), "utf8")) as Observation
  const earlier =
    "\n==> /var/log/pods/default_web_00000000-0000-0000-0000-000000000000/web/0.log <==\n2026-11-26T05:00:00Z stderr F of another Pod\n"
  const found = first({ ...recorded, looks: { ...recorded.looks, [LOGS]: `${recorded.looks[LOGS]}${earlier}` } })
  expect(found?.id).toBe("container-crashes")
  expect(found).toEqual(first(recorded))
})

test("a container whose program could not start has no last words: the container runtime says why", () => {
  const text = readFileSync(join(RECORDINGS, "container-crashes.json"), "utf8")
  const message = '"exitCode":1,"message":"runc create failed: no such program"'
  const recorded = JSON.parse(text.replaceAll(/"exitCode": ?1\b/g, message)) as Observation
  expect(first({ ...recorded, looks: {} })?.cause).toContain("Its last words: runc create failed: no such program")
})

test("a flaw in the kubeconfig of a component that runs is named, although the component says nothing about it", () => {
  const path = "/etc/kubernetes/kubelet.conf"
  const found = first(
    seen({
      components: [component("kubelet", { argv: ["kubelet", `--kubeconfig=${path}`] })],
      files: { [path]: FLAWED },
      failure: {
        kind: "script-runs-on",
        name: "kubelet",
        script: "08-pki.sh",
        waited: 60_000,
        place: { file: "/root/cluster/08-pki.sh", line: 9, command: "kill -0 $!" },
        log: ["error: timed out waiting for the condition on nodes/byhand"],
        logPath: "/var/log/08-pki.sh.log",
      },
    }),
  )
  expect(found).toMatchObject({ id: "kubeconfig-incomplete" })
  expect(found?.cause).toBe(`kubelet uses the kubeconfig ${path}, and its user kubelet is not in the list users`)
})

describe("what a finding says is true of the cluster that is looked at", () => {
  test("the log, the port and the kubeconfig of a learner's cluster", () => {
    const found = first(
      seen({
        components: [component("kube-apiserver", { state: "absent", argv: ["kube-apiserver", "--secure-port=7443"] })],
      }),
    )
    expect(found).toMatchObject({ id: "kube-apiserver-not-running" })
    expect(found?.cause).toContain("7443")
    expect(found?.look).toContain("/somewhere/kube-apiserver.txt")
  })

  test("etcd's own address stands in the remedy for kube-apiserver", () => {
    const found = first(
      seen({
        components: [
          component("etcd", { argv: ["etcd", "--listen-client-urls=http://127.0.0.1:3379"] }),
          component("kube-apiserver", { state: "absent", log: ["--etcd-servers must be specified"] }),
        ],
      }),
    )
    expect(found).toMatchObject({ id: "etcd-address-missing", remedy: "Add --etcd-servers=http://127.0.0.1:3379" })
  })

  test("a kubeconfig is parsed, in YAML and in JSON", () => {
    const failure: Failure = {
      kind: "command-failed",
      argv: ["kubectl"],
      exitCode: 1,
      stdout: "",
      stderr: "error: You must be logged in to the server (Unauthorized)",
    }
    const json = JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "mine", user: "me" } }],
      clusters: [{ name: "mine", cluster: { server: "https://127.0.0.1:6443" } }],
      users: [{ name: "me", user: {} }],
    })
    const components = [component("kube-apiserver", { argv: ["kube-apiserver", "--kubelet-client-certificate=x"] })]
    for (const text of [json, "current-context: c\nclusters: []\nusers:\n- {name: me, user: {}}\n"]) {
      const found = first(seen({ components, failure, files: { "/home/learner/kubeconfig": text } }))
      expect(found).toMatchObject({ id: "kubeconfig-without-token" })
      expect(found?.remedy).toContain("set-credentials me ")
    }
  })

  test("a full disk and replaced programs belong to no component", () => {
    const full = {
      "df -h /var/lib /var/log /tmp": "Filesystem Size Used Avail Use% Mounted on\ntmpfs 16M 16M 0 100% /var/lib",
    }
    expect(first(seen({ looks: full }))).toMatchObject({ id: "disk-full", component: undefined })
    const failure: Failure = {
      kind: "programs-replaced",
      programs: [
        { name: "kubectl", path: "/root/kubectl" },
        { name: "ps", path: undefined },
      ],
    }
    expect(first(seen({ failure }))).toMatchObject({
      id: "witness-replaced",
      component: undefined,
      look: "type -a kubectl ps; findmnt",
    })
  })

  test("a script that ended, and one that goes on, are told by the failure's fields", () => {
    const log = { name: "etcd", log: ["bash: oops"], logPath: "/var/log/byhand/01-etcd.sh.log" } as const
    const ended: Failure = {
      kind: "script-ended",
      script: "01-etcd.sh",
      exit: { code: 3, signal: null },
      wasRunning: false,
      ...log,
    }
    expect(first(seen({ failure: ended }))).toMatchObject({
      id: "script-ended",
      evidence: "bash: oops",
      look: `cat ${log.logPath}`,
    })
    const still: Failure = { kind: "not-started", script: "01-etcd.sh", waited: 2000, ...log }
    expect(first(seen({ failure: still }))).toMatchObject({ id: "script-without-effect" })
  })
})

describe("no text has a gap", () => {
  test("a fact that is empty is named so, and a group that caught nothing is no match", () => {
    const row = symptom({
      id: "x",
      component: undefined,
      sign: (observation) => matched([observation.hostname], /^(\w*)(-\w+)?$/, "name"),
      cause: ({ name }) => `its name is ${name}`,
      remedy: "Name it.",
      look: "hostname",
    })
    expect(row.find(seen({ hostname: "" }))?.cause).toBe("its name is (empty)")
    expect(matched(["a"], /^(\w)(-\w+)?$/, "name", "rest")).toBeUndefined()
  })

  test("a fact that no sign tells, or that may be missing, is a type error", () => {
    const missing: string | undefined = process.env["NO_SUCH_VARIABLE"]
    const rest = { id: "x", component: undefined, remedy: "", look: "" } as const
    // @ts-expect-error -- no fact is called "port"
    symptom({ ...rest, sign: () => ({ evidence: "", address: "" }), cause: ({ port }) => `${port}` })
    // @ts-expect-error -- a fact must be a text
    symptom({ ...rest, sign: () => ({ evidence: "", address: missing }), cause: ({ address }) => `${address}` })
    expect(catalogue.length).toBeGreaterThan(100)
  })
})

test("a recording holds no secret, and equal secrets stay equal", () => {
  const token = "0123456789abcdef"
  const text = recordingOf(
    seen({
      components: [
        component("kube-apiserver", { argv: ["kube-apiserver", "--token-auth-file=/t.csv"], log: [`token ${token}`] }),
      ],
      files: {
        "/t.csv": `${token},admin,admin\n`,
        "/home/learner/kubeconfig": `users:\n- name: admin\n  user: {token: ${token}, client-key-data: AAAABBBBCCCC}\n`,
      },
    }),
  )
  expect(text).not.toContain(token)
  expect(text).not.toContain("AAAABBBBCCCC")
  expect(text.match(/secret-number-1/g)?.length).toBe(3)
})

test("of a line without end, such as a large value, only the beginning is read", () => {
  const [end, long] = ["too many open files", "x".repeat(LONGEST_LINE)]
  expect(matched([`${long.slice(end.length)}${end}`], /(.*too many open files.*)/)).toBeDefined()
  expect(matched([`${long}${end}`], /(.*too many open files.*)/)).toBeUndefined()
})

test("a Pod that found no Node before the Nodes were cordoned is not explained by that", () => {
  const node = (name: string) => ({ metadata: { name }, spec: { unschedulable: true } })
  const told = (message: string) => {
    const api = {
      version: "v1.37.2",
      namespaces: [],
      nodes: [node("byhand"), node("node-2")],
      pods: [{ metadata: { name: "web" }, spec: {} }],
      events: [{ metadata: { name: "one" }, reason: "FailedScheduling", message }],
      deployments: [],
      replicaSets: [],
      services: [],
      leases: [],
    }
    return diagnose(
      seen({
        failure: { kind: "mismatch", outcome: "04 a Pod is bound", expected: "node-2", actual: "" },
        api,
      }),
    ).map(({ id }) => id)
  }
  expect(told("0/2 nodes are available: 2 node(s) were unschedulable.")).toContain("nodes-cordoned")
  expect(
    told("0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable."),
  ).not.toContain("nodes-cordoned")
})

test("a request that kube-apiserver refused, and allows now, explains nothing", () => {
  const refused = seen({
    components: [
      component("kube-controller-manager", {
        log: Array.from(
          { length: 6 },
          () =>
            String.raw`E1126 12:23:17.735583 421 reflector.go:205] "Failed to watch" err="failed to list *v1.Role: roles.rbac.authorization.k8s.io is forbidden: User \"system:kube-controller-manager\" cannot list resource \"roles\" in API group \"rbac.authorization.k8s.io\" at the cluster scope"`,
        ),
      }),
    ],
    failure: { kind: "mismatch", outcome: "09 a Deployment makes Pods", expected: 1, actual: 0 },
  })
  const [review = ""] = accessReviews(refused)
  expect(review).toBe(
    "kubectl --kubeconfig=/home/learner/kubeconfig auth can-i list roles.rbac.authorization.k8s.io --all-namespaces --as=system:kube-controller-manager",
  )
  const found = (answer: string) =>
    diagnose({ ...refused, looks: { ...refused.looks, [review]: answer } }).map(({ id }) => id)
  expect(found("no")).toContain("controller-manager-forbidden")
  expect(found("yes")).not.toContain("controller-manager-forbidden")
})

test("a file that cannot be read is to be corrected, also if no line of it is known", () => {
  const found = first(
    seen({
      components: [
        component("kube-proxy", {
          state: "absent",
          argv: ["kube-proxy", "--config=/proxy.yaml"],
          log: [
            'E1127 07:52:00.1 7 run.go:72] "command failed" err="failed to decode /proxy.yaml: json: cannot unmarshal string"',
          ],
        }),
      ],
      files: { "/proxy.yaml": "kind: A\n" },
    }),
  )
  expect(found).toMatchObject({
    id: "config-unparsable",
    remedy: "Correct /proxy.yaml. In YAML, indentation counts.",
  })
})

test("a bootstrap token that is none by its form is named", () => {
  const refused = (token: string) =>
    first(
      seen({
        components: [
          component("kubelet", {
            argv: ["kubelet", "--bootstrap-kubeconfig=/boot"],
            log: [
              'E1127 07:38:57.2 356 certificate_manager.go:605] "Failed" err="cannot create certificate signing request: Unauthorized" logger="x"',
            ],
          }),
        ],
        files: {
          "/boot": `{ current-context: a, contexts: [{ name: a, context: { cluster: a, user: a } }], clusters: [{ name: a, cluster: { server: "https://a" } }], users: [{ name: a, user: { token: ${token} } }] }`,
        },
        failure: { kind: "mismatch", outcome: "10 a machine joins", expected: 1, actual: 0 },
      }),
    )?.cause
  expect(refused("abcdef.0123456789abcdef")).toMatch(/: Unauthorized$/)
  expect(refused("abcdef.01234567")).toMatch(/Unauthorized; its token does not have the form of a bootstrap token/)
})

test("a machine that forwards no packets explains nothing before the first Pod has an address", () => {
  // The sabotage's own recording, written by record.ts.
  const recorded = JSON.parse(readFileSync(join(RECORDINGS, "ip-forwarding-off.json"), "utf8")) as Observation
  const ids = (observation: Observation) => diagnose(observation).map(({ id }) => id)
  expect(ids(recorded)).toContain("ip-forwarding-off")
  const withoutPods = { ...recorded, api: recorded.api && { ...recorded.api, pods: [] } }
  expect(ids(withoutPods)).not.toContain("ip-forwarding-off")
})
