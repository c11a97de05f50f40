import { z } from "zod"
import { near } from "../../base/nearest.ts"
import { nodeOf, stuck } from "../containers.ts"
import { portOf } from "../../clients/sockets.ts"
import {
  apiserverAddressOf,
  apiserverUrlOf,
  containerdOf,
  ignoredField,
  kubeconfigAt,
  kubeletOf,
  listens,
  logPathOf,
  NONE,
  whatItIgnores,
} from "../facts.ts"
import type { Observation } from "../observation.ts"
import { frozen, portTaken, refusedFlags } from "../signs.ts"
import {
  complainedOf,
  componentOf,
  concerns,
  first,
  flagOf,
  holds,
  logged,
  matched,
  mismatchOf,
  object,
  said,
  AT_ONCE,
  SOON,
  symptom,
  type Named,
  type Symptom,
} from "../symptom.ts"
import { fieldIn, lineNamed } from "../written.ts"

const ARGS = "ps -o args= -C kubelet"
/** What curl ends with where it cannot use the client's own certificate: see curl(1). */
const OWN_CERTIFICATE = 58
/** Seconds: the kubelet's default. */
const LEASE_SECONDS = 40
/** What the kubelet measures for each condition of pressure. */
const SIGNALS: Readonly<Record<string, readonly string[]>> = {
  DiskPressure: ["nodefs", "imagefs", "containerfs"],
  MemoryPressure: ["memory", "allocatableMemory"],
  PIDPressure: ["pid"],
}
const pendingRequest = z.object({
  spec: z.object({
    signerName: z.literal("kubernetes.io/kube-apiserver-client-kubelet"),
    username: z.string().default(""),
    request: z.string(),
  }),
  status: z.object({ conditions: z.array(z.unknown()).default([]) }).optional(),
})

const USER_OF_NODE = "system:node:"

/** The Node for which a certificate is requested, as the subject says. @param request PEM, in base64 */
function requestedNode(request: string): string | undefined {
  const pem = Buffer.from(request, "base64").toString()
  const der = Buffer.from(pem.replaceAll(/-----.*-----/g, ""), "base64")
  const start = der.indexOf(USER_OF_NODE)
  // In DER, the length of a text stands before it.
  return start < 1 ? undefined : der.toString("latin1", start + USER_OF_NODE.length, start + (der[start - 1] ?? 0))
}

/** What is said of a token that has not the form of a bootstrap token. */
const MALFORMED =
  "; its token does not have the form of a bootstrap token, six characters, a dot and sixteen characters"

/**
 * Whether a token has the form of a bootstrap token. Tokens of --token-auth-file can have any form: they have no dot.
 * https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#token-format
 */
function isBootstrapToken(token: string | undefined): boolean {
  return token?.includes(".") !== true || /^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(token)
}

