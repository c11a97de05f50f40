import { BlockList } from "node:net"
import { z } from "zod"
import { Document } from "../../base/document.ts"
import { literal } from "../../base/literal.ts"
import type { Plain } from "../../failures/failure.ts"
import { died, type Container } from "../containers.ts"
import { containerdOf, logPathOf } from "../facts.ts"
import { overlap, podNetwork } from "../networks.ts"
import type { ApiObject, Observation } from "../observation.ts"
import { frozen, refusedFlags } from "../signs.ts"
import {
  AT_ONCE,
  componentOf,
  first,
  flagOf,
  logged,
  matched,
  mismatchOf,
  object,
  said,
  SOON,
  symptom,
  type Named,
  type Symptom,
} from "../symptom.ts"

/** The look at the addresses that belong to the machine itself. */
export const LOCAL_ROUTES = "ip route show table local"
/** The look at whether the machine forwards packets between its networks. */
export const FORWARDING = "cat /proc/sys/net/ipv4/ip_forward"
/** The look at what kube-apiserver has refused to programs in Pods. */
export const REFUSED = "grep -h 'forbidden: User' /var/log/pods/*/*/*.log | tail -n 5"

const PROXY = "kube-proxy"
const MANAGER = "kube-controller-manager"

/** Problems of kube-proxy itself, the most specific first. */
export const kubeProxy: readonly Symptom[] = [
  frozen(PROXY),
  ...refusedFlags(PROXY, /unknown flag: (--[\w-]+)/),
  symptom({
    id: "kube-proxy-without-configuration",
    component: PROXY,
    lasting: SOON,
    sign: (seen) => logged(PROXY, /failed complete: open (\S+): no such file or directory/, "path")(seen),
    cause: ({ path }) => `kube-proxy's configuration ${path} does not exist`,
    remedy: ({ path }) =>
      `Write a KubeProxyConfiguration to ${path}. kube-proxy --write-config-to FILE writes one with all defaults.`,
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "kube-proxy-without-kubeconfig",
    component: PROXY,
    lasting: SOON,
    sign: (seen) => {
      const shown = logged(PROXY, /(unable to load in-cluster configuration)/, "problem")(seen)
      const path = flagOf(componentOf(seen, PROXY), "--config")
      return (
        shown && { ...shown, where: path === undefined ? "--kubeconfig" : `clientConnection.kubeconfig in ${path}` }
      )
    },
    cause: ({ where }) =>
      `kube-proxy has no kubeconfig (${where}), and it does not run in a Pod, so it does not know where kube-apiserver is`,
    remedy: ({ where }) => `Name a kubeconfig of the user system:kube-proxy: ${where}`,
    look: (_, seen) => `tail ${logPathOf(seen, PROXY)}`,
  }),
  symptom({
    id: "node-ports-on-other-addresses",
    component: PROXY,
    lasting: AT_ONCE,
    sign: (seen) => {
      const path = flagOf(componentOf(seen, PROXY), "--config") ?? ""
      const ranges = Document.yaml(seen.files[path]).texts("nodePortAddresses")
      const own = addressesOf(seen, seen.hostname)
      const isOther =
        ranges.length > 0 && !ranges.includes("primary") && !ranges.some((range) => own.some((one) => isIn(range, one)))
      const refused = received(seen, /Failed to connect to [\d.]+ port (\d+)/, "port")
      const isNodePort = (seen.api?.services ?? []).some((one) =>
        nodePorts.safeParse(one).data?.spec.ports.some(({ nodePort }) => String(nodePort) === refused?.port),
      )
      return !isOther || refused === undefined || !isNodePort
        ? undefined
        : {
            evidence: `${path}: nodePortAddresses: [${ranges.join(", ")}]; ${refused.evidence}`,
            path,
            ranges: ranges.join(", "),
            own: own.join(", "),
          }
    },
    cause: ({ ranges, own }) =>
      `kube-proxy accepts connections to node ports at ${ranges} only, and this Node has ${own}`,
    remedy: ({ path }) => `Remove nodePortAddresses from ${path}: by default, the Node's own address is accepted.`,
    look: ({ path }) => `grep nodePortAddresses ${path}; kubectl get nodes -o wide`,
  }),
]

