import {
  compared,
  eventually,
  expect,
  judgedSheet,
  kubeadm,
  type Kit,
  lesson,
  notRight,
  outOfOrder,
  PHASES,
  phasesIn,
  timelineOf,
  type Topic,
} from "../lib/lesson.ts"

const WRONG = `sha256:${"0".repeat(64)}`

/** Seconds in which kubeadm looks for a cluster that it does not trust. */
const SHORT = 3

/** Expects that nothing of kubeadm's is new to those who did it by hand. */
async function recognizes(kit: Kit, topic: Topic): Promise<void> {
  const { rows, unexplained } = await compared(kit, topic)
  expect(rows.filter((row) => row.kubeadm !== undefined)).not.toEqual([])
  expect(unexplained).toEqual([])
}

lesson(kubeadm, ({ test }) => {
  test("kubeadm init makes a cluster: its Node is Ready, kube-proxy and CoreDNS run", async (kit) => {
    const { kubectl, printed } = await kit.kubeadm()
    expect(printed).toContain("Your Kubernetes control-plane has initialized successfully!")
    await eventually(() => kubectl("get", "nodes")).toMatch(/^kubeadm-1 +Ready +control-plane /m)
    const ready = (what: string, field: string) =>
      kubectl("get", what, "-n", "kube-system", `-o=jsonpath={.status.${field}}`)
    await eventually(() => ready("daemonset/kube-proxy", "numberReady")).toBe("1")
    await eventually(() => ready("deployment/coredns", "readyReplicas")).toBe("2")
  })

  test("its phases are those of the table, and leave their traces in this order", async (kit) => {
    const cluster = await kit.kubeadm()
    const { stdout } = await cluster.machine.run(["kubeadm", "init", "--help"])
    expect(phasesIn(stdout)).toEqual(PHASES.map(({ name }) => name))
    const moments = await timelineOf(cluster)
    for (const { phase, left } of moments) kit.evidence(`${phase}: ${left}`)
    expect(outOfOrder(moments)).toEqual([])
  })

  test("a second machine joins with a token and the hash of the CA; with another hash, it does not", async (kit) => {
    const cluster = await kit.kubeadm()
    const invitation = await cluster.invitation()
    const refused = await cluster.join({ ...invitation, caHash: WRONG }, SHORT)
    expect(refused.output).toMatch(/none of the public keys .* are pinned/)
    expect(refused.exitCode).not.toBe(0)
    expect(await cluster.kubectl("get", "nodes")).not.toContain("kubeadm-2")

    const { exitCode, output } = await cluster.join(invitation)
    expect(output).toContain("This node has joined the cluster")
    expect(exitCode).toBe(0)
    await eventually(() => cluster.kubectl("get", "nodes")).toMatch(/^kubeadm-2 +Ready /m)
  })

  test("each certificate of kubeadm is one of yours, or differs for a known reason", async (kit) => {
    await recognizes(kit, "certificate")
  })

  test("each kubeconfig of kubeadm is one of yours, or differs for a known reason", async (kit) => {
    await recognizes(kit, "kubeconfig")
  })

  test("each flag of kubeadm's components is one of yours, or differs for a known reason", async (kit) => {
    await recognizes(kit, "flag")
  })

  test("each field of the kubelet's configuration is one of yours, or differs for a known reason", async (kit) => {
    await recognizes(kit, "kubelet field")
  })

  test("each file that kubeadm writes is one of yours, or is there for a known reason", async (kit) => {
    await recognizes(kit, "file")
  })

  test("each addon and each grant of kubeadm is one of yours, or is there for a known reason", async (kit) => {
    await recognizes(kit, "object")
  })

  test("your table names the script that does what each phase does", async (kit) => {
    expect(notRight(await judgedSheet(kit))).toEqual([])
  })
})