/** Problems of the kubelet, the most specific first. */
export const kubelet: readonly Symptom[] = [
  frozen("kubelet"),
  ...refusedFlags("kubelet", /unknown flag: (--[\w-]+)/, "Many settings are fields of its --config file."),
  symptom({
    id: "config-missing",
    component: "kubelet",
    sign: (seen) =>
      logged("kubelet", /failed to read kubelet config file.*open (\S+?): no such file or directory/, "path")(seen),
    cause: ({ path }) => `the kubelet's configuration ${path} does not exist`,
    remedy: "Write a KubeletConfiguration there, or name another file in --config.",
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "bootstrap-kubeconfig-missing",
    component: "kubelet",
    sign: (seen) =>
      logged(
        "kubelet",
        /unable to (?:load|read existing) bootstrap kubeconfig: stat (\S+): no such file/,
        "path",
      )(seen),
    cause: ({ path }, seen) =>
      `${flagOf(componentOf(seen, "kubelet"), "--kubeconfig") ?? "the kubelet's kubeconfig"} does not exist yet, so the kubelet needs the bootstrap kubeconfig ${path} to ask for a certificate, and that file does not exist either`,
    remedy: ({ path }, seen) =>
      `Write ${path} with a bootstrap token, or use a kubeconfig that exists: --kubeconfig=${seen.kubeconfigPath}, without --bootstrap-kubeconfig.`,
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "certificate-request-pending",
    component: "kubelet",
    sign: (seen) =>
      object("certificateSigningRequests", (request) => {
        const { data } = pendingRequest.safeParse(request)
        if (data === undefined || (data.status?.conditions ?? []).length > 0) return undefined
        // A Node that is there already asks for its next certificate, which explains nothing.
        const node = requestedNode(data.spec.request)
        const isThere = seen.api?.nodes?.some(({ metadata }) => metadata.name === node) !== false
        const isMissed =
          (concerns(seen, "kubelet") && node === seen.hostname) ||
          said(/nodes "([^"]+)" not found/, "node")(seen)?.node === node
        return node === undefined || isThere || !isMissed
          ? undefined
          : `kubectl get csr: ${request.metadata.name} ${data.spec.username} Pending`
      })(seen),
    cause: ({ object: name }) =>
      `the kubelet has asked for its certificate and waits: no one has approved the CertificateSigningRequest ${name}`,
    remedy: ({ object: name }) =>
      `kubectl certificate approve ${name}. kube-controller-manager then signs it; without one, make the kubelet's certificate by hand and name it in its kubeconfig.`,
    look: ({ object: name }) => `kubectl get csr; kubectl describe csr ${name}`,
  }),
  symptom({
    id: "certificate-request-refused",
    component: "kubelet",
    lasting: SOON,
    sign: (seen) => {
      const shown = matched(
        sinceRegistered(componentOf(seen, "kubelet")?.log ?? []).toReversed(),
        /cannot create certificate signing request: (.*?)"?(?: logger=.*)?$/,
        "reason",
      )
      const path = flagOf(componentOf(seen, "kubelet"), "--bootstrap-kubeconfig") ?? ""
      const isWhole = isBootstrapToken(kubeconfigAt(seen, path)?.token)
      return shown && { ...shown, reason: `${shown.reason}${isWhole ? "" : MALFORMED}` }
    },
    cause: ({ reason }) => `the kubelet's bootstrap kubeconfig does not let it ask for a certificate: ${reason}`,
    remedy:
      "Use a token that kube-apiserver knows (--token-auth-file, or --enable-bootstrap-token-auth and a bootstrap Secret), and bind its group to the role: kubectl create clusterrolebinding bootstrap --clusterrole=system:node-bootstrapper --group=system:bootstrappers",
    look: (_, seen) => `grep -n token ${flagOf(componentOf(seen, "kubelet"), "--bootstrap-kubeconfig") ?? "BOOTSTRAP"}`,
  }),
  symptom({
    id: "node-label-not-allowed",
    component: "kubelet",
    sign: (seen) =>
      logged(
        "kubelet",
        /unknown 'kubernetes\.io' or 'k8s\.io' labels specified with --node-labels: \[([^\]]+)\]/,
        "labels",
      )(seen),
    cause: ({ labels }) =>
      `a kubelet may not give its own Node the labels ${labels} (--node-labels): names below kubernetes.io and k8s.io are reserved`,
    remedy: ({ labels }, seen) =>
      `Leave them out of --node-labels, and set them once the Node is there: ${labels
        .split(" ")
        .map((label) => `kubectl label node ${seen.hostname} ${label}=`)
        .join("; ")}`,
    look: ARGS,
  }),
  symptom({
    id: "node-name-invalid",
    component: "kubelet",
    lasting: SOON,
    sign: (seen) =>
      complainedOf(
        "kubelet",
        /Node \\?"([^"\\]+)\\?" is invalid: .*?(metadata\.\w+): Invalid value/,
        "node",
        "field",
      )(seen),
    cause: ({ node, field }) =>
      `kube-apiserver refuses the Node ${node} (${field}): a name consists of lower-case letters, digits, "-" and ".", and begins and ends with a letter or digit`,
    remedy: ({ node }) => `Give the kubelet a valid name: --hostname-override=${validName(node)}, or another host name`,
    look: `hostname; ${ARGS}`,
  }),
  symptom({
    id: "cpu-manager-without-reserve",
    component: "kubelet",
    sign: (seen) =>
      logged(
        "kubelet",
        /(?:static policy requires systemreserved\.cpu \+ kubereserved\.cpu|unable to determine reserved CPU resources for static policy)/,
      )(seen),
    cause: (_, seen) =>
      `${kubeletOf(seen).path} sets cpuManagerPolicy: static, and reserves no processor: with that policy some must be left for the system`,
    remedy: (_, seen) =>
      `Add reservedSystemCPUs: "0" (or systemReserved: { cpu: 500m }, or kubeReserved) to ${kubeletOf(seen).path}, or remove cpuManagerPolicy.`,
    look: (_, seen) => `grep -nE 'cpuManagerPolicy|[rR]eserved' ${kubeletOf(seen).path}`,
  }),
  symptom({
    id: "kubeconfig-missing",
    component: "kubelet",
    sign: (seen) => logged("kubelet", /invalid kubeconfig: stat (\S+): no such file or directory/, "path")(seen),
    cause: ({ path }) => `the kubelet's kubeconfig ${path} does not exist`,
    remedy: "Write a kubeconfig there, or name another one in --kubeconfig.",
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "runtime-elsewhere",
    component: "kubelet",
    sign: (seen) => {
      const looked = logged(
        "kubelet",
        /validate CRI v1 runtime API for endpoint \\?"(?:unix:\/\/)?([^"\\]+)/,
        "wanted",
      )(seen)
      const { socket } = containerdOf(seen)
      return looked === undefined || looked.wanted === socket || componentOf(seen, "containerd")?.state !== "running"
        ? undefined
        : { ...looked, socket }
    },
    cause: ({ wanted, socket }) =>
      `the kubelet looks for the container runtime on ${wanted}, and containerd listens on ${socket}`,
    remedy: ({ socket }, seen) => `Write containerRuntimeEndpoint: unix://${socket} into ${kubeletOf(seen).path}.`,
    look: (_, seen) => `grep containerRuntimeEndpoint ${kubeletOf(seen).path}; ss -xlp | grep containerd`,
  }),
  symptom({
    id: "runtime-unreachable",
    component: "kubelet",
    sign: (seen) => logged("kubelet", /validate CRI v1 runtime API for endpoint \\?"([^"\\]+)/, "endpoint")(seen),
    cause: ({ endpoint }) => `no container runtime answers at ${endpoint}`,
    remedy: "Start containerd first. Its log says how it ended.",
    look: ({ endpoint }, seen) => `ls -l ${endpoint.replace("unix://", "")}; tail ${logPathOf(seen, "containerd")}`,
  }),
  symptom({
    id: "cgroup-v1-refused",
    component: "kubelet",
    sign: (seen) => logged("kubelet", /kubelet is configured to not run on a host using cgroup v1/)(seen),
    cause: "this host uses cgroup v1, and the kubelet refuses that by default since Kubernetes 1.35",
    remedy: (_, seen) =>
      `Set failCgroupV1: false in ${kubeletOf(seen).path}; a later version may drop that setting. Better: boot the host with cgroup v2.`,
    look: "stat -fc %T /sys/fs/cgroup",
  }),
  symptom({
    id: "cgroup-driver",
    component: "kubelet",
    sign: (seen) => logged("kubelet", /systemd not running on this host, cannot use systemd cgroups manager/)(seen),
    cause:
      "systemd is configured to manage cgroups, and no systemd runs here; the kubelet takes the driver from containerd (SystemdCgroup), and its own cgroupDriver only where containerd names none",
    remedy: (_, seen) =>
      `Set SystemdCgroup = false in ${containerdOf(seen).path}, and cgroupDriver: cgroupfs in ${kubeletOf(seen).path}.`,
    look: (_, seen) =>
      `grep -n SystemdCgroup ${containerdOf(seen).path}; grep -n cgroupDriver ${kubeletOf(seen).path}; ps -p 1`,
  }),
  symptom({
    id: "swap-on",
    component: "kubelet",
    sign: (seen) => logged("kubelet", /running with swap on is not supported[^"]*/)(seen),
    cause: "this host uses swap, and the kubelet refuses that (failSwapOn is true by default)",
    remedy: (_, seen) =>
      `Turn swap off: swapoff -a, and remove it from /etc/fstab. Or set failSwapOn: false in ${kubeletOf(seen).path}.`,
    look: "cat /proc/swaps",
  }),
  portTaken(
    "kubelet",
    /Failed to (?:listen and serve|start healthz server)" err="listen tcp ([\d.]+:\d+): bind: address already in use/,
    "give the kubelet another port in its --config file",
  ),
  symptom({
    id: "certificate-key-mismatch",
    component: "kubelet",
    sign: (seen) => logged("kubelet", /tls: private key does not match public key/)(seen),
    cause: (_, seen) => `the key and the certificate that ${kubeletOf(seen).path} names do not belong together`,
    remedy: "Name the key that the certificate was made with as tlsPrivateKeyFile, beside tlsCertFile.",
    look: (_, seen) => `grep tls ${kubeletOf(seen).path}`,
  }),
  symptom({
    id: "file-missing",
    component: "kubelet",
    sign: (seen) =>
      logged("kubelet", /failed to run Kubelet: .*?open (\/\S+?): no such file or directory/, "path")(seen),
    cause: ({ path }) => `the kubelet's configuration names ${path}, which does not exist`,
    remedy: "Create that file, or name the right one.",
    look: ({ path }, seen) => `ls -l ${path}; grep -n ${path} ${kubeletOf(seen).path}`,
  }),
  symptom({
    id: "invalid-value",
    component: "kubelet",
    sign: (seen) =>
      logged(
        "kubelet",
        /failed to validate kubelet (?:configuration, error|flags): (.*?)(?:, path: .*)?"?$/,
        "reason",
      )(seen),
    cause: ({ reason }) => `the kubelet does not accept its configuration: ${reason}`,
    remedy: ({ reason }, seen) => {
      const component = componentOf(seen, "kubelet")
      const line = component && fieldIn(seen, component, reason)
      return line === undefined
        ? `Correct that field in ${kubeletOf(seen).path}, or that flag.`
        : `Correct ${lineNamed(line)}.`
    },
    look: (_, seen) => `cat -n ${kubeletOf(seen).path}; ${ARGS}`,
  }),
  symptom({
    id: "kubelet-address-invalid",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) => {
      const { path, address } = kubeletOf(seen)
      const shown = matched(componentOf(seen, "kubelet")?.log.toReversed() ?? [], /listen tcp: lookup <nil>/)
      if (address === undefined || shown === undefined) return undefined
      return { evidence: `${path}: address: ${address}; ${shown.evidence}`, path, address }
    },
    cause: ({ path, address }) => `the kubelet cannot listen on address: ${address} (${path}), which is no IP address`,
    remedy: ({ path }) => `Write a whole address into ${path}, such as 0.0.0.0`,
    look: ({ path }) => `grep -n address ${path} *.sh`,
  }),
  symptom({
    id: "kubelet-standalone",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) => {
      const one = componentOf(seen, "kubelet")
      if (one?.state !== "running" || flagOf(one, "--kubeconfig") !== undefined) return undefined
      return {
        evidence: one.log.find((line) => line.includes("tandalone mode")) ?? `${one.argv.join(" ")}: no --kubeconfig`,
      }
    },
    cause: "the kubelet has no --kubeconfig, so it runs standalone: it calls no kube-apiserver and registers no Node",
    remedy: (_, seen) => `Give it a kubeconfig: --kubeconfig=${seen.kubeconfigPath}`,
    look: ARGS,
  }),
  symptom({
    id: "node-not-registered",
    component: "kubelet",
    // Its health endpoint answers 200 all the same.
    lasting: (seen) => (isRefused(seen, unregistered(seen)?.reason ?? "") ? SOON : undefined),
    sign: (seen) => unregistered(seen),
    cause: ({ node, reason }) => `the kubelet runs, but it cannot register its Node ${node}: ${reason}`,
    remedy: ({ path, reason }, seen) => {
      if (/Unauthorized/.test(reason) && flagOf(componentOf(seen, "kubelet"), "--bootstrap-kubeconfig") !== undefined)
        return "It has no certificate yet: approve its request (kubectl get csr; kubectl certificate approve NAME). kube-controller-manager signs approved ones with --cluster-signing-cert-file and --cluster-signing-key-file."
      if (/Unauthorized/.test(reason))
        return `Put a token or a client certificate that kube-apiserver accepts into ${path}.`
      if (/x509|certificate/.test(reason))
        return `Name the CA that signed kube-apiserver's certificate as certificate-authority in ${path}.`
      if (/connection refused|dial tcp/.test(reason))
        return `Write kube-apiserver's address into ${path}: server: ${apiserverUrlOf(seen)}`
      return `Correct what kube-apiserver complains of. The kubelet's credentials are in ${path}.`
    },
    look: (_, seen) => `grep 'register node' ${logPathOf(seen, "kubelet")} | tail -n 2`,
  }),
  symptom({
    id: "node-name-taken",
    component: "kubelet",
    sign: (seen) => {
      const one = componentOf(seen, "kubelet")
      const node = seen.hostname
      if (one === undefined || one.state !== "absent" || one.isMeantToBe || !holds(mismatchOf(seen)?.actual, node))
        return undefined
      return seen.api?.nodes?.some(({ metadata }) => metadata.name === node) === true
        ? { evidence: `kubectl get nodes: ${node}`, node }
        : undefined
    },
    cause: ({ node }) =>
      `a Node ${node} exists, and no kubelet has run on this machine yet: another machine has the same host name, or the Node is left over`,
    remedy: ({ node }) =>
      `Give one of the two machines another host name (or --hostname-override), or delete the Node: kubectl delete node ${node}`,
    look: ({ node }) => `kubectl get node ${node} -o wide`,
  }),
  symptom({
    id: "node-ip",
    component: "kubelet",
    sign: (seen) =>
      complainedOf("kubelet", /failed to validate nodeIP: node IP: \\?"([\d.a-f:]+)\\?" not found/, "address")(seen),
    cause: ({ address }) => `--node-ip names ${address}, and this machine does not have that address`,
    remedy: "Set --node-ip to an address of this machine, or leave it out.",
    look: "ip -brief address",
  }),
  symptom({
    id: "kubelet-signs-itself",
    component: "kubelet",
    sign: signsItself,
    cause: ({ path, misspelt }) =>
      `kube-apiserver does not trust the certificate of the kubelet, which the kubelet has signed itself: ${path} names no tlsCertFile, and does not say serverTLSBootstrap: true${whatItIgnores(misspelt)}`,
    remedy: ({ path, misspelt }) =>
      `${misspelt === NONE ? `Write serverTLSBootstrap: true into ${path}` : `Correct ${misspelt} in ${path}`}, start the kubelet again, and approve the certificate that it requests: kubectl get csr; kubectl certificate approve NAME. Or name a certificate of the CA as tlsCertFile.`,
    look: (_, seen) => `grep -n -i tls ${kubeletOf(seen).path}`,
  }),
  symptom({
    id: "kubelet-without-certificate",
    component: "kubelet",
    sign: (seen) => {
      const { path, certificate, requestsCertificate } = kubeletOf(seen)
      const shown = complainedOf("kubelet", /no serving certificate available for the kubelet/)(seen)
      if (seen.failure === undefined || certificate !== undefined || requestsCertificate === true) return undefined
      return shown && { ...shown, path, unknown: ignoredField(seen) }
    },
    cause: ({ path, unknown }) =>
      `the kubelet has a key to serve with, and no certificate: ${path} names no tlsCertFile${whatItIgnores(unknown)}`,
    remedy: ({ path, unknown }) =>
      `${unknown === NONE ? `Name the certificate of that key as tlsCertFile in ${path}` : `Correct ${unknown} in ${path}`}, and start the kubelet again.`,
    look: ({ path }) => `grep -n -i tls ${path}`,
  }),
  symptom({
    id: "kubelet-lets-strangers-in",
    component: "kubelet",
    sign: (seen) => {
      const { path, isAnonymousAllowed } = kubeletOf(seen)
      return isAnonymousAllowed === true
        ? { evidence: `${path}: authentication.anonymous.enabled: true`, path }
        : undefined
    },
    cause:
      "the kubelet answers requests without credentials (authentication.anonymous.enabled: true), and its authorization allows everything",
    remedy: ({ path }) => `Set authentication.anonymous.enabled to false in ${path}.`,
    look: "curl -k https://127.0.0.1:10250/pods",
  }),
  symptom({
    id: "lease-renewed-seldom",
    component: "kubelet",
    lasting: (seen) => (isLeaseAwaited(seen) ? SOON : undefined),
    sign: (seen) => {
      const { path, leaseSeconds: seconds = LEASE_SECONDS } = kubeletOf(seen)
      return seconds <= LEASE_SECONDS
        ? undefined
        : {
            evidence: `${path}: nodeLeaseDurationSeconds: ${seconds}`,
            path,
            seconds: String(seconds),
            interval: String(seconds / 4),
          }
    },
    cause: ({ seconds, interval }) =>
      `the kubelet's lease lasts ${seconds} s, so the kubelet renews it only every ${interval} s: a dead Node is noticed that late`,
    remedy: ({ path }) => `Set a shorter nodeLeaseDurationSeconds in ${path}; the default is ${LEASE_SECONDS}.`,
    look: "kubectl get lease -n kube-node-lease -o yaml --watch",
  }),
  symptom({
    id: "kubelet-tells-others",
    component: "kubelet",
    sign: (seen) => {
      const { path, tracing } = kubeletOf(seen)
      const own = componentOf(seen, "kubelet")?.pid
      const called = seen.connections.find(({ pid, peer }) => pid === own && peer === tracing)
      return called === undefined
        ? undefined
        : {
            evidence: `ss -tnp: ${called.local} to ${called.peer} kubelet,pid=${called.pid}`,
            peer: called.peer,
            path,
          }
    },
    cause: ({ peer, path }) => `the kubelet sends traces to ${peer} (tracing.endpoint in ${path})`,
    remedy: ({ path }) => `Remove tracing from ${path} if you do not want that.`,
    look: "ss -tnp | grep kubelet",
  }),
  symptom({
    id: "kubelet-forbids-apiserver",
    component: "kubelet",
    lasting: SOON,
    sign: (seen) => {
      const shown = said(
        /Forbidden \(user=([^,]+), verb=(\w+), resource=(\w+), subresource(?:\(s\))?=\[?([^\])]+)/,
        "user",
        "verb",
        "resource",
        "subresource",
      )(seen)
      return shown
    },
    cause: ({ user, verb, resource, subresource }) =>
      `the kubelet knows kube-apiserver as the user ${user}, and RBAC does not let that user ${verb} ${resource}/${subresource.replaceAll(" ", `, ${resource}/`)}`,
    remedy: ({ user }) =>
      `kubectl create clusterrolebinding kubelet-api --clusterrole=system:kubelet-api-admin --user=${user}. Or make the certificate in --kubelet-client-certificate for the group system:masters.`,
    look: ({ user }) =>
      `kubectl auth can-i get nodes/proxy --as=${user}; kubectl get clusterrolebindings -o wide | grep kubelet`,
  }),
  symptom({
    id: "kubelet-on-another-address",
    component: "kubelet",
    lasting: SOON,
    sign: (seen) => {
      const shown = said(
        /dial tcp ([\d.]+):(\d+): connect: (?:connection refused|no route to host)/,
        "host",
        "port",
      )(seen)
      const own = componentOf(seen, "kubelet")?.pid
      const listener = seen.listeners.find(({ local, pid }) => pid === own && portOf(local) === shown?.port)
      return shown === undefined || listener === undefined || listens(seen, `${shown.host}:${shown.port}`)
        ? undefined
        : {
            ...shown,
            evidence: `${shown.evidence}; ss -tlnp: ${listener.local} kubelet,pid=${listener.pid}`,
            local: listener.local,
            types: flagOf(componentOf(seen, "kube-apiserver"), "--kubelet-preferred-address-types") ?? "the default",
          }
    },
    cause: ({ host, port, local, types }) =>
      `kube-apiserver calls the kubelet at ${host}:${port}, the Node's address (--kubelet-preferred-address-types: ${types}), and the kubelet listens only on ${local}`,
    remedy: ({ host }, seen) =>
      `Set address: 0.0.0.0 (or ${host}) in ${kubeletOf(seen).path}, with a certificate that is valid for ${host}. Or let kube-apiserver call the Node by its name: --kubelet-preferred-address-types=Hostname`,
    look: ({ port }) => `ss -tlnp sport = :${port}; kubectl get node -o wide`,
  }),
  symptom({
    id: "node-pressure",
    component: "kubelet",
    sign: (seen) =>
      first(seen.api?.nodes ?? [], (node) => {
        const one = nodeOf(node).pressures[0]
        if (seen.failure === undefined || one === undefined) return undefined
        const { path, eviction } = kubeletOf(seen)
        const signals = SIGNALS[one.type] ?? []
        const limits = eviction.filter(([signal]) => signals.some((start) => signal.startsWith(start)))
        const shown = limits.map(([signal, limit]) => `${signal}: ${limit}`).join(", ")
        return {
          evidence: `Node ${node.metadata.name}: ${one.type}=True, ${one.message}${shown === "" ? "" : `; evictionHard in ${path}: ${shown}`}`,
          node: node.metadata.name,
          pressure: one.type,
          limits: shown === "" ? "its defaults" : shown,
          path,
        }
      }),
    cause: ({ node, pressure, limits }) =>
      `Node ${node} has ${pressure}: less is free than evictionHard demands (${limits}), so the kubelet evicts Pods, and no new Pod may run there`,
    remedy: ({ path, pressure }) =>
      `Lower evictionHard in ${path}, or free ${pressure === "DiskPressure" ? "disk space" : pressure === "MemoryPressure" ? "memory" : "process ids"}, and start the kubelet again.`,
    look: ({ path, node }) => `kubectl describe node ${node}; grep -n eviction ${path}; df -h /var/lib/kubelet`,
  }),
  symptom({
    id: "resolv-conf-missing",
    component: "kubelet",
    lasting: SOON,
    sign: (seen) =>
      stuck(/open (\S*resolv\S*): no such file or directory/, "path")(seen) ??
      complainedOf("kubelet", /open (\S*resolv\S*?)\\?"?: no such file or directory/, "path")(seen),
    cause: ({ path }) =>
      `the kubelet copies the name servers of Pods from ${path}, which does not exist, so no Pod can start`,
    remedy: (_, seen) =>
      `Set resolvConf in ${kubeletOf(seen).path} (--resolv-conf) to a file that exists, such as /etc/resolv.conf, or to "" for none.`,
    look: ({ path }, seen) => `ls -l ${path} /etc/resolv.conf; grep -n resolvConf ${kubeletOf(seen).path}`,
  }),
  symptom({
    id: "kubelet-refuses-apiserver",
    component: "kubelet",
    sign: (seen) => {
      const { failure } = seen
      const apiserver = componentOf(seen, "kube-apiserver")
      if (apiserver?.state !== "running" || flagOf(apiserver, "--kubelet-client-certificate") !== undefined)
        return undefined
      const isWithoutCertificate = failure?.kind === "command-failed" && failure.exitCode === OWN_CERTIFICATE
      return isWithoutCertificate
        ? { evidence: "kube-apiserver has no --kubelet-client-certificate" }
        : said(
            /You must be logged in to the server|the server has asked for the client to provide credentials|Unauthorized/,
          )(seen)
    },
    cause: "the kubelet refuses kube-apiserver's request, because kube-apiserver has no client certificate for it",
    remedy:
      "Start kube-apiserver with --kubelet-client-certificate and --kubelet-client-key, signed by the CA that the kubelet trusts (clientCAFile).",
    look: "tr '\\0' '\\n' </proc/$(pidof kube-apiserver)/cmdline | grep kubelet",
  }),
  symptom({
    id: "kubelet-not-found",
    component: "kubelet",
    sign: (seen) =>
      said(/dial tcp: lookup (\S+?)(?: on \S+)?: (?:no such host|.*misbehaving|Temporary failure.*)/, "name")(seen),
    cause: ({ name }) =>
      `kube-apiserver calls the kubelet by its Node's name, ${name}, and that name has no address here`,
    remedy: ({ name }) =>
      `Add ${name} to /etc/hosts, or start kube-apiserver with --kubelet-preferred-address-types=InternalIP.`,
    look: ({ name }) => `getent hosts ${name}`,
  }),
  symptom({
    id: "node-without-kubelet",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) =>
      componentOf(seen, "kubelet")?.state !== "running"
        ? undefined
        : first(seen.api?.nodes ?? [], ({ metadata: { name } }) => {
            const own = flagOf(componentOf(seen, "kubelet"), "--hostname-override") ?? seen.hostname
            const hasLease = seen.api?.leases?.some(
              ({ metadata }) => metadata.name === name && metadata.namespace === "kube-node-lease",
            )
            return name === own || hasLease !== false || !holds(mismatchOf(seen)?.actual, name)
              ? undefined
              : { evidence: `Node ${name}; no lease ${name} in kube-node-lease`, name }
          }),
    cause: ({ name }) => `a Node ${name} exists and no kubelet runs for it: nothing has ever renewed a lease for it`,
    remedy: ({ name }) => `kubectl delete node ${name}`,
    look: "kubectl get nodes; kubectl get leases -n kube-node-lease",
  }),
]