/** Problems between a client and the Pods of a Service, the most specific first. */
export const services: readonly Symptom[] = [
  symptom({
    id: "service-address-on-host",
    component: undefined,
    sign: (seen) => {
      const { failure, looks, api } = seen
      const lines = (looks[LOCAL_ROUTES] ?? "").split("\n")
      const addresses = (api?.services ?? []).flatMap((one) => service.safeParse(one).data?.spec.clusterIP ?? [])
      return failure === undefined
        ? undefined
        : first(lines, (line) => {
            const [, range = ""] = /^local (\S+) /.exec(line) ?? []
            const address = range === "" ? undefined : addresses.find((one) => isIn(withBits(range), one))
            return address === undefined
              ? undefined
              : { evidence: `ip route show table local: ${line.trim()}`, range, address }
          })
    },
    cause: ({ range, address }) =>
      `the address ${address} of a Service belongs to this machine (${range} is local), so a program here answers in place of the Service's Pods`,
    remedy: ({ range }) =>
      `Remove it, and let kube-proxy forward the packets: ip route del local ${range}, or ip address del`,
    look: `${LOCAL_ROUTES}; ss -tlnp`,
  }),
  symptom({
    id: "service-packets-dropped",
    component: undefined,
    lasting: AT_ONCE,
    sign: (seen) => {
      const addresses = (seen.api?.services ?? []).flatMap((one) => service.safeParse(one).data?.spec.clusterIP ?? [])
      const tables = (seen.looks["nft list ruleset"] ?? "")
        .split(/^(?=table )/m)
        .filter((one) => !one.includes(" kube-proxy {"))
      return seen.failure === undefined
        ? undefined
        : first(tables, (text) => {
            const [, table = ""] = /^table (\S+ \S+) \{/.exec(text) ?? []
            const [rule, range = ""] = /ip daddr ([\d./]+) .*?drop/.exec(text) ?? []
            return rule === undefined || !addresses.some((one) => isIn(withBits(range), one))
              ? undefined
              : { evidence: `nft list ruleset: table ${table}: ${rule}`, table, range }
          })
    },
    cause: ({ table, range }) =>
      `a rule of the table ${table} drops packets to ${range}, where Services have their addresses`,
    remedy: ({ table }) => `Remove the rule, or the table: nft delete table ${table}`,
    look: ({ table }) => `nft -a list table ${table}`,
  }),
  symptom({
    id: "ip-forwarding-off",
    component: undefined,
    lasting: AT_ONCE,
    // Before the first Pod it is off on every machine: the CNI plugin bridge switches it on.
    sign: (seen) =>
      seen.failure === undefined ||
      seen.looks[FORWARDING] !== "0" ||
      componentOf(seen, PROXY)?.state !== "running" ||
      !(seen.api?.pods ?? []).some((pod) => placed.safeParse(pod).success)
        ? undefined
        : { evidence: `${FORWARDING}: 0`, host: seen.hostname },
    cause: ({ host }) =>
      `${host} does not forward packets (net.ipv4.ip_forward is 0), so nothing reaches its Pods from outside, and they reach nothing`,
    remedy: "echo 1 >/proc/sys/net/ipv4/ip_forward",
    look: FORWARDING,
  }),
  symptom({
    id: "same-pod-addresses",
    component: "containerd",
    lasting: SOON,
    sign: (seen) =>
      seen.failure === undefined
        ? undefined
        : first(seen.api?.pods ?? [], (pod) => {
            const { data } = placed.safeParse(pod)
            const range = rangeOf(seen, data?.spec.nodeName)
            const address = data?.status.podIP
            if (
              data === undefined ||
              address === undefined ||
              data.spec.hostNetwork ||
              range === undefined ||
              isIn(range, address)
            )
              return undefined
            const owner = (seen.api?.nodes ?? []).find(({ metadata }) => {
              const other = rangeOf(seen, metadata.name)
              return other !== undefined && isIn(other, address)
            })
            return owner === undefined
              ? undefined
              : {
                  evidence: `Pod ${pod.metadata.name} on ${data.spec.nodeName}: podIP: ${address}; Node ${owner.metadata.name}: podCIDR: ${rangeOf(seen, owner.metadata.name) ?? ""}`,
                  node: data.spec.nodeName,
                  address,
                  owner: owner.metadata.name,
                  range,
                }
          }),
    cause: ({ node, address, owner }) =>
      `the CNI configuration of ${node} hands out addresses of the range of ${owner}, such as ${address}: both Nodes give the same addresses to their Pods`,
    remedy: ({ node, range }) =>
      `Write the range of ${node} into its CNI configuration: "subnet": "${range}". Then delete the bridge (ip link delete cni0) and the Pods there.`,
    look: "kubectl get nodes -o custom-columns=NAME:.metadata.name,RANGE:.spec.podCIDR; grep subnet /etc/cni/net.d/*",
  }),
  symptom({
    id: "no-route-to-pods",
    component: undefined,
    lasting: AT_ONCE,
    sign: (seen) => {
      const routes = (seen.looks["ip route"] ?? "")
        .split("\n")
        .flatMap((line) => /^([\d.]+(?:\/\d+)?) /.exec(line)?.[1] ?? [])
      return seen.failure === undefined
        ? undefined
        : first(seen.api?.nodes ?? [], ({ metadata }) => {
            const range = rangeOf(seen, metadata.name)
            const [address = ""] = addressesOf(seen, metadata.name)
            const isOther = metadata.name !== seen.hostname && address !== "" && range !== undefined
            return !isOther || routes.some((one) => overlap(withBits(one), range))
              ? undefined
              : {
                  evidence: `Node ${metadata.name}: podCIDR: ${range}; ip route has no route to it`,
                  node: metadata.name,
                  range,
                  address,
                  host: seen.hostname,
                }
          })
    },
    cause: ({ host, node, range }) => `${host} has no route to the Pods of ${node}, which have addresses of ${range}`,
    remedy: ({ range, address }) => `ip route replace ${range} via ${address}`,
    look: ({ range }) => `ip route; ip route get ${range.replace(/\d+\/\d+$/, "2")}`,
  }),
  symptom({
    id: "certificate-not-signed",
    component: MANAGER,
    lasting: SOON,
    sign: (seen) => {
      const manager = componentOf(seen, MANAGER)
      if (
        seen.failure === undefined ||
        manager?.state !== "running" ||
        flagOf(manager, "--cluster-signing-cert-file") !== undefined
      )
        return undefined
      return object("certificateSigningRequests", (request) => {
        const { data } = approved.safeParse(request)
        return data === undefined
          ? undefined
          : `CertificateSigningRequest ${request.metadata.name}: Approved, and status.certificate is missing`
      })(seen)
    },
    cause: ({ object: name }) =>
      `the CertificateSigningRequest ${name} is approved, and kube-controller-manager has no CA to sign it with (--cluster-signing-cert-file)`,
    remedy:
      "Start kube-controller-manager with --cluster-signing-cert-file=CA.crt and --cluster-signing-key-file=CA.key.",
    look: "kubectl get certificatesigningrequests",
  }),
  symptom({
    id: "pods-without-default-route",
    component: "containerd",
    lasting: SOON,
    sign: (seen) => {
      const { path } = podNetwork(seen) ?? { path: "" }
      const text = seen.files[path] ?? ""
      const hasRoute = /"isDefaultGateway":\s*true|"routes"/.test(text)
      const shown =
        said(/network is unreachable/i)(seen) ??
        withoutDns(seen) ??
        (componentOf(seen, PROXY)?.state === "running" ? received(seen, /curl: \(28\) .*timed out/) : undefined)
      return path === "" || hasRoute || shown === undefined
        ? undefined
        : { evidence: `${path} has neither isDefaultGateway nor routes; ${shown.evidence}`, path }
    },
    cause: ({ path }) =>
      `the network of ${path} gives Pods no default route, so they reach only each other: no Service, and no other Node`,
    remedy: ({ path }) =>
      `Write "isDefaultGateway": true into ${path}, and delete the Pods: they keep the routes that they have.`,
    look: ({ path }, seen) => `cat ${path}; ls ${containerdOf(seen).cniFolder}; kubectl exec POD -- ip route`,
  }),
  symptom({
    id: "apiserver-without-endpoint",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) => {
      const type = flagOf(componentOf(seen, "kube-apiserver"), "--endpoint-reconciler-type")
      const shown = withoutDns(seen)
      return type !== "none" || shown === undefined || endpointsOf(seen, "default", "kubernetes") !== 0
        ? undefined
        : { evidence: `--endpoint-reconciler-type=none; Service kubernetes has no endpoints; ${shown.evidence}` }
    },
    cause:
      "the Service kubernetes has no endpoint (--endpoint-reconciler-type=none), so CoreDNS and all other Pods cannot reach kube-apiserver",
    remedy:
      "Start kube-apiserver without --endpoint-reconciler-type=none, and with an --advertise-address that Pods reach: that of its Node, not loopback.",
    look: "kubectl get endpointslices -l kubernetes.io/service-name=kubernetes; kubectl logs -n kube-system deployment/coredns",
  }),
  symptom({
    id: "coredns-without-pods",
    component: undefined,
    lasting: SOON,
    sign: (seen) => {
      const shown = said(/can't find \S+\.pod\.\S+: NXDOMAIN/)(seen)
      const map = (seen.api?.corefiles ?? []).find(
        (one) => !/^\s*pods\s+(?:verified|insecure)/m.test(corefile.safeParse(one).data?.data.Corefile ?? ""),
      )
      return shown === undefined || map === undefined ? undefined : { ...shown, map: map.metadata.name }
    },
    cause: ({ map }) =>
      `the Corefile in the ConfigMap ${map} does not let CoreDNS answer with the addresses of Pods (pods)`,
    remedy: ({ map }) =>
      `Write "pods verified" into the block kubernetes: kubectl edit configmap ${map} -n kube-system. Then restart CoreDNS.`,
    look: ({ map }) => `kubectl get configmap ${map} -n kube-system -o yaml`,
  }),
  symptom({
    id: "coredns-forbidden",
    component: undefined,
    lasting: SOON,
    sign: (seen) =>
      withoutDns(seen) &&
      matched(
        (seen.looks[REFUSED] ?? "").split("\n").toReversed(),
        /forbidden: User "(system:serviceaccount:[\w.:-]+)" cannot (list|watch) resource "(services|endpointslices|namespaces|pods)"/,
        "user",
        "verb",
        "resource",
      ),
    cause: ({ user, verb, resource, evidence }) => {
      const [, role] = /clusterrole\S* "([^"]+)" not found/.exec(evidence) ?? []
      const why = role === undefined ? "" : `: the ClusterRole ${role}, which is bound to it, does not exist`
      return `CoreDNS does not become ready, because RBAC does not let its user ${user} ${verb} ${resource}${why}`
    },
    remedy: ({ user }) =>
      `In the file of CoreDNS (coredns.yaml), a ClusterRole must allow that, and the roleRef of a ClusterRoleBinding for ${user} must name this ClusterRole.`,
    look: ({ user, verb, resource }) =>
      `kubectl auth can-i ${verb} ${resource} --as=${user}; kubectl get clusterroles,clusterrolebindings | grep -i dns`,
  }),
  symptom({
    id: "coredns-ends",
    component: undefined,
    lasting: SOON,
    sign: (seen) => withoutDns(seen) && died(({ exitCode }, _, one) => exitCode !== 0 && isCoreDns(one))(seen),
    cause: ({ exitCode, words }) =>
      `CoreDNS ends with exit code ${exitCode}, so no Pod answers for the DNS server. Its last words: ${words.split(" | ").at(-1)}`,
    remedy: ({ words, pod }) =>
      `Correct ${/Corefile:\d+/.test(words) ? "that line of the Corefile" : "what it complains of"} in the file of CoreDNS (coredns.yaml). Apply the file, and delete the Pod: kubectl delete pod ${pod} -n kube-system`,
    look: "kubectl logs -n kube-system deployment/coredns --previous; kubectl get configmap coredns -n kube-system -o yaml",
  }),
  symptom({
    id: "dns-without-endpoints",
    component: undefined,
    // Pods of CoreDNS can become ready. If there are to be none, a person must act.
    lasting: (seen) =>
      (seen.api?.deployments ?? []).some((one) => withoutReplicas.safeParse(one).success) ? SOON : undefined,
    sign: withoutDns,
    cause: ({ name }) => `no Pod answers for the DNS server: the Service ${name} has no endpoint that is ready`,
    remedy:
      "Look why: kubectl describe pods -n kube-system; kubectl logs -n kube-system deployment/coredns. A Deployment without Pods: kubectl scale deployment coredns -n kube-system --replicas=1",
    look: ({ name }) =>
      `kubectl get pods,endpointslices -n kube-system; kubectl describe service ${name} -n kube-system`,
  }),
  symptom({
    id: "disruption-budget",
    component: undefined,
    sign: said(/Cannot evict pod as it would violate the pod's disruption budget/),
    cause: "a PodDisruptionBudget does not let a Pod of this Node be evicted, so the Node cannot be drained",
    remedy:
      "Allow a disruption, or delete it: kubectl get poddisruptionbudgets -A; kubectl delete poddisruptionbudget NAME",
    look: "kubectl describe poddisruptionbudgets -A",
  }),
]

