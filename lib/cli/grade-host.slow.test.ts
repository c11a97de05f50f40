import { existsSync, readdirSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { Cluster } from "../clusters/cluster.ts"
import { lessonId, lessons, titlesOf } from "../curriculum/lessons.ts"
import type { Machine } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { byhandIn } from "../proof/testing/byhand.ts"
import { startSshHost, type SshHost } from "../proof/testing/ssh-host.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import type { RunResult } from "../report/result.ts"

const PATIENCE = "120"
const canRun = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")

/** The lessons that are not about more than what the host has: one Node, without TLS to etcd. */
const HERE = ["01", "02", "03", "04", "05", "06"]
/** Everything of the host that a grader could leave behind or change, as a line of a shell. */
const CENSUS = [
  // The programs that begin and end all the time are those of the test itself, and sshd's, whose connections end later.
  "ps -e -o pid=,args= | grep -v -e ' sh -c' -e ' ps -e' -e ' grep -v' -e ' sort$' -e '\\[.*\\]'",
  "ls -A /tmp /root /home/* /run /etc /opt /var/tmp",
  "find /etc /root /home /usr /opt -xdev -newer /run/began",
  "cat /proc/mounts",
  "ss -tlnH | sort",
  "ls /sys/class/net",
  "nft list tables",
  "etcdctl get / --prefix --keys-only | grep -v -e '^$' -e /events/ -e /leases/ -e /masterleases/",
  "kubectl get pods -A -o jsonpath='{.items[*].metadata.uid} {.items[*].status.containerStatuses[*].containerID}'",
].join("\n")

describe.skipIf(!canRun)("a running host", () => {
  let place: Workplace
  let machine: Machine
  let host: SshHost
  let cluster: Cluster

  beforeAll(async () => {
    const { binds, images } = await artifacts()
    place = await workplace()
    machine = (await startSandbox({ name: place.name, binds, settings: place.settings })).machine
    cluster = new Cluster({ machine, images, patience: 120_000 })
    await cluster.up(["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet"])
    host = await startSshHost(machine, place.folder)
    await sh(`until kubectl run hello --image=nginx; do sleep 0.2; done
kubectl create configmap demo --from-literal=k=v
until [ "$(kubectl get pod hello -o jsonpath={.status.phase})" = Running ]; do sleep 0.2; done
touch /run/began; sleep 1`)
    await census() // Our nft unpacks its libraries at its first use.
  })
  afterAll(async () => {
    await host[Symbol.asyncDispose]()
    await machine.close()
    await place[Symbol.asyncDispose]()
  })

  async function sh(line: string): Promise<string> {
    const { stdout, stderr, exitCode } = await machine.run(["sh", "-c", line], { timeout: 120_000 })
    if (exitCode !== 0) throw new Error(`${line}: ${stderr}`)
    return stdout
  }

  const census = async () => (await sh(CENSUS)).split("\n")
  /** Compares the host with an earlier state, as soon as sshd has ended its connections. */
  const isLike = (before: readonly string[]) => expect.poll(census, { timeout: 30_000, interval: 500 }).toEqual(before)

  /** Grades the host as a person does. */
  const grade = (user: string, ...words: string[]) =>
    byhandIn(place, ["grade", host.target(user), ...words], PATIENCE, process.cwd(), host.environment)

  const verdicts = ({ lessons: graded }: RunResult) =>
    Object.fromEntries(
      graded.flatMap(({ id, tests }) =>
        tests.map(({ title, verdict, reason }) => [`${id} ${title}`, reason ?? verdict]),
      ),
    )

  test.each([
    ["root", HERE],
    ["student", ["02", "05"]],
  ])("is graded by looking at it, as %s, and stays as it was", async (user, numbers) => {
    const before = await census()
    const { stdout, stderr } = await grade(user, ...numbers, "--json")
    const result = JSON.parse(stdout) as RunResult // The program under test has printed it.
    const expected = lessons
      .filter((lesson) => numbers.includes(lessonId(lesson)))
      .flatMap((lesson) =>
        titlesOf(lesson).map((title) => {
          const permits = lesson.outcomes[title]?.permits ?? "observe"
          const verdict = permits === "observe" ? "passed" : `cannot check here: needs --allow ${permits}`
          return [`${lessonId(lesson)} ${title}`, verdict]
        }),
      )
    expect({ stderr, ...verdicts(result) }).toEqual({ stderr, ...Object.fromEntries(expected) })
    expect(result).toMatchObject({ subject: host.target(user), kubernetes: "1.37.2" })
    await isLike(before)
    expect(readdirSync(place.settings.runsDir).filter((name) => name.startsWith("host-"))).toEqual([])
  })

  test("stays as it was if the grader is killed", async () => {
    const before = await census()
    for (const seconds of [1, 4, 7]) {
      const grading = grade("student")
      await new Promise((later) => setTimeout(later, seconds * 1_000))
      grading.kill("SIGKILL")
      await grading
    }
    await isLike(before)
  })

  test("a component that does not run fails its lesson, and the card says what to type there", async () => {
    await cluster.part("kube-scheduler").stop()
    const { stdout, exitCode } = await grade("root", "04", "05")
    expect(stdout).toContain("× 04 by its sockets, it is connected to kube-apiserver only")
    expect(stdout).toContain("observed   kube-scheduler is not running")
    expect(stdout).not.toContain("byhand shell")
    expect(exitCode).toBe(1)
    await cluster.part("kube-scheduler").start()
  })

  test("a user who may not look at other users' processes is told what to do", async () => {
    const { stdout, exitCode } = await grade("guest", "01")
    expect(stdout).toMatch(/This user may not look at [\w, -]*kube-apiserver[\w, -]*, which other users have started/)
    expect(exitCode).toBe(1)
  })
})