/** kube-apiserver does not trust the certificate of this machine's kubelet, which has signed it itself. */
function signsItself(seen: Observation): Named<"path" | "misspelt"> | undefined {
  const { path, fields, certificate, requestsCertificate } = kubeletOf(seen)
  const refused = said(/error trying to reach service: .*certificate signed by unknown authority/)(seen)
  const [, called] = /\/nodes\/([^/\s]+)\/proxy\b/.exec(JSON.stringify(seen.failure ?? "")) ?? []
  const node = flagOf(componentOf(seen, "kubelet"), "--hostname-override") ?? seen.hostname
  if (refused === undefined || called !== node || certificate !== undefined || requestsCertificate === true)
    return undefined
  // The kubelet ignores a field that it does not know.
  const misspelt = fields.find((field) => near(field, ["serverTLSBootstrap", "tlsCertFile"]) !== undefined)
  return {
    evidence: [...(misspelt === undefined ? [] : [`${path}: ${misspelt}`]), refused.evidence].join("; "),
    path,
    misspelt: misspelt ?? NONE,
  }
}

/** The kubelet has tried to register its Node again and again, and there is no such Node. */
function unregistered(seen: Observation): Named<"reason" | "node" | "path"> | undefined {
  const one = componentOf(seen, "kubelet")
  const path = flagOf(one, "--kubeconfig")
  const node = flagOf(one, "--hostname-override") ?? seen.hostname
  if (one?.state !== "running" || path === undefined) return undefined
  if (seen.api?.nodes?.some(({ metadata }) => metadata.name === node) === true) return undefined
  const tries = sinceRegistered(one.log).flatMap((line) => {
    const reason = /"Unable to register node with API server[^"]*" err="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]
    return reason === undefined ? [] : [{ evidence: line.trim(), reason: reason.replaceAll('\\"', '"'), node, path }]
  })
  return tries.length < 2 ? undefined : tries.at(-1)
}