const service = z.object({ spec: z.object({ clusterIP: z.string() }) })
const ranged = z.object({ spec: z.object({ podCIDR: z.string() }) })
const addressed = z.object({
  status: z.object({ addresses: z.array(z.object({ type: z.string(), address: z.string() })) }),
})
const placed = z.object({
  spec: z.object({ nodeName: z.string(), hostNetwork: z.boolean().default(false) }),
  status: z.object({ podIP: z.string() }),
})
const approved = z.object({
  status: z.object({
    conditions: z.array(z.object({ type: z.literal("Approved") })).min(1),
    certificate: z.undefined().optional(),
  }),
})
const nodePorts = z.object({ spec: z.object({ ports: z.array(z.object({ nodePort: z.number() })) }) })
const withoutReplicas = z.object({
  metadata: z.object({ namespace: z.literal("kube-system"), name: z.literal("coredns") }),
  spec: z.object({ replicas: z.literal(0) }),
})
const corefile = z.object({ data: z.object({ Corefile: z.string() }) })
const slice = z.object({
  endpoints: z
    .array(z.object({ conditions: z.object({ ready: z.boolean().optional() }).default({}) }))
    .nullish()
    .transform((all) => all ?? []),
})

function isCoreDns({ namespace, name }: Container): boolean {
  return namespace === "kube-system" && name === "coredns"
}

