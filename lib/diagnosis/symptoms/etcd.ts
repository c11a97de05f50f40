import { addressOf, freshAfterLoss, frozen, holderOf, listens, unknownFlag, goneFlag } from "../signs.ts"
import { componentOf, flagOf, isUnwell, logged, matched, said, type Symptom } from "../symptom.ts"

const UNKNOWN = /flag provided but not defined: -([\w-]+)/

/** What etcd lives through, most specific first. */
export const etcd: readonly Symptom[] = [
  {
    id: "frozen",
    component: "etcd",
    sign: frozen("etcd"),
    cause: "etcd has been stopped (SIGSTOP): its process $1 is there, holds its port and does nothing",
    remedy: "Let it go on: kill -CONT $1",
    look: "ps -o pid,stat,args -C etcd",
  },
  {
    id: "removed-flag",
    component: "etcd",
    sign: goneFlag("etcd", UNKNOWN),
    cause: "etcd no longer has the flag $1: it went in $2",
    remedy: "$3",
    look: "etcd --help",
  },
  {
    id: "unknown-flag",
    component: "etcd",
    sign: unknownFlag("etcd", UNKNOWN),
    cause: "etcd does not know the flag $1",
    remedy: "The nearest that it knows is $2.",
    look: "etcd --help",
  },
  {
    id: "invalid-value",
    component: "etcd",
    sign: logged("etcd", /invalid value "([^"]*)" for flag -([\w-]+): (?:parse "[^"]*": )?(.*)/),
    cause: "--$2=$1 is not a value that etcd takes: $3",
    remedy: "An address of etcd's is written with its scheme: http://127.0.0.1:2379.",
    look: "etcd --help",
  },
  {
    id: "port-taken",
    component: "etcd",
    sign: holderOf("etcd", /listen tcp (\S+): bind: address already in use/),
    cause: "another process holds $1: $2, pid $3",
    remedy: "Stop that one (kill $3), or give etcd another address.",
    look: "ss -tlnp",
  },
  {
    id: "no-such-address",
    component: "etcd",
    sign: logged("etcd", /listen tcp (\S+): bind: cannot assign requested address/),
    cause: "this machine has no address such as etcd is to listen on, $1",
    remedy: "Listen on an address that it has, such as 127.0.0.1: --listen-client-urls, --listen-peer-urls.",
    look: "ip address",
  },
  {
    id: "disk-full",
    component: "etcd",
    sign: (seen) => {
      const shown = logged("etcd", /no space left on device/)(seen)
      return shown === undefined
        ? undefined
        : { ...shown, names: [flagOf(componentOf(seen, "etcd"), "--data-dir") ?? "default.etcd"] }
    },
    cause: "the disk is full where etcd keeps its data, in $1",
    remedy: "Make room there, or give etcd a --data-dir on another disk.",
    look: "df -h $1",
  },
  {
    id: "disk-full",
    component: "etcd",
    sign: (seen) => {
      const path = /etcdctl snapshot save (\S+)/.exec(seen.complaint)?.[1]
      const shown = said(/no space left on device/)(seen)
      return path === undefined || shown === undefined ? undefined : { ...shown, names: [path] }
    },
    cause: "the disk is full where the snapshot $1 was to lie",
    remedy: "Make room there, or save it elsewhere.",
    look: "df -h $(dirname $1)",
  },
  {
    id: "data-folder-not-writable",
    component: "etcd",
    sign: logged("etcd", /failed to list data directory","dir":"([^"]+)","error":"(?:readdirent \S+ )?([^"]+)"/),
    cause: "its data folder $1 cannot be used: $2",
    remedy: "Give etcd a folder of its own that it may write to: --data-dir.",
    look: "ls -ld $1",
  },
  {
    id: "data-folder-not-writable",
    component: "etcd",
    sign: logged("etcd", /cannot access data directory: (?:\w+ )?(\/[^":]*?)(?:\/\.touch)?: ([^"]+)"/),
    cause: "its data folder $1 cannot be written: $2",
    remedy: "Give etcd a folder of its own that it may write to: --data-dir.",
    look: "ls -ld $1; findmnt --target $1",
  },
  {
    id: "peer-address-mismatch",
    component: "etcd",
    sign: logged("etcd", /--initial-cluster has (\S+) but missing from --initial-advertise-peer-urls=(\S+)/),
    cause: "etcd is told that its peers find it at $2, and --initial-cluster says $1",
    remedy: "Give both the same address: --initial-advertise-peer-urls and --initial-cluster=NAME=ADDRESS.",
    look: "ps -o args= -C etcd",
  },
  {
    id: "member-name-mismatch",
    component: "etcd",
    sign: logged("etcd", /couldn't find local name \\"([^"\\]+)\\" in the initial cluster/),
    cause: "etcd's own name is $1, and --initial-cluster does not list it",
    remedy: "Use one name in both: --name and --initial-cluster=NAME=ADDRESS.",
    look: "ps -o args= -C etcd",
  },
  {
    id: "advertised-address-missing",
    component: "etcd",
    sign: logged("etcd", /--advertise-client-urls is required when --listen-client-urls is set/),
    cause: "etcd is told where to listen for clients, and not what to tell them",
    remedy: "Add --advertise-client-urls with the same address.",
    look: "ps -o args= -C etcd",
  },
  {
    id: "peer-of-another-cluster",
    component: "etcd",
    sign: logged(
      "etcd",
      /"msg":"request cluster ID mismatch".*?"local-member-cluster-id":"(\w+)".*?"remote-peer-cluster-id":"(\w+)"/,
    ),
    cause:
      "etcd is a member of cluster $1, and the peer that it talks to is one of cluster $2: one of them was started with a data folder, or an --initial-cluster-token, of another cluster",
    remedy:
      "Give all members of a cluster the same --initial-cluster and --initial-cluster-token, and start the one that is wrong with an empty --data-dir.",
    look: "ps -o args= -C etcd; grep 'ID mismatch' /var/log/byhand/etcd.log | tail -n 2",
  },
  {
    id: "out-of-quorum",
    component: "etcd",
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      if (one === undefined || !isUnwell(one) || one.state !== "running") return undefined
      return matched(one.log.toReversed(), /sent MsgPreVote request to (\w+) at term/)
    },
    cause: "etcd has no leader: it asks member $1 for its vote, and no majority of the members answers",
    remedy:
      "Start the other members, or make this one a cluster of its own: restore a snapshot, or start it with --force-new-cluster.",
    look: "tail /var/log/byhand/etcd.log",
  },
  {
    id: "no-space",
    component: "etcd",
    sign: (seen) => {
      const alarm =
        matched([componentOf(seen, "etcd")?.answer?.text ?? ""], /NOSPACE/) ?? said(/database space exceeded/)(seen)
      return alarm === undefined
        ? undefined
        : { ...alarm, names: [flagOf(componentOf(seen, "etcd"), "--quota-backend-bytes") ?? "2 GiB by default"] }
    },
    cause:
      "etcd has used up its quota (--quota-backend-bytes: $1) and has raised the alarm NOSPACE: it reads, and refuses to write",
    remedy:
      "etcdctl compact REVISION; etcdctl defrag; etcdctl alarm disarm. Or start it with a larger quota, and disarm.",
    look: "etcdctl endpoint status -w table; etcdctl alarm list",
  },
  {
    id: "etcd-listens-elsewhere",
    component: "etcd",
    sign: (seen) => {
      const wanted = flagOf(componentOf(seen, "etcd"), "--listen-client-urls") ?? ""
      if (
        !seen.complaint.startsWith("etcd was not ready") ||
        listens(seen, "127.0.0.1:2379") ||
        !listens(seen, addressOf(wanted))
      )
        return undefined
      return { evidence: `--listen-client-urls=${wanted}`, names: [addressOf(wanted)] }
    },
    cause: "etcd runs, and listens on $1, not on 127.0.0.1:2379 where everybody looks for it",
    remedy: "--listen-client-urls=http://127.0.0.1:2379",
    look: "ss -tlnp",
  },
  {
    id: "etcd-advertises-elsewhere",
    component: "etcd",
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      const told = flagOf(one, "--advertise-client-urls")
      // A name or an address may be another's; a port where nobody listens is nobody's.
      if (
        one?.state !== "running" ||
        told === undefined ||
        seen.listeners.some(({ local }) => local.split(":").at(-1) === addressOf(told).split(":").at(-1))
      )
        return undefined
      return {
        evidence: `--advertise-client-urls=${told}`,
        names: [addressOf(told), flagOf(one, "--listen-client-urls") ?? ""],
      }
    },
    cause: "etcd tells its clients to come to $1, where nobody listens; it listens on $2",
    remedy: "--advertise-client-urls=$2",
    look: "etcdctl member list; ss -tlnp",
  },
  {
    id: "data-folder-of-another-cluster",
    component: "etcd",
    sign: (seen) => {
      const apiserver = componentOf(seen, "kube-apiserver")
      if (apiserver?.state !== "absent" || apiserver.isMeantToBe || apiserver.log.join("") !== "") return undefined
      return said(/(\/registry\/[^\s'"\\…]*)/)(seen)
    },
    cause: "etcd holds $1 though no kube-apiserver has run here: its data folder is that of another cluster",
    remedy: "Stop etcd and give it an empty folder: --data-dir.",
    look: "etcdctl get /registry --prefix --keys-only | head",
  },
  {
    id: "started-empty",
    component: "etcd",
    sign: freshAfterLoss,
    cause: "etcd found no data in $1 when it last started, and began anew: what it held before is gone",
    remedy: "Name the folder that holds the data (--data-dir), or restore a backup: etcdutl snapshot restore.",
    look: "ls -lR /var/lib/etcd; head /var/log/byhand/etcd.log",
  },
  {
    id: "etcd-not-running",
    component: "etcd",
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      if (one?.state !== "absent" || !one.isMeantToBe || /^etcd (?:exited|was)/.test(seen.complaint)) return undefined
      return {
        evidence: one.log.at(-1)?.slice(0, 300) ?? "there is no process etcd",
        names: [addressOf(flagOf(one, "--listen-client-urls") ?? "127.0.0.1:2379")],
      }
    },
    cause: "etcd does not run: nothing listens on $1",
    remedy: "Start it again. Its log tells how it ended.",
    look: "tail /var/log/byhand/etcd.log; ss -tlnp",
  },
]
