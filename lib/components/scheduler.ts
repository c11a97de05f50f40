import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import type { Component } from "./component.ts"

export interface SchedulerOptions {
  readonly port: number
  /** Several schedulers stand by for each other through a lease; one alone need not wait for it. */
  readonly leaderElection: boolean
}

/** kube-scheduler as the workshop starts it. https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/ */
export function scheduler({ port, leaderElection }: SchedulerOptions): Component {
  return {
    name: "kube-scheduler",
    binary: "kube-scheduler",
    flags: [
      { flag: "--kubeconfig", value: KUBECONFIG_FILE },
      { flag: "--bind-address", value: "127.0.0.1", why: "every listener stays on loopback" },
      { flag: "--secure-port", value: String(port) },
      { flag: "--tls-cert-file", value: pki.scheduler.certificate, why: "signed by a CA that can be verified, instead of by itself" },
      { flag: "--tls-private-key-file", value: pki.scheduler.key, why: "goes with the certificate" },
      ...(leaderElection
        ? [
            { flag: "--leader-elect-lease-duration", value: "2s", why: "the one standing by takes over after two seconds, not fifteen" },
            { flag: "--leader-elect-renew-deadline", value: "1500ms", why: "must be shorter than the lease" },
            { flag: "--leader-elect-retry-period", value: "200ms", why: "must be shorter than the deadline" },
          ]
        : [{ flag: "--leader-elect", value: "false", why: "one scheduler alone: after a crash it need not wait for its own lease to run out" }]),
    ],
    files: [],
    port,
    ready: { by: "http", port, path: "/readyz", tls: true },
    lesson: 4,
  }
}