/** A name that was not resolved, while the Service of the DNS server has no endpoint that is ready. */
function withoutDns(seen: Observation): Named<"name"> | undefined {
  const dns = (seen.api?.services ?? []).find(
    ({ metadata }) => metadata.namespace === "kube-system" && metadata.name === "kube-dns",
  )
  if (dns === undefined) return undefined
  const address = service.safeParse(dns).data?.spec.clusterIP ?? ""
  const unresolved =
    said(
      /bad address|can't find|no servers could be reached|server misbehaving|lookup \S+ on \S+:53|connection to the server \S+\.svc\S* was refused/,
    )(seen) ?? said(new RegExp(`${literal(address)}\\b.*refused`, "i"))(seen)
  return unresolved === undefined || endpointsOf(seen, "kube-system", dns.metadata.name) !== 0
    ? undefined
    : {
        evidence: `Service ${dns.metadata.name} has no ready endpoint: ${unresolved.evidence}`,
        name: dns.metadata.name,
      }
}

/** A text, or a part of a value, that was received in place of the expected one. */
function received<Names extends string = never>(
  seen: Observation,
  pattern: RegExp,
  ...names: readonly Names[]
): Named<Names> | undefined {
  return matched(textsIn(mismatchOf(seen)?.actual), pattern, ...names)
}