/** The lines since the kubelet registered its Node. What came before is history, also where the API is not asked. */
function sinceRegistered(log: readonly string[]): readonly string[] {
  return log.slice(log.findLastIndex((line) => line.includes('"Successfully registered node"')) + 1)
}

/** Whether the same request will be refused again, for what stands in the kubelet's kubeconfig or its settings. */
function isRefused(seen: Observation, reason: string): boolean {
  if (/Unauthorized|forbidden|x509|is invalid/.test(reason)) return true
  const port = /dial tcp [^ ]*:(\d+): connect: connection refused/.exec(reason)?.[1]
  // Where kube-apiserver listens elsewhere, it will not come to this port.
  return (
    port !== undefined &&
    port !== portOf(apiserverAddressOf(seen)) &&
    !seen.listeners.some(({ local }) => portOf(local) === port)
  )
}

/** A name of a Node that is valid and like the given one. */
function validName(name: string): string {
  return (
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9.-]+/g, "-")
      .replaceAll(/^[.-]+|[.-]+$/g, "") || "node-1"
  )
}

/** Whether a new time in the kubelet's lease is awaited, or its first one, although its Node is Ready. */
function isLeaseAwaited(seen: Observation): boolean {
  const actual = mismatchOf(seen)?.actual
  if (typeof actual !== "string") return false
  const isReady = seen.api?.nodes?.some((node) => nodeOf(node).ready?.status === "True") === true
  const hasLease = seen.api?.leases?.some(({ metadata }) => metadata.namespace === "kube-node-lease")
  return /^\d{4}-\d\d-\d\dT/.test(actual) || (actual === "" && isReady && hasLease === false)
}
