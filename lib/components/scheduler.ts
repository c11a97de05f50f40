import { configVersions, removedFlags } from "./removed/kube-scheduler.ts"
import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import { reachable, type Address } from "./settings/address.ts"
import { Document } from "../base/document.ts"
import type { Files } from "./settings/files.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

const PORT = 10259

export interface SchedulerSettings extends Settings {
  readonly address: Address
  /** The certificate that it presents to its clients; undefined if it creates a certificate in memory. */
  readonly certificate: string | undefined
  readonly electsLeader: boolean
}

/**
 * kube-scheduler as the workshop starts it.
 * https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/
 */
export const scheduler: ComponentSpec<"kube-scheduler", SchedulerSettings> = {
  name: "kube-scheduler",
  program: "kube-scheduler",
  scriptWord: "sched",
  after: ["kube-apiserver"],
  requires: [],
  tools: ["kube-scheduler"],
  removedFlag: (flag) => removedFlags[flag],
  configVersions,
  absence: "new Pods stay Pending",
  skew: { behind: 1, ahead: 0, supported: "a scheduler one minor version older, none newer" },
  settings,
  probe: ({ address, certificate }) => ({
    by: "http",
    ...address,
    path: "/readyz",
    tls: { trust: certificate === undefined ? [] : [certificate] },
  }),
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
        why: "a certificate that a CA has signed, so that clients can verify it; the default is self-signed",
      },
      { flag: "--tls-private-key-file", value: pki.scheduler.key, why: "goes with the certificate" },
      {
        flag: "--leader-elect",
        value: "false",
        why: "this is the only scheduler: after a crash it must not wait until its own lease expires",
      },
    ],
    files: [],
  }),
}

/**
 * With a configuration file, kube-scheduler ignores --kubeconfig, but --leader-elect still has priority over the file.
 */
function settings(started: Started, files: Files): SchedulerSettings {
  const path = absolute(started, flagOf(started, "--config"))
  const config = path === undefined ? undefined : Document.yaml(files.text(path))
  const folder = absolute(started, flagOf(started, "--cert-dir"))
  const elects = flagOf(started, "--leader-elect")
  return {
    address: {
      host: reachable(flagOf(started, "--bind-address")),
      port: Number(flagOf(started, "--secure-port") ?? PORT),
    },
    kubeconfig: absolute(
      started,
      config === undefined ? flagOf(started, "--kubeconfig") : config.text("clientConnection", "kubeconfig"),
    ),
    certificate:
      absolute(started, flagOf(started, "--tls-cert-file")) ??
      (folder === undefined ? undefined : `${folder}/kube-scheduler.crt`),
    electsLeader:
      elects === undefined ? config?.boolean("leaderElection", "leaderElect") !== false : elects !== "false",
  }
}