function textsIn(value: Plain | undefined): string[] {
  if (typeof value === "string") return value.split("\n")
  if (typeof value !== "object" || value === null) return []
  return Object.values(value).flatMap((part: Plain) => textsIn(part))
}

/** The number of endpoints of a Service that are ready; undefined if the EndpointSlices could not be read. */
function endpointsOf({ api }: Observation, namespace: string, name: string): number | undefined {
  return api?.endpointSlices
    ?.filter(
      ({ metadata }) => metadata.namespace === namespace && metadata.labels?.["kubernetes.io/service-name"] === name,
    )
    .flatMap((one) => slice.safeParse(one).data?.endpoints ?? [])
    .filter(({ conditions }) => conditions.ready !== false).length
}

function rangeOf({ api }: Observation, node: string | undefined): string | undefined {
  const found = (api?.nodes ?? []).find(({ metadata }: ApiObject) => metadata.name === node)
  return ranged.safeParse(found).data?.spec.podCIDR
}

/** The addresses of a Node. */
function addressesOf({ api }: Observation, node: string): string[] {
  const found = (api?.nodes ?? []).find(({ metadata }: ApiObject) => metadata.name === node)
  return (addressed.safeParse(found).data?.status.addresses ?? [])
    .filter(({ type }) => type === "InternalIP")
    .map(({ address }) => address)
}

const withBits = (range: string) => (range.includes("/") ? range : `${range}/32`)

/** Whether an address is in a range such as 10.0.0.0/24. */
function isIn(range: string, address: string): boolean {
  const [start = "", bits] = range.split("/")
  if (!/^[\d.]+$/.test(start) || !/^[\d.]+$/.test(address)) return false
  const list = new BlockList()
  list.addSubnet(start, Number(bits))
  return list.check(address)
}
