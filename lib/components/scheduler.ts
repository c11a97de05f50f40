import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import type { Component } from "./component.ts"

export interface SchedulerOptions {
  readonly port: number
}

/** kube-scheduler as the workshop starts it. https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/ */
export function scheduler({ port }: SchedulerOptions): Component {
  return {
    name: "kube-scheduler",
    binary: "kube-scheduler",
    flags: [
      { flag: "--kubeconfig", value: KUBECONFIG_FILE },
      { flag: "--bind-address", value: "127.0.0.1", why: "every listener stays on loopback" },
      { flag: "--secure-port", value: String(port) },
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
    port,
    ready: { by: "http", port, path: "/readyz", tls: true },
    lesson: 4,
  }
}
