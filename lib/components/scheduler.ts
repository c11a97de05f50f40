import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import type { ComponentSpec } from "./spec.ts"

const PORT = 10259

/** kube-scheduler as the workshop starts it. https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/ */
export const scheduler: ComponentSpec<"kube-scheduler"> = {
  name: "kube-scheduler",
  program: "kube-scheduler",
  scriptWord: "sched",
  after: ["kube-apiserver"],
  requires: [],
  tools: ["kube-scheduler"],
  absence: "new Pods stay Pending",
  skew: { behind: 1, ahead: 0, supported: "a scheduler one minor version older, none newer" },
  describe: () => ({
    name: "kube-scheduler",
    binary: "kube-scheduler",
    flags: [
      { flag: "--kubeconfig", value: KUBECONFIG_FILE },
      { flag: "--bind-address", value: "127.0.0.1", why: "every listener stays on loopback" },
      { flag: "--secure-port", value: String(PORT) },
      {
        flag: "--tls-cert-file",
        value: pki.scheduler.certificate,
        why: "signed by a CA that can be verified, instead of by itself",
      },
      { flag: "--tls-private-key-file", value: pki.scheduler.key, why: "goes with the certificate" },
      {
        flag: "--leader-elect",
        value: "false",
        why: "one scheduler alone: after a crash it need not wait for its own lease to run out",
      },
    ],
    files: [],
    port: PORT,
    ready: { by: "http", port: PORT, path: "/readyz", tls: true },
  }),
}
