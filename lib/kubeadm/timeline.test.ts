import { expect, test } from "vitest"
import { outOfOrder, phasesIn } from "./timeline.ts"

test("the phases are read from the help of kubeadm, without their parts", () => {
  const help =
    'The "init" command executes the following phases:\n```\npreflight    Run pre-flight checks\ncerts     Certificate generation\n  /ca       Generate the CA\nkubelet-start   Start\n```\nUsage: …\n'
  expect(phasesIn(help)).toEqual(["preflight", "certs", "kubelet-start"])
})

test("a trace that is older than the one before it is named", () => {
  const moments = [
    { phase: "certs", left: "ca.crt", at: 5 },
    { phase: "kubeconfig", left: "admin.conf", at: 4 },
    { phase: "etcd", left: "etcd.yaml", at: 4 },
  ]
  expect(outOfOrder(moments)).toEqual(["kubeconfig (admin.conf) was before certs (ca.crt)"])
})
