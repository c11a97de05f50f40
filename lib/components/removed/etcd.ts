import { each, type Removed, type RemovedByName } from "./removed.ts"

const gate = (name: string): Removed => ({
  since: "etcd 3.7",
  instead: `It is a feature gate now: --feature-gates=${name}=true.`,
})
const proxy: Removed = { since: "etcd 3.6", instead: "Start etcd grpc-proxy, or etcd gateway, instead." }
const discovery: Removed = {
  since: "etcd 3.6",
  instead: "Name the members in --initial-cluster, or use --discovery-endpoints and --discovery-token.",
}

/** Flags of etcd that it no longer has. */
export const removedFlags: RemovedByName = {
  "--enable-v2": { since: "etcd 3.6", instead: "Leave it out: there is no v2 API any more." },
  "--experimental-enable-v2v3": { since: "etcd 3.6", instead: "Leave it out: there is no v2 API any more." },
  ...each(
    [
      "--proxy",
      "--proxy-failure-wait",
      "--proxy-refresh-interval",
      "--proxy-dial-timeout",
      "--proxy-write-timeout",
      "--proxy-read-timeout",
    ],
    proxy,
  ),
  ...each(["--discovery", "--discovery-fallback", "--discovery-proxy"], discovery),
  ...each(["--debug", "--log-package-levels"], { since: "etcd 3.5", instead: "Use --log-level=debug." }),
  ...each(["--log-output"], { since: "etcd 3.5", instead: "Use --log-outputs." }),
  ...each(["--peer-ca-file"], { since: "etcd 3.4", instead: "Use --peer-trusted-ca-file." }),
  ...each(["--ca-file"], { since: "etcd 3.4", instead: "Use --trusted-ca-file." }),
  ...each(["--addr", "--bind-addr"], {
    since: "etcd 3.0",
    instead: "Use --listen-client-urls and --advertise-client-urls.",
  }),
  ...each(["--peer-addr", "--peer-bind-addr"], {
    since: "etcd 3.0",
    instead: "Use --listen-peer-urls and --initial-advertise-peer-urls.",
  }),
  "--experimental-initial-corrupt-check": gate("InitialCorruptCheck"),
  "--experimental-compact-hash-check-enabled": gate("CompactHashCheck"),
  "--experimental-stop-grpc-service-on-defrag": gate("StopGRPCServiceOnDefrag"),
  "--experimental-txn-mode-write-with-shared-buffer": gate("TxnModeWriteWithSharedBuffer"),
  "--experimental-enable-lease-checkpoint": gate("LeaseCheckpoint"),
  "--experimental-enable-lease-checkpoint-persist": gate("LeaseCheckpointPersist"),
}

/** When any other --experimental- flag went: etcd 3.6 gave each a name without that word. */
export function experimental(flag: string): Removed | undefined {
  return flag.startsWith("--experimental-")
    ? {
        since: "etcd 3.7",
        instead: `Use ${flag.replace("experimental-", "")}, or a feature gate of that name (--feature-gates).`,
      }
    : undefined
}
