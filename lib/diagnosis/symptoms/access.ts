import { KUBECONFIG_FILE } from "../../kubeconfig/kubeconfig.ts"
import { certificate, expired, notYetValid, otherCa, otherName } from "../certificates.ts"
import type { Observation } from "../observation.ts"
import { listens } from "../signs.ts"
import { apart } from "../skew.ts"
import { complainedOf, componentOf, flagOf, said, type Shown, type Symptom } from "../symptom.ts"

const kubeconfigOf = ({ files }: Observation) => files.get(KUBECONFIG_FILE)
const serverOf = (seen: Observation) => /server: *"?(\w+:\/\/([^\s/"]+))/.exec(kubeconfigOf(seen) ?? "")
const tokenOf = (seen: Observation) => /\btoken: *"?([^\s"}]+)/.exec(kubeconfigOf(seen) ?? "")?.[1]
const LOOK = `kubectl config view; kubectl auth whoami -v=6`

const NOBODY =
  /localhost:8080 was refused|localhost:8080: connect: connection refused|dial tcp (?:127\.0\.0\.1|\[::1\]):8080/
const STRANGER =
  /asked for the client to provide credentials(?! \( ?pods\/)|Unauthorized|Please enter Username|error: EOF/

/** What stands between a client and kube-apiserver: kubeconfig, tokens, certificates, versions. Most specific first. */
export const access: readonly Symptom[] = [
  {
    id: "certificate-expired",
    component: "kube-apiserver",
    sign: certificate("kube-apiserver", expired),
    cause: "the certificate that kube-apiserver shows ($1) counted until $2, and this machine's clock says $3",
    remedy: "Make a new one, or set the clock. kube-apiserver reads the file anew by itself.",
    look: "openssl x509 -noout -dates -in $1; date -u",
  },
  {
    id: "certificate-not-yet-valid",
    component: "kube-apiserver",
    sign: certificate("kube-apiserver", notYetValid),
    cause:
      "the certificate that kube-apiserver shows ($1) counts only from $2, and this machine's clock says $3: one of the clocks is wrong, this one or the one it was made by",
    remedy: "Set the clock, or make a new certificate.",
    look: "openssl x509 -noout -dates -in $1; date -u",
  },
  {
    id: "certificate-of-another-ca",
    component: "kube-apiserver",
    sign: certificate("kube-apiserver", otherCa),
    cause: "the certificate that kube-apiserver shows ($1) was not signed by the CA that clients trust ($2)",
    remedy: "Have it signed by that CA, or name its own CA in the kubeconfig: certificate-authority.",
    look: "openssl verify -CAfile $2 $1",
  },
  {
    id: "certificate-for-other-names",
    component: "kube-apiserver",
    sign: certificate("kube-apiserver", otherName),
    cause: "the certificate that kube-apiserver shows ($1) is not for $2, by which clients call it, but for $3",
    remedy: "Make one whose subjectAltName has it, or call it by a name that it has.",
    look: "openssl x509 -noout -ext subjectAltName -in $1",
  },
  {
    id: "certificate-authority-missing",
    component: "kube-apiserver",
    sign: said(/unable to read certificate-authority (\S+) for \S+ due to .*no such file/),
    cause: `the kubeconfig names the CA $1, which is not there`,
    remedy: "Name the CA's certificate in certificate-authority.",
    look: "ls -l $1",
  },
  {
    id: "untrusted-certificate",
    component: "kube-apiserver",
    sign: said(/(certificate signed by unknown authority)/),
    cause: "who was called does not trust the certificate that it was shown, or was not told which CA to trust",
    remedy: `Name the CA that signed it: certificate-authority in ${KUBECONFIG_FILE}.`,
    look: "kubectl config view",
  },
  {
    id: "kubeconfig-missing",
    component: "kube-apiserver",
    sign: (seen) => (kubeconfigOf(seen) === undefined ? said(NOBODY)(seen) : undefined),
    cause: `kubectl has no kubeconfig (${KUBECONFIG_FILE} is not there), so it looks for a cluster on localhost:8080, where none is`,
    remedy: `Write the kubeconfig there, or name one: export KUBECONFIG=PATH.`,
    look: `ls -l ${KUBECONFIG_FILE}; kubectl config view`,
  },
  {
    id: "kubeconfig-without-context",
    component: "kube-apiserver",
    sign: (seen) => (/^current-context: *\S/m.test(kubeconfigOf(seen) ?? "") ? undefined : said(NOBODY)(seen)),
    cause: `${KUBECONFIG_FILE} names no current-context, so kubectl takes no cluster from it and looks on localhost:8080`,
    remedy: "kubectl config use-context byhand",
    look: "kubectl config get-contexts",
  },
  {
    id: "kubeconfig-malformed",
    component: "kube-apiserver",
    sign: said(/error loading config file "?([^":]+)"?: (.*)/),
    cause: "the kubeconfig $1 cannot be read: $2",
    remedy: "Mend its YAML: two spaces each level, no tabs.",
    look: "cat -A $1",
  },
  {
    id: "kubeconfig-without-token",
    component: "kube-apiserver",
    sign: (seen) =>
      kubeconfigOf(seen) !== undefined &&
      tokenOf(seen) === undefined &&
      !/client-certificate|exec:/.test(kubeconfigOf(seen) ?? "")
        ? said(STRANGER)(seen)
        : undefined,
    cause: `${KUBECONFIG_FILE} holds neither a token nor a client certificate: who calls so is nobody, and under AlwaysAllow, which turns anonymous calls off, nobody is Unauthorized. What one may do is only asked of who is known`,
    remedy:
      "Put a token of the file that --token-auth-file names into the kubeconfig: kubectl config set-credentials admin --token=TOKEN",
    look: LOOK,
  },
  {
    id: "wrong-token",
    component: "kube-apiserver",
    sign: (seen) => {
      const path = flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
      const token = tokenOf(seen)
      const known = seen.files
        .get(path ?? "")
        ?.split("\n")
        .map((line) => line.split(",")[0])
      const shown = said(STRANGER)(seen) ?? turnedAway(seen)
      return shown !== undefined &&
        path !== undefined &&
        token !== undefined &&
        known !== undefined &&
        !known.includes(token)
        ? { ...shown, names: [path] }
        : undefined
    },
    cause: `the token in ${KUBECONFIG_FILE} is none of those in $1: kube-apiserver does not know who calls`,
    remedy:
      "Use a token of that file. kube-apiserver reads the file only when it starts: start it again where the file has changed.",
    look: LOOK,
  },
  {
    id: "token-read-before",
    component: "kube-apiserver",
    sign: (seen) => {
      const path = flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file")
      const shown = said(STRANGER)(seen)
      return shown === undefined || path === undefined || tokenOf(seen) === undefined
        ? undefined
        : { ...shown, names: [path] }
    },
    cause: `kube-apiserver does not know the token that it was shown, although ${KUBECONFIG_FILE} and $1 agree now: it reads that file only when it starts`,
    remedy: "Start kube-apiserver again.",
    look: LOOK,
  },
  {
    id: "kubeconfig-elsewhere",
    component: "kube-apiserver",
    sign: (seen) => {
      const [, , server = ""] = serverOf(seen) ?? []
      const one = componentOf(seen, "kube-apiserver")
      const actual = `${flagOf(one, "--bind-address") ?? "0.0.0.0"}:${flagOf(one, "--secure-port") ?? "6443"}`
      if (server === "" || listens(seen, server) || one?.state !== "running" || !listens(seen, actual)) return undefined
      const shown = said(/(?:connection to the server \S+ was refused|connection refused|ECONNREFUSED)/)(seen)
      return shown === undefined ? undefined : { ...shown, names: [server, actual] }
    },
    cause: `${KUBECONFIG_FILE} leads to $1, where nobody listens; kube-apiserver listens on $2`,
    remedy: "kubectl config set-cluster byhand --server=https://$2",
    look: "kubectl config view; ss -tlnp",
  },
  {
    id: "kubeconfig-without-tls",
    component: "kube-apiserver",
    sign: (seen) =>
      serverOf(seen)?.[1]?.startsWith("http://") === true
        ? said(/rejected our request|HTTP request to an HTTPS server|malformed HTTP response/)(seen)
        : undefined,
    cause: `${KUBECONFIG_FILE} calls kube-apiserver without TLS (http://), and it speaks nothing else`,
    remedy: "Write https:// in the kubeconfig's server.",
    look: "kubectl config view",
  },
  {
    id: "node-is-somebody-else",
    component: "kubelet",
    sign: (seen) => {
      const shown = complainedOf(
        "kubelet",
        /is forbidden: User \\?"system:node:([^"\\]+)\\?"|is forbidden: node \\?"([^"\\]+)\\?" is not allowed to modify/,
      )(seen)
      const node = shown?.names?.[0] ?? shown?.names?.[1]
      return shown === undefined || node === undefined || node === seen.hostname
        ? undefined
        : { ...shown, names: [node, seen.hostname] }
    },
    cause:
      "the kubelet's certificate says that it is Node $1, and it runs on $2: the authorization mode Node lets a kubelet touch its own Node alone",
    remedy:
      "Make its certificate for this host's name: /O=system:nodes/CN=system:node:$2, or give the kubelet that name: --hostname-override=$1",
    look: "openssl x509 -noout -subject -in CERTIFICATE; hostname",
  },
  {
    id: "forbidden",
    component: "kube-apiserver",
    sign: (seen) => {
      const shown = said(/is forbidden: User "([^"]+)" cannot (\w+) resource "([^"]+)"/)(seen)
      return shown === undefined
        ? undefined
        : {
            ...shown,
            names: [
              ...(shown.names ?? []),
              flagOf(componentOf(seen, "kube-apiserver"), "--authorization-mode") ?? "AlwaysAllow",
            ],
          }
    },
    cause: "kube-apiserver knows who calls, $1, and --authorization-mode=$4 grants that one no $2 of $3",
    remedy:
      "Put the user into the group system:masters (fourth column of the token file), or bind a role: kubectl create clusterrolebinding admin --clusterrole=cluster-admin --user=$1",
    look: "kubectl auth whoami; kubectl auth can-i --list",
  },
  {
    id: "forbidden",
    component: "kube-apiserver",
    sign: (seen) => {
      const mode = flagOf(componentOf(seen, "kube-apiserver"), "--authorization-mode") ?? "AlwaysAllow"
      return mode.includes("AlwaysAllow") ||
        said(/expected 403 to be 200|may do everything \(.*: no[;)]/)(seen) === undefined
        ? undefined
        : { evidence: `--authorization-mode=${mode}`, names: [userOf(seen), mode] }
    },
    cause: "kube-apiserver knows who calls, $1, and --authorization-mode=$2 does not grant that one what it asks",
    remedy:
      "Put the user into the group system:masters (fourth column of the token file), or bind a role: kubectl create clusterrolebinding admin --clusterrole=cluster-admin --user=$1",
    look: "kubectl auth whoami; kubectl auth can-i --list",
  },
  {
    id: "version-skew",
    component: "kube-apiserver",
    sign: apart,
    cause: "$1 is version $2 and kube-apiserver $3: Kubernetes supports $4",
    remedy: "Take versions that go together.",
    look: "kubectl version; kubectl get nodes -o wide",
  },
  {
    id: "snapshot-restore-moved",
    component: "etcd",
    sign: said(/snapshot restore .*(unknown flag: --data-dir|unknown command "restore")/),
    cause: "etcdctl no longer restores snapshots: snapshot restore and snapshot status went in etcd 3.6",
    remedy:
      "Use etcdutl snapshot restore. Where etcdutl itself says so, it is not etcdutl that was started: etcdutl version.",
    look: "etcdutl version; etcdctl version",
  },
]

/** Whoever asks whether kube-apiserver is ready was not let in. */
function turnedAway(seen: Observation): Shown | undefined {
  return seen.complaint.startsWith("kube-apiserver")
    ? complainedOf("kube-apiserver", /Unable to authenticate the request.*invalid bearer token/)(seen)
    : undefined
}

/** The user that a token of the kubeconfig stands for. */
function userOf(seen: Observation): string {
  const lines =
    seen.files.get(flagOf(componentOf(seen, "kube-apiserver"), "--token-auth-file") ?? "")?.split("\n") ?? []
  return (
    lines.map((line) => line.split(",")).find(([token]) => token !== undefined && token === tokenOf(seen))?.[1] ??
    "somebody"
  )
}
