import type { Observation } from "../observation.ts"
import { portOf } from "../../clients/sockets.ts"
import { addressOf, dataDirOf, etcdSettingsOf, etcdUrlOf, listens, logPathOf } from "../facts.ts"
import { etcdAddressOf, freshAfterLoss, frozen, portTaken, refusedFlags, vanished } from "../signs.ts"
import {
  componentOf,
  flagOf,
  isUnwell,
  logged,
  matched,
  mismatchOf,
  said,
  symptom,
  AT_ONCE,
  SOON,
  UNLESS_RESTARTED,
  type Symptom,
} from "../symptom.ts"

const ARGS = "ps -o args= -C etcd"

/** Problems of etcd, the most specific first. */
export const etcd: readonly Symptom[] = [
  frozen("etcd"),
  ...refusedFlags("etcd", /flag provided but not defined: -([\w-]+)/),
  symptom({
    id: "invalid-value",
    component: "etcd",
    sign: (seen) =>
      logged(
        "etcd",
        /invalid value "([^"]*)" for flag -([\w-]+): (?:parse "[^"]*": )?(.*)/,
        "value",
        "flag",
        "reason",
      )(seen),
    cause: ({ flag, value, reason }) => `etcd does not accept --${flag}=${value}: ${reason}`,
    remedy: ({ flag }) =>
      `Correct --${flag}. ${flag.endsWith("-urls") ? "An address of etcd begins with its scheme, as in http://127.0.0.1:2379." : `etcd --help shows what its value must be.`}`,
    look: "etcd --help",
  }),
  symptom({
    id: "initial-cluster-state",
    component: "etcd",
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      const state = flagOf(one, "--initial-cluster-state") ?? one?.env?.["ETCD_INITIAL_CLUSTER_STATE"]
      const shown = logged("etcd", /cannot fetch cluster info from peer urls/)(seen)
      // A member that joins others is right to ask them.
      const isAlone = !(flagOf(one, "--initial-cluster") ?? "").includes(",")
      return shown === undefined || !isAlone || state !== "existing"
        ? undefined
        : { evidence: `--initial-cluster-state=existing; ${reasonIn(shown.evidence)}` }
    },
    cause:
      "--initial-cluster-state=existing makes etcd ask the other members of an existing cluster for its data, and none answers: this member is the first of a new cluster",
    remedy: (_, seen) =>
      `Leave --initial-cluster-state=existing out (the default is new). It is for a member that joins a running cluster, with an empty ${dataDirOf(seen)}.`,
    look: ARGS,
  }),
  symptom({
    id: "tls-without-certificate",
    component: "etcd",
    sign: (seen) => {
      const shown = logged(
        "etcd",
        /TLS key\/cert \((--[\w-]+), (--[\w-]+)\) must be provided for (client|peer) url (\S+) with HTTPS/,
        "certificate",
        "key",
        "who",
        "url",
      )(seen)
      return shown && { ...shown, evidence: reasonIn(shown.evidence), plain: shown.url.replace("https:", "http:") }
    },
    cause: ({ url, certificate, key }) =>
      `etcd must serve ${url} with TLS (https), and has neither ${certificate} nor ${key}`,
    remedy: ({ certificate, key, plain, who }) =>
      `Name a certificate and its key (${certificate}, ${key}), or serve without TLS: ${plain} in --listen-${who}-urls and ${who === "client" ? "--advertise-client-urls" : "--initial-advertise-peer-urls"}.`,
    look: ARGS,
  }),
  symptom({
    id: "etcd-serves-without-tls",
    component: "etcd",
    lasting: AT_ONCE,
    sign: (seen) => {
      const { clientUrls, advertisedClientUrls, certificate } = etcdSettingsOf(seen)
      const [listening = ""] = clientUrls
      const advertised = advertisedClientUrls.find((url) => url.startsWith("https:"))
      const isPlain = clientUrls.every((url) => !url.startsWith("https:"))
      return componentOf(seen, "etcd")?.state !== "running" || !isPlain || advertised === undefined
        ? undefined
        : {
            evidence: `--advertise-client-urls: ${advertised}; --listen-client-urls: ${listening}; --cert-file: ${certificate ?? "none"}`,
            listening,
            advertised,
          }
    },
    cause: ({ listening, advertised }) =>
      `etcd tells its clients to use ${advertised}, and it listens without TLS on ${listening}`,
    remedy: ({ advertised }) => `Start it with --listen-client-urls=${advertised}`,
    look: ARGS,
  }),
  symptom({
    id: "advertised-address-missing",
    component: "etcd",
    sign: (seen) => logged("etcd", /--advertise-client-urls is required when --listen-client-urls is set/)(seen),
    cause:
      "--listen-client-urls is set and --advertise-client-urls is not: etcd does not know which address to give its clients",
    remedy: (_, seen) => `Add --advertise-client-urls=${etcdUrlOf(seen)}`,
    look: ARGS,
  }),
  symptom({
    id: "invalid-value",
    component: "etcd",
    sign: (seen) => logged("etcd", /"failed to verify flags","error":"((?:[^"\\]|\\.)*)"/, "reason")(seen),
    cause: ({ reason }) => `etcd does not accept its flags: ${reason}`,
    remedy: "Correct that flag. An address of etcd begins with its scheme, as in http://127.0.0.1:2379.",
    look: ARGS,
  }),
  portTaken("etcd", /listen tcp (\S+): bind: address already in use/, "give etcd another address"),
  symptom({
    id: "no-such-address",
    component: "etcd",
    sign: (seen) => logged("etcd", /listen tcp (\S+): bind: cannot assign requested address/, "address")(seen),
    cause: ({ address }) => `etcd must listen on ${address}, and this machine does not have that address`,
    remedy: "Use an address that the machine has, such as 127.0.0.1, in --listen-client-urls and --listen-peer-urls.",
    look: "ip address",
  }),
  symptom({
    id: "disk-full",
    component: "etcd",
    lasting: AT_ONCE,
    sign: (seen) => {
      const shown = logged("etcd", /no space left on device/)(seen)
      return shown === undefined ? undefined : { ...shown, path: dataDirOf(seen) }
    },
    cause: ({ path }) => `the disk is full where etcd keeps its data (${path})`,
    remedy: "Free space there, or give etcd a --data-dir on another disk.",
    look: ({ path }) => `df -h ${path}`,
  }),
  symptom({
    id: "disk-full",
    component: "etcd",
    sign: (seen) => {
      const { failure } = seen
      const shown = said(/no space left on device/)(seen)
      if (failure?.kind !== "command-failed" || shown === undefined) return undefined
      const [tool, noun, verb, path] = failure.argv
      return tool === "etcdctl" && noun === "snapshot" && verb === "save" && path !== undefined
        ? { ...shown, path }
        : undefined
    },
    cause: ({ path }) => `the disk is full where the snapshot should be saved (${path})`,
    remedy: "Free space there, or save the snapshot to another disk.",
    look: ({ path }) => `df -h $(dirname ${path})`,
  }),
  symptom({
    id: "data-folder-not-writable",
    component: "etcd",
    sign: (seen) =>
      logged(
        "etcd",
        /failed to list data directory","dir":"([^"]+)","error":"(?:readdirent \S+ )?([^"]+)"/,
        "path",
        "reason",
      )(seen),
    cause: ({ path, reason }) => `etcd cannot use its data folder ${path}: ${reason}`,
    remedy: "Name a folder that etcd may write to in --data-dir.",
    look: ({ path }) => `ls -ld ${path}`,
  }),
  symptom({
    id: "data-folder-not-writable",
    component: "etcd",
    sign: (seen) =>
      logged(
        "etcd",
        /cannot access data directory: (?:\w+ )?(\/[^":]*?)(?:\/\.touch)?: ([^"]+)"/,
        "path",
        "reason",
      )(seen),
    cause: ({ path, reason }) => `etcd cannot write to its data folder ${path}: ${reason}`,
    remedy: "Name a folder that etcd may write to in --data-dir.",
    look: ({ path }) => `ls -ld ${path}; findmnt --target ${path}`,
  }),
  symptom({
    id: "peer-address-mismatch",
    component: "etcd",
    sign: (seen) =>
      logged(
        "etcd",
        /--initial-cluster has (\S+) but missing from --initial-advertise-peer-urls=(\S+)/,
        "listed",
        "advertised",
      )(seen),
    cause: ({ listed, advertised }) =>
      `etcd advertises ${advertised} to its peers, and --initial-cluster lists ${listed} for it: the two must be the same`,
    remedy: "Use one address in --initial-advertise-peer-urls and in --initial-cluster=NAME=ADDRESS.",
    look: ARGS,
  }),
  symptom({
    id: "member-name-mismatch",
    component: "etcd",
    sign: (seen) => logged("etcd", /couldn't find local name \\"([^"\\]+)\\" in the initial cluster/, "name")(seen),
    cause: ({ name }) => `etcd's name is ${name}, and --initial-cluster does not list that name`,
    remedy: "Use one name in --name and in --initial-cluster=NAME=ADDRESS.",
    look: ARGS,
  }),
  symptom({
    id: "peer-of-another-cluster",
    component: "etcd",
    lasting: AT_ONCE,
    sign: (seen) =>
      logged(
        "etcd",
        /"msg":"request cluster ID mismatch".*?"local-member-cluster-id":"(\w+)".*?"remote-peer-cluster-id":"(\w+)"/,
        "own",
        "other",
      )(seen),
    cause: ({ own, other }) =>
      `etcd is a member of cluster ${own}, and its peer is a member of cluster ${other}: one of them was started with the data folder or the --initial-cluster-token of another cluster`,
    remedy:
      "Give all members the same --initial-cluster and --initial-cluster-token, and start the wrong member with an empty --data-dir.",
    look: (_, seen) => `${ARGS}; grep 'ID mismatch' ${logPathOf(seen, "etcd")} | tail -n 2`,
  }),
  symptom({
    id: "out-of-quorum",
    component: "etcd",
    lasting: (seen) => (isWithoutPeers(seen) ? SOON : undefined),
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      if (one === undefined || !isUnwell(one) || one.state !== "running") return undefined
      // Behind a link that the lesson has changed, a member asks for votes too.
      if (seen.changedLinks !== undefined) return undefined
      // What came before the last election is over.
      const elected = one.log.findLastIndex((line) => /elected leader \w+ at term/.test(line))
      return matched(one.log.slice(elected + 1).toReversed(), /sent MsgPreVote request to (\w+) at term/, "member")
    },
    cause: ({ member }) =>
      `etcd has no leader: it asks member ${member} for a vote, and no majority of the members answers`,
    remedy:
      "Start the other members, and look at the network to them. Or make a cluster of this member alone: restore a snapshot, or start it with --force-new-cluster.",
    look: (_, seen) => `tail ${logPathOf(seen, "etcd")}`,
  }),
  symptom({
    id: "no-space",
    component: "etcd",
    lasting: AT_ONCE,
    sign: (seen) => {
      // The outcome itself has raised the alarm.
      if (seen.changedFlags?.includes("--quota-backend-bytes") === true) return undefined
      const one = componentOf(seen, "etcd")
      const alarm = matched([one?.answer?.text ?? ""], /NOSPACE/) ?? said(/database space exceeded/)(seen)
      return alarm && { ...alarm, quota: flagOf(one, "--quota-backend-bytes") ?? "not set, 2 GiB by default" }
    },
    cause: ({ quota }) =>
      `etcd has used up its quota (--quota-backend-bytes: ${quota}) and raised the alarm NOSPACE: it answers reads and refuses writes`,
    remedy:
      "etcdctl compact REVISION; etcdctl defrag; etcdctl alarm disarm. Or start etcd with a larger quota, and then disarm the alarm.",
    look: "etcdctl endpoint status -w table; etcdctl alarm list",
  }),
  symptom({
    id: "etcd-listens-elsewhere",
    component: "etcd",
    // At its own address etcd is well, so only the address is wrong.
    lasting: (seen) => (componentOf(seen, "etcd")?.answer?.isWell === true ? AT_ONCE : undefined),
    sign: (seen) => {
      const { failure } = seen
      const wanted = etcdUrlOf(seen)
      return failure?.kind === "not-ready" &&
        failure.name === "etcd" &&
        !listens(seen, "127.0.0.1:2379") &&
        listens(seen, addressOf(wanted))
        ? { evidence: `etcd listens for clients on ${wanted}`, address: addressOf(wanted) }
        : undefined
    },
    cause: ({ address }) => `etcd listens on ${address}, and its clients look for it on 127.0.0.1:2379`,
    remedy: "--listen-client-urls=http://127.0.0.1:2379",
    look: "ss -tlnp",
  }),
  symptom({
    id: "etcd-advertises-elsewhere",
    component: "etcd",
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      const told = flagOf(one, "--advertise-client-urls")
      if (one?.state !== "running" || told === undefined) return undefined
      // A host name or an address may be right from elsewhere. A port on which no process listens is wrong from
      // everywhere.
      const isServed = seen.listeners.some(({ local }) => portOf(local) === portOf(addressOf(told)))
      return isServed
        ? undefined
        : { evidence: `--advertise-client-urls=${told}`, told: addressOf(told), actual: etcdUrlOf(seen) }
    },
    cause: ({ told, actual }) =>
      `etcd tells its clients to use ${told}, where no process listens; it listens on ${actual}`,
    remedy: ({ actual }) => `--advertise-client-urls=${actual}`,
    look: "etcdctl member list; ss -tlnp",
  }),
  symptom({
    id: "data-folder-of-another-cluster",
    component: "etcd",
    sign: (seen) => {
      const apiserver = componentOf(seen, "kube-apiserver")
      const actual = mismatchOf(seen)?.actual
      if (apiserver?.state !== "absent" || apiserver.isMeantToBe || apiserver.log.join("") !== "") return undefined
      return typeof actual === "string" ? matched(actual.split("\n"), /(\/registry\/\S*)/, "key") : undefined
    },
    cause: ({ key }) =>
      `etcd holds ${key}, and no kube-apiserver has run here: its data folder is that of another cluster`,
    remedy: (_, seen) => `Stop etcd, and name an empty folder in --data-dir in place of ${dataDirOf(seen)}.`,
    look: "etcdctl get /registry --prefix --keys-only | head",
  }),
  symptom({
    id: "started-empty",
    component: "etcd",
    sign: freshAfterLoss,
    cause: ({ dataDir }) =>
      `etcd found no data in ${dataDir} at its last start and began with an empty store: its earlier data is gone`,
    remedy: "Name the folder that holds the data in --data-dir, or restore a backup: etcdutl snapshot restore.",
    look: ({ dataDir }) => `ls -lR ${dataDir}; ps -o args= -C etcd`,
  }),
  symptom({
    id: "snapshot-missing",
    component: "etcd",
    sign: (seen) =>
      restoring(seen) === undefined
        ? undefined
        : said(
            /(\/\S+\.db): no such file or directory|open (\/\S+\.db)|lstat (\/\S+\.db)/,
            "path",
            "path",
            "path",
          )(seen),
    cause: ({ path }) => `the backup ${path} does not exist`,
    remedy:
      "Without a backup, the data of etcd is lost. Keep backups in a folder that no other program cleans: etcdctl snapshot save FILE",
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "snapshot-damaged",
    component: "etcd",
    sign: (seen) => {
      const path = restoring(seen)
      const shown = said(
        /(expected sha256 .*|snapshot file integrity check.*|snapshot missing hash.*|.*invalid database.*|unexpected EOF.*|file size too small.*)/,
        "reason",
      )(seen)
      return path === undefined ? undefined : shown && { ...shown, path }
    },
    cause: ({ path, reason }) => `${path} is not a complete snapshot (${reason})`,
    remedy: "Make another one, and check it: etcdutl snapshot status FILE",
    look: ({ path }) => `etcdutl snapshot status ${path}`,
  }),
  symptom({
    id: "etcd-not-running",
    component: "etcd",
    lasting: UNLESS_RESTARTED,
    sign: (seen) => {
      const evidence = vanished(seen, "etcd")
      return evidence === undefined ? undefined : { evidence, address: etcdAddressOf(seen) }
    },
    cause: ({ address }) => `etcd does not run: no process listens on ${address}`,
    remedy: "Start it again. Its log says how it ended.",
    look: (_, seen) => `tail ${logPathOf(seen, "etcd")}; ss -tlnp`,
  }),
]

/** The snapshot that a failed command uses; undefined if the failure is another one. */
function restoring({ failure }: Observation): string | undefined {
  const argv = failure?.kind === "command-failed" ? failure.argv : []
  return argv.includes("snapshot") ? argv.find((word) => word.endsWith(".db")) : undefined
}

/** Whether etcd cannot reach a member because no process listens at that member's address on this machine. */
function isWithoutPeers(seen: Observation): boolean {
  const refused = (componentOf(seen, "etcd")?.log ?? []).flatMap(
    (line) => /dial tcp (\S+?:\d+): connect: connection refused/.exec(line)?.[1] ?? [],
  )
  return refused.some((address) => !seen.listeners.some(({ local }) => portOf(local) === portOf(address)))
}

/** The error of a line of etcd's log, without its stack trace. */
function reasonIn(line: string): string {
  return /"error":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line
}
