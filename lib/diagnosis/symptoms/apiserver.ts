import { addressOf, frozen, goneFlag, holderOf, listens, unknownFlag } from "../signs.ts"
import { overlap, podNetwork } from "../networks.ts"
import { componentOf, flagOf, isUnwell, complainedOf, logged, said, type Symptom } from "../symptom.ts"

const UNKNOWN = /unknown flag: (--[\w-]+)/

/** What kube-apiserver lives through, most specific first. */
export const apiserver: readonly Symptom[] = [
  {
    id: "frozen",
    component: "kube-apiserver",
    sign: frozen("kube-apiserver"),
    cause: "kube-apiserver has been stopped (SIGSTOP): its process $1 is there, holds its port and does nothing",
    remedy: "Let it go on: kill -CONT $1",
    look: "ps -o pid,stat,args -C kube-apiserver",
  },
  {
    id: "removed-flag",
    component: "kube-apiserver",
    sign: goneFlag("kube-apiserver", UNKNOWN),
    cause: "kube-apiserver no longer has the flag $1: it went in $2",
    remedy: "$3",
    look: "kube-apiserver --help",
  },
  {
    id: "unknown-flag",
    component: "kube-apiserver",
    sign: unknownFlag("kube-apiserver", UNKNOWN),
    cause: "kube-apiserver does not know the flag $1",
    remedy: "The nearest that it knows is $2.",
    look: "kube-apiserver --help",
  },
  {
    id: "port-taken",
    component: "kube-apiserver",
    sign: holderOf(
      "kube-apiserver",
      /failed to create listener: failed to listen on ([\d.]+:\d+): .*address already in use/,
    ),
    cause: "another process holds $1: $2, pid $3",
    remedy: "Stop that one (kill $3), or choose another --secure-port.",
    look: "ss -tlnp",
  },
  {
    id: "port-taken",
    component: "kube-apiserver",
    sign: said(/failed to create listener: failed to listen on ([\d.]+:\d+): .*address already in use/),
    cause: "another process holds $1",
    remedy: "Stop that one, or choose another --secure-port.",
    look: "ss -tlnp",
  },
  {
    id: "service-account-flags",
    component: "kube-apiserver",
    sign: logged(
      "kube-apiserver",
      /"command failed" err="(.*service-account-(?:issuer|signing-key-file|key-file).*(?:required|specified together|must be set).*)"/,
    ),
    cause: "flags for ServiceAccounts' tokens are missing ($1)",
    remedy:
      "Give it all three: --service-account-issuer, --service-account-key-file and --service-account-signing-key-file.",
    look: "tail -n 3 /var/log/byhand/kube-apiserver.log",
  },
  {
    id: "token-file-malformed",
    component: "kube-apiserver",
    sign: logged(
      "kube-apiserver",
      /(token file '\S+' must have at least 3 columns.*found \d+|parse error on line \d+, column \d+: [^"]*)/,
    ),
    cause: "its token file is not what it should be: $1",
    remedy:
      'Each line is TOKEN,USER,UID and, in double quotes where there are several, the groups: TOKEN,admin,admin,"system:masters".',
    look: "cat -A $(ps -o args= -C kube-apiserver | grep -o 'token-auth-file=[^ ]*' | cut -d= -f2)",
  },
  {
    id: "token-file-missing",
    component: "kube-apiserver",
    sign: (seen) => {
      const path = flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
      return path === undefined
        ? undefined
        : logged("kube-apiserver", new RegExp(`open (${escape(path)}): no such file or directory`))(seen)
    },
    cause: "its token file $1 is not there",
    remedy: 'Write TOKEN,USER,UID,"GROUP" into it, or name the right one with --token-auth-file.',
    look: "ls -l $1",
  },
  {
    id: "certificate-key-mismatch",
    component: "kube-apiserver",
    sign: logged("kube-apiserver", /tls: private key does not match public key/),
    cause: "its key and its certificate do not belong together",
    remedy: "Name the key that the certificate was made with: --tls-private-key-file beside --tls-cert-file.",
    look: "openssl x509 -noout -pubkey -in CERTIFICATE; openssl pkey -pubout -in KEY",
  },
  {
    id: "file-missing",
    component: "kube-apiserver",
    sign: logged("kube-apiserver", /"command failed" err="(?:.*: )?open (\/\S+): no such file or directory/),
    cause: "its command line names $1, which is not there",
    remedy: "Make that file, or name the right one.",
    look: "ls -l $1",
  },
  {
    id: "etcd-address-missing",
    component: "kube-apiserver",
    sign: logged("kube-apiserver", /--etcd-servers must be specified/),
    cause: "it is not told where etcd is",
    remedy: "Add --etcd-servers=http://127.0.0.1:2379.",
    look: "ss -tlnp",
  },
  {
    id: "invalid-value",
    component: "kube-apiserver",
    sign: logged(
      "kube-apiserver",
      /"command failed" err="(.*?(?:is not a valid|is unknown|invalid argument|must be).*)"/,
    ),
    cause: "a flag's value is not one that it takes: $1",
    remedy: "Mend that flag; --help names the values.",
    look: "kube-apiserver --help",
  },
  {
    id: "etcd-peer-port",
    component: "kube-apiserver",
    sign: logged("kube-apiserver", /Addr: "([^"]+)".*frame header looked like an HTTP\/1\.1 header/),
    cause:
      "--etcd-servers names $1, which speaks another protocol: it is where etcd's members talk to each other, not where clients are served",
    remedy: "Name the address of --listen-client-urls: http://127.0.0.1:2379.",
    look: "ss -tlnp",
  },
  {
    id: "etcd-wrong-scheme",
    component: "kube-apiserver",
    sign: (seen) => {
      const servers = flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers") ?? ""
      const listening = flagOf(componentOf(seen, "etcd"), "--listen-client-urls") ?? ""
      const shown = logged(
        "kube-apiserver",
        /authentication handshake failed|error reading server preface|tls: first record does not look like/,
      )(seen)
      return shown !== undefined && listening !== "" && servers.split(":")[0] !== listening.split(":")[0]
        ? { ...shown, names: [servers, listening] }
        : undefined
    },
    cause: "kube-apiserver calls etcd at $1, and etcd serves $2: one speaks TLS, the other does not",
    remedy: "Use the same scheme in --etcd-servers.",
    look: "ps -o args= -C etcd,kube-apiserver",
  },
  {
    id: "etcd-elsewhere",
    component: "kube-apiserver",
    sign: (seen) => {
      const one = componentOf(seen, "kube-apiserver")
      const wanted = addressOf(flagOf(one, "--etcd-servers") ?? "")
      const actual = addressOf(flagOf(componentOf(seen, "etcd"), "--listen-client-urls") ?? "")
      if (one === undefined || !isUnwell(one) || wanted === "" || listens(seen, wanted) || !listens(seen, actual))
        return undefined
      return {
        evidence: `--etcd-servers=${flagOf(one, "--etcd-servers")}; ss -tln shows ${actual} and nothing on ${wanted}`,
        names: [wanted, actual],
      }
    },
    cause: "kube-apiserver looks for etcd on $1, where nothing listens; etcd listens on $2",
    remedy: "--etcd-servers=http://$2",
    look: "ss -tlnp; ps -o args= -C etcd,kube-apiserver",
  },
  {
    id: "another-etcd",
    component: "kube-apiserver",
    sign: (seen) => {
      const [etcd, wanted] = [
        componentOf(seen, "etcd"),
        addressOf(flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers")?.split(",")[0] ?? ""),
      ]
      const other = seen.listeners.find(({ local, pid }) => local === wanted && pid !== etcd?.pid)
      if (seen.complaint === "" || etcd?.state !== "running" || other === undefined) return undefined
      return {
        evidence: `--etcd-servers=${flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers")}; ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`,
        names: [wanted, other.program, String(other.pid), addressOf(flagOf(etcd, "--listen-client-urls") ?? "")],
      }
    },
    cause:
      "kube-apiserver keeps everything in another etcd: on $1, where $2 (pid $3) listens; the one that is looked at is on $4",
    remedy: "--etcd-servers=http://$4, and stop the other: kill $3",
    look: "ss -tlnp; ps -o args= -C etcd,kube-apiserver",
  },
  {
    id: "open-to-everybody",
    component: "kube-apiserver",
    sign: said(/expected \[ '?401'?, '?403'? \] to include '?(2\d\d)/),
    cause: "kube-apiserver answers with $1 whoever calls without showing who it is",
    remedy: "Leave --anonymous-auth=true out, and take away what binds the group system:unauthenticated to a role.",
    look: "kubectl get clusterrolebindings -o wide | grep unauthenticated",
  },
  {
    id: "etcd-unreachable",
    component: "kube-apiserver",
    sign: (seen) => {
      const wanted = addressOf(flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers") ?? "")
      const refused = logged("kube-apiserver", /dial tcp \S+: connect: connection refused/)(seen)
      return refused === undefined || wanted === "" || listens(seen, wanted)
        ? undefined
        : { ...refused, names: [wanted] }
    },
    cause: "kube-apiserver looks for etcd on $1, where nothing listens",
    remedy: "Start etcd, or name the address that it listens on in --etcd-servers.",
    look: "ss -tlnp",
  },
  {
    id: "service-range-missing",
    component: "kube-apiserver",
    sign: complainedOf("kube-apiserver", /No CIDR for service cluster IPs specified.*(--service-cluster-ip-range)/),
    cause: "kube-apiserver is not told which addresses Services may have, and guesses 10.0.0.0/24",
    remedy: "Add $1, with a range that neither Nodes nor Pods use.",
    look: "ps -o args= -C kube-apiserver",
  },
  {
    id: "service-range-overlaps-pods",
    component: "kube-apiserver",
    sign: (seen) => {
      const services = flagOf(componentOf(seen, "kube-apiserver"), "--service-cluster-ip-range")?.split(",")[0]
      const pods = podNetwork(seen)
      if (services === undefined || pods === undefined || !overlap(services, pods.subnet)) return undefined
      return {
        evidence: `--service-cluster-ip-range=${services}; ${pods.path}: ${pods.subnet}`,
        names: [services, pods.subnet, pods.path],
      }
    },
    cause: "Services have their addresses from $1, and Pods theirs from $2: the two overlap",
    remedy: "Give --service-cluster-ip-range addresses that $3 does not hand out.",
    look: "ps -o args= -C kube-apiserver; cat $3",
  },
  {
    id: "keys-under-another-prefix",
    component: "kube-apiserver",
    sign: (seen) => {
      const prefix = flagOf(componentOf(seen, "kube-apiserver"), "--etcd-prefix")
      return seen.complaint === "" || prefix === undefined || prefix === "/registry"
        ? undefined
        : { evidence: `--etcd-prefix=${prefix}`, names: [prefix] }
    },
    cause: "kube-apiserver keeps everything under $1 in etcd, not under /registry",
    remedy: "Leave --etcd-prefix out: /registry is the default. What was written under $1 stays there.",
    look: "etcdctl get / --prefix --keys-only | head",
  },
  {
    id: "encrypted-at-rest",
    component: "kube-apiserver",
    sign: (seen) => {
      const config = flagOf(componentOf(seen, "kube-apiserver"), "--encryption-provider-config")
      return config !== undefined && /k8s:enc/.test(seen.complaint)
        ? { evidence: `--encryption-provider-config=${config}`, names: [config] }
        : undefined
    },
    cause: "kube-apiserver encrypts what it writes to etcd, as $1 says: it cannot be read there",
    remedy: "For this lesson leave --encryption-provider-config out. On a real cluster it is right to have it.",
    look: "etcdctl get /registry/secrets --prefix | head -c 300",
  },
  {
    id: "no-default-serviceaccount",
    component: "kube-apiserver",
    sign: said(/error looking up service account (\S+?): serviceaccount "([^"]+)" not found/),
    cause: "the Pod is refused: the admission plugin ServiceAccount wants $1, which nobody has made",
    remedy:
      "kube-controller-manager makes it. Without one: --disable-admission-plugins=ServiceAccount, or kubectl create serviceaccount default.",
    look: "kubectl get serviceaccounts",
  },
  {
    id: "namespace-terminating",
    component: "kube-apiserver",
    sign: (seen) => {
      const ending = seen.api?.namespaces.find(({ metadata }) => typeof metadata["deletionTimestamp"] === "string")
      return ending === undefined || seen.complaint === ""
        ? undefined
        : {
            evidence: `namespace ${ending.metadata.name}: deletionTimestamp ${String(ending.metadata["deletionTimestamp"])}`,
            names: [ending.metadata.name],
          }
    },
    cause:
      "the namespace $1 was deleted, and stays Terminating: no kube-controller-manager runs that would empty and finish it",
    remedy:
      "Finish it by hand: kubectl get namespace $1 -o json | sed '/\"finalizers\"/,/]/d' | kubectl replace --raw /api/v1/namespaces/$1/finalize -f -; kube-apiserver makes its own namespaces again.",
    look: "kubectl get namespace $1 -o yaml",
  },
  {
    id: "forbidden-by-policy",
    component: "kube-apiserver",
    sign: said(/ValidatingAdmissionPolicy '([^']+)' with binding '([^']+)' denied request: (.*?)\.?$/),
    cause: "the admission policy $1 forbids it: $3",
    remedy: "kubectl delete validatingadmissionpolicybinding $2, or mend the policy.",
    look: "kubectl get validatingadmissionpolicy $1 -o yaml",
  },
  {
    id: "kube-apiserver-not-running",
    component: "kube-apiserver",
    sign: (seen) => {
      const one = componentOf(seen, "kube-apiserver")
      if (one?.state !== "absent" || !one.isMeantToBe || /^kube-apiserver (?:exited|was)/.test(seen.complaint))
        return undefined
      return {
        evidence: one.log.at(-1)?.slice(0, 300) ?? "there is no process kube-apiserver",
        names: [flagOf(one, "--secure-port") ?? "6443"],
      }
    },
    cause: "kube-apiserver does not run: nothing listens on port $1",
    remedy: "Start it again. Its log tells how it ended.",
    look: "tail /var/log/byhand/kube-apiserver.log; ss -tlnp",
  },
]

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
}
