import { portOf } from "../../clients/sockets.ts"
import { addressOf, etcdUrlOf, listens, logPathOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { overlap, podNetwork } from "../networks.ts"
import { etcdAddressOf, frozen, portTaken, refusedFlags, vanished } from "../signs.ts"
import {
  complainedOf,
  componentOf,
  flagOf,
  isUnwell,
  logged,
  mismatchOf,
  said,
  symptom,
  AT_ONCE,
  UNLESS_RESTARTED,
  type Symptom,
} from "../symptom.ts"
import { isJustAbsent } from "./last-words.ts"

const ARGS = "ps -o args= -C kube-apiserver"
const BOTH_ARGS = "ps -o args= -C etcd,kube-apiserver"
const LISTEN = /failed to create listener: failed to listen on ([\d.]+:\d+): .*address already in use/

/** Problems of kube-apiserver, the most specific first. */
export const apiserver: readonly Symptom[] = [
  frozen("kube-apiserver"),
  ...refusedFlags("kube-apiserver", /unknown flag: (--[\w-]+)/),
  portTaken("kube-apiserver", LISTEN, "choose another --secure-port"),
  symptom({
    id: "service-account-flags",
    component: "kube-apiserver",
    sign: (seen) =>
      logged(
        "kube-apiserver",
        /"command failed" err="(.*service-account-(?:issuer|signing-key-file|key-file).*(?:required|specified together|must be set).*)"/,
        "reason",
      )(seen),
    cause: ({ reason }) => `flags for the tokens of ServiceAccounts are missing (${reason})`,
    remedy:
      "Set all three: --service-account-issuer, --service-account-key-file and --service-account-signing-key-file.",
    look: (_, seen) => `tail -n 3 ${logPathOf(seen, "kube-apiserver")}`,
  }),
  symptom({
    id: "token-file-malformed",
    component: "kube-apiserver",
    sign: (seen) => {
      const shown = logged(
        "kube-apiserver",
        /(token file '\S+' must have at least 3 columns.*found \d+|parse error on line \d+, column \d+: [^"]*)/,
        "reason",
      )(seen)
      const path = flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
      return shown === undefined || path === undefined ? undefined : { ...shown, path }
    },
    cause: ({ path, reason }) => `kube-apiserver cannot read its token file ${path}: ${reason}`,
    remedy:
      'Write each line as TOKEN,USER,UID,GROUPS, with the groups in double quotes: TOKEN,admin,admin,"system:masters"',
    look: ({ path }) => `cat -A ${path}`,
  }),
  symptom({
    id: "token-file-missing",
    component: "kube-apiserver",
    sign: (seen) => {
      const path = flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
      const shown = logged("kube-apiserver", /open (\S+): no such file or directory/, "path")(seen)
      return shown?.path === path ? shown : undefined
    },
    cause: ({ path }) => `the token file ${path} does not exist`,
    remedy: 'Write TOKEN,USER,UID,"GROUP" into it, or name the right file in --token-auth-file.',
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "certificate-key-mismatch",
    component: "kube-apiserver",
    sign: (seen) => {
      const one = componentOf(seen, "kube-apiserver")
      const shown = logged("kube-apiserver", /tls: private key does not match public key/)(seen)
      const [certificate, key] = [flagOf(one, "--tls-cert-file"), flagOf(one, "--tls-private-key-file")]
      return shown === undefined || certificate === undefined || key === undefined
        ? undefined
        : { ...shown, certificate, key }
    },
    cause: ({ certificate, key }) => `the key ${key} does not belong to the certificate ${certificate}`,
    remedy: "Name the key that the certificate was made with in --tls-private-key-file.",
    look: ({ certificate, key }) => `openssl x509 -noout -pubkey -in ${certificate}; openssl pkey -pubout -in ${key}`,
  }),
  symptom({
    id: "file-missing",
    component: "kube-apiserver",
    sign: (seen) =>
      logged("kube-apiserver", /"command failed" err="(?:.*: )?open (\/\S+): no such file or directory/, "path")(seen),
    cause: ({ path }) => `the command line of kube-apiserver names ${path}, which does not exist`,
    remedy: "Create that file, or name the right one.",
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "etcd-address-missing",
    component: "kube-apiserver",
    sign: (seen) => logged("kube-apiserver", /--etcd-servers must be specified/)(seen),
    cause: "--etcd-servers is not set, so kube-apiserver does not know where etcd is",
    remedy: (_, seen) => `Add --etcd-servers=${etcdUrlOf(seen)}`,
    look: "ss -tlnp",
  }),
  symptom({
    id: "invalid-value",
    component: "kube-apiserver",
    sign: (seen) =>
      logged(
        "kube-apiserver",
        /"command failed" err="(.*?(?:is not a valid|is unknown|invalid argument|must be).*)"/,
        "reason",
      )(seen),
    cause: ({ reason }) => `kube-apiserver does not accept the value of a flag: ${reason}`,
    remedy: "Correct that flag; --help lists its values.",
    look: "kube-apiserver --help",
  }),
  symptom({
    id: "etcd-peer-port",
    component: "kube-apiserver",
    lasting: (seen) => (etcdServersOf(seen).length === 1 ? AT_ONCE : undefined),
    sign: (seen) =>
      logged("kube-apiserver", /Addr: "([^"]+)".*frame header looked like an HTTP\/1\.1 header/, "address")(seen),
    cause: ({ address }) =>
      `--etcd-servers names ${address}, on which etcd serves its peers; it serves clients on another port`,
    remedy: (_, seen) => `Use the address of --listen-client-urls: --etcd-servers=${etcdUrlOf(seen)}`,
    look: "ss -tlnp",
  }),
  symptom({
    id: "etcd-wrong-scheme",
    component: "kube-apiserver",
    lasting: (seen) => (etcdServersOf(seen).length === 1 ? AT_ONCE : undefined),
    sign: (seen) => {
      const servers = flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers") ?? ""
      const listening = flagOf(componentOf(seen, "etcd"), "--listen-client-urls") ?? ""
      const shown = logged(
        "kube-apiserver",
        /authentication handshake failed|error reading server preface|tls: first record does not look like/,
      )(seen)
      return shown !== undefined &&
        listening !== "" &&
        servers !== "" &&
        servers.split(":")[0] !== listening.split(":")[0]
        ? { ...shown, servers, listening }
        : undefined
    },
    cause: ({ servers, listening }) =>
      `kube-apiserver calls etcd at ${servers}, and etcd serves ${listening}: one uses TLS, the other does not`,
    remedy: ({ listening }) => `--etcd-servers=${listening}`,
    look: BOTH_ARGS,
  }),
  symptom({
    id: "etcd-elsewhere",
    component: "kube-apiserver",
    lasting: (seen) => (etcdServersOf(seen).every((server) => isDeserted(seen, server)) ? AT_ONCE : undefined),
    sign: (seen) => {
      const one = componentOf(seen, "kube-apiserver")
      const servers = flagOf(one, "--etcd-servers") ?? ""
      const [wanted, actual] = [addressOf(servers), etcdAddressOf(seen)]
      if (
        one === undefined ||
        !isUnwell(one) ||
        wanted === "" ||
        wanted.includes("$") ||
        listens(seen, wanted) ||
        !listens(seen, actual)
      )
        return undefined
      return {
        evidence: `--etcd-servers=${servers}; ss -tln shows ${actual} and nothing on ${wanted}`,
        wanted,
        actual,
      }
    },
    cause: ({ wanted, actual }) =>
      `kube-apiserver looks for etcd on ${wanted}, where no process listens; etcd listens on ${actual}`,
    remedy: (_, seen) => `--etcd-servers=${etcdUrlOf(seen)}`,
    look: `ss -tlnp; ${BOTH_ARGS}`,
  }),
  symptom({
    id: "another-etcd",
    component: "kube-apiserver",
    sign: (seen) => {
      const etcd = componentOf(seen, "etcd")
      const servers = flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers") ?? ""
      const other = seen.listeners.find(({ local, pid }) => local === addressOf(servers) && pid !== etcd?.pid)
      if (seen.failure === undefined || etcd?.state !== "running" || other === undefined) return undefined
      return {
        evidence: `--etcd-servers=${servers}; ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`,
        wanted: other.local,
        program: other.program,
        pid: String(other.pid),
      }
    },
    cause: ({ wanted, program, pid }, seen) =>
      `kube-apiserver keeps its data in another etcd: ${program} (pid ${pid}) listens on ${wanted}, and the cluster's etcd on ${etcdAddressOf(seen)}`,
    remedy: ({ pid }, seen) => `--etcd-servers=${etcdUrlOf(seen)}, and stop the other one: kill ${pid}`,
    look: `ss -tlnp; ${BOTH_ARGS}`,
  }),
  symptom({
    id: "open-to-everybody",
    component: "kube-apiserver",
    sign: (seen) => {
      const { expected, actual: status } = mismatchOf(seen) ?? {}
      return expected === 401 && typeof status === "number" && status >= 200 && status < 300
        ? { evidence: `a request without credentials: ${status}`, status: String(status) }
        : undefined
    },
    cause: ({ status }) => `kube-apiserver answers a request without credentials with ${status}`,
    remedy:
      "Start kube-apiserver with --anonymous-auth=false, or take the group system:unauthenticated out of its authorization policy.",
    look: "kubectl auth can-i --list --as=system:anonymous --as-group=system:unauthenticated",
  }),
  symptom({
    id: "etcd-unreachable",
    component: "kube-apiserver",
    lasting: (seen) => (etcdServersOf(seen).every((server) => isDeserted(seen, server)) ? UNLESS_RESTARTED : undefined),
    sign: (seen) => {
      const wanted = addressOf(flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers") ?? "")
      const refused = logged("kube-apiserver", /dial tcp \S+: connect: connection refused/)(seen)
      return refused === undefined || wanted === "" || wanted.includes("$") || listens(seen, wanted)
        ? undefined
        : { ...refused, wanted }
    },
    cause: ({ wanted }) => `kube-apiserver looks for etcd on ${wanted}, where no process listens`,
    remedy: "Start etcd, or name the address that it listens on in --etcd-servers.",
    look: "ss -tlnp",
  }),
  symptom({
    id: "service-range-missing",
    component: "kube-apiserver",
    sign: (seen) =>
      complainedOf(
        "kube-apiserver",
        /No CIDR for service cluster IPs specified.*(--service-cluster-ip-range)/,
        "flag",
      )(seen),
    cause: ({ flag }) => `${flag} is not set, so kube-apiserver gives Services addresses from its default, 10.0.0.0/24`,
    remedy: ({ flag }) => `Set ${flag} to a range that neither Nodes nor Pods use.`,
    look: ARGS,
  }),
  symptom({
    id: "service-range-overlaps-pods",
    component: "kube-apiserver",
    sign: (seen) => {
      const services = flagOf(componentOf(seen, "kube-apiserver"), "--service-cluster-ip-range")?.split(",")[0]
      const pods = podNetwork(seen)
      if (services === undefined || pods === undefined || !overlap(services, pods.subnet)) return undefined
      return {
        evidence: `--service-cluster-ip-range=${services}; ${pods.path}: ${pods.subnet}`,
        services,
        pods: pods.subnet,
        path: pods.path,
      }
    },
    cause: ({ services, pods }) =>
      `Services get their addresses from ${services} and Pods from ${pods}: the two ranges overlap`,
    remedy: ({ path }) => `Set --service-cluster-ip-range to a range that ${path} does not use.`,
    look: ({ path }) => `${ARGS}; cat ${path}`,
  }),
  symptom({
    id: "keys-under-another-prefix",
    component: "kube-apiserver",
    sign: (seen) => {
      const prefix = flagOf(componentOf(seen, "kube-apiserver"), "--etcd-prefix")
      return seen.failure === undefined || prefix === undefined || prefix === "/registry"
        ? undefined
        : { evidence: `--etcd-prefix=${prefix}`, prefix }
    },
    cause: ({ prefix }) => `kube-apiserver keeps its objects under ${prefix} in etcd, not under /registry`,
    remedy: ({ prefix }) =>
      `Leave --etcd-prefix out; the default is /registry. The objects under ${prefix} stay there.`,
    look: "etcdctl get / --prefix --keys-only | head",
  }),
  symptom({
    id: "encrypted-at-rest",
    component: "kube-apiserver",
    sign: ({ failure, ...seen }) => {
      const config = flagOf(componentOf(seen, "kube-apiserver"), "--encryption-provider-config")
      return config !== undefined && failure?.kind === "undecodable" && failure.begins.startsWith("k8s:enc")
        ? { evidence: `--encryption-provider-config=${config}`, config }
        : undefined
    },
    cause: ({ config }) => `kube-apiserver encrypts objects before it writes them to etcd, as ${config} says`,
    remedy: "Leave --encryption-provider-config out for this lesson. On a real cluster it is right to have it.",
    look: "etcdctl get /registry/secrets --prefix | head -c 300",
  }),
  symptom({
    id: "no-default-serviceaccount",
    component: "kube-apiserver",
    sign: (seen) => said(/error looking up service account (\S+?): serviceaccount "[^"]+" not found/, "account")(seen),
    cause: ({ account }) =>
      `kube-apiserver refuses the Pod: the admission plugin ServiceAccount needs ${account}, which does not exist`,
    remedy:
      "kube-controller-manager creates it. Without one: --disable-admission-plugins=ServiceAccount, or kubectl create serviceaccount default.",
    look: "kubectl get serviceaccounts",
  }),
  symptom({
    id: "namespace-terminating",
    component: "kube-apiserver",
    sign: (seen) => {
      const ending = seen.api?.namespaces?.find(({ metadata }) => metadata.deletionTimestamp !== undefined)
      return ending === undefined || seen.failure === undefined || !isJustAbsent(seen, "kube-controller-manager")
        ? undefined
        : {
            evidence: `namespace ${ending.metadata.name}: deletionTimestamp ${ending.metadata.deletionTimestamp ?? ""}`,
            name: ending.metadata.name,
          }
    },
    cause: ({ name }) =>
      `the namespace ${name} was deleted and stays Terminating: kube-controller-manager would empty and remove it, and none runs`,
    remedy: ({ name }) =>
      `Remove it by hand: kubectl get namespace ${name} -o json | sed '/"finalizers"/,/]/d' | kubectl replace --raw /api/v1/namespaces/${name}/finalize -f -; kube-apiserver creates its own namespaces again.`,
    look: ({ name }) => `kubectl get namespace ${name} -o yaml`,
  }),
  symptom({
    id: "forbidden-by-policy",
    component: "kube-apiserver",
    sign: (seen) =>
      said(
        /ValidatingAdmissionPolicy '([^']+)' with binding '([^']+)' denied request: (.*?)\.?$/,
        "policy",
        "binding",
        "reason",
      )(seen),
    cause: ({ policy, reason }) => `the admission policy ${policy} forbids the request: ${reason}`,
    remedy: ({ binding }) => `kubectl delete validatingadmissionpolicybinding ${binding}, or change the policy.`,
    look: ({ policy }) => `kubectl get validatingadmissionpolicy ${policy} -o yaml`,
  }),
  symptom({
    id: "kube-apiserver-not-running",
    component: "kube-apiserver",
    lasting: UNLESS_RESTARTED,
    sign: (seen) => {
      const evidence = vanished(seen, "kube-apiserver")
      return evidence === undefined
        ? undefined
        : { evidence, port: flagOf(componentOf(seen, "kube-apiserver"), "--secure-port") ?? "6443" }
    },
    cause: ({ port }) => `kube-apiserver does not run: no process of it listens on port ${port}`,
    remedy: "Start it again. Its log says how it ended.",
    look: (_, seen) => `tail ${logPathOf(seen, "kube-apiserver")}; ss -tlnp`,
  }),
]

/** host:port of each etcd that kube-apiserver may use. */
function etcdServersOf(seen: Observation): string[] {
  return (flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers") ?? "").split(",").map(addressOf)
}

/** Whether no process listens at an address. Without a look at DNS, a host name can be any address of this machine. */
function isDeserted(seen: Observation, address: string): boolean {
  const isNumeric = /^(?:[\d.]+|localhost):/.test(address)
  return isNumeric ? !listens(seen, address) : !seen.listeners.some(({ local }) => portOf(local) === portOf(address))
}
