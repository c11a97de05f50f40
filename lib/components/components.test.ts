import { expect, test } from "vitest"
import { argvOf, logOf, type Component } from "./component.ts"
import { probeOfComponent, specOf, specs, type ComponentName } from "./registry.ts"
import { withPki } from "./secured.ts"

const facts = {
  token: "t0ken",
  encryptionKey: "",
  bootstrapToken: "b.b",
  node: "byhand",
  nodeIp: "10.77.0.2",
  pauseImage: "registry.k8s.io/pause:3.10",
  images: ["docker.io/library/nginx:latest"],
  mayAdjustOomScore: false,
}
const all = specs.map(({ describe }) => describe(facts))
const component = (name: ComponentName) => specOf(name).describe(facts)
/** The command line with the flags of the original workshop only: these flags have no `why`. */
const workshop = (one: Component) => argvOf({ ...one, flags: one.flags.filter(({ why }) => why === undefined) })

test("the flags of the original workshop are complete and unchanged", () => {
  expect(workshop(component("etcd"))).toEqual([
    "etcd",
    "--data-dir=/var/lib/etcd",
    "--listen-client-urls=http://127.0.0.1:2379",
    "--advertise-client-urls=http://127.0.0.1:2379",
  ])
  expect(workshop(component("kube-apiserver"))).toEqual([
    "kube-apiserver",
    "--etcd-servers=http://127.0.0.1:2379",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--bind-address=127.0.0.1",
    "--secure-port=6443",
    "--token-auth-file=/etc/kubernetes/tokens.csv",
    "--authorization-mode=AlwaysAllow",
  ])
  expect(workshop(component("kube-scheduler"))).toEqual([
    "kube-scheduler",
    "--kubeconfig=/root/.kube/config",
    "--secure-port=10259",
  ])
  expect(workshop(component("kubelet"))).toEqual([
    "kubelet",
    "--kubeconfig=/root/.kube/config",
    "--config=/etc/kubernetes/kubelet.yaml",
  ])
  expect(argvOf(component("registry"))).toEqual(["crane", "registry", "serve", "--address=127.0.0.1:5000"])
})

test("kube-apiserver stores objects as JSON, so that people can read them in etcd", () => {
  expect(argvOf(component("kube-apiserver"))).toContain("--storage-media-type=application/json")
})

test("the images on the machine are pushed to the registry", () => {
  expect(component("registry").completion?.map(({ argv }) => argv.join(" "))).toEqual([
    "crane push /opt/images/docker.io_library_nginx_latest.tar 127.0.0.1:5000/library/nginx:latest --insecure",
  ])
})

test("no component skips verification, accepts anonymous clients, or listens on an address other than loopback", () => {
  // crane push needs --insecure, because the registry on loopback does not use TLS.
  const text = JSON.stringify(all.map((one) => ({ ...one, completion: [] })))
  expect(text).not.toMatch(/insecure|skip[-_]?verify/i)
  expect(text).not.toMatch(/0\.0\.0\.0(?!\/)|:::|"--[\w-]*bind-address","value":"(?!127\.)/)
  expect(component("kubelet").files[0]?.content).toContain("anonymous: { enabled: false }")
})

test("the token is in a file that only its owner can read, and on no command line", () => {
  const apiserver = component("kube-apiserver")
  expect(apiserver.files).toEqual([
    { path: "/etc/kubernetes/tokens.csv", content: 't0ken,admin,admin,"system:masters"\n', mode: 0o600 },
  ])
  expect(argvOf(apiserver).join(" ")).not.toContain("t0ken")
})

test("each `why` is a clause, and a log file has the name of its component", () => {
  for (const { why } of all.flatMap(({ flags }) => flags)) if (why !== undefined) expect(why).toMatch(/^\w.{8,}[^.]$/)
  expect(logOf("etcd")).toBe("/var/log/byhand/etcd.log")
})

test("containerd may adjust OOM scores only if the machine may", () => {
  const content = (mayAdjustOomScore: boolean) =>
    specOf("containerd").describe({ ...facts, mayAdjustOomScore }).files[0]?.content
  expect(content(false)).toContain("restrict_oom_score_adj = true")
  expect(content(true)).toContain("restrict_oom_score_adj = false")
})

test("with the PKI, every address is reached by TLS, no token is accepted, and no other user reads a secret", () => {
  const secured = Object.entries(withPki).map(([name, change]) => change(component(name as ComponentName), facts)) // The names of the list.
  expect(JSON.stringify(secured)).not.toMatch(/http:\/\/|--token-auth-file|AlwaysAllow|t0ken/)
  for (const { path, content, mode } of secured.flatMap(({ files }) => files))
    if (/secret:|client-key/.test(content)) expect({ path, mode }).toEqual({ path, mode: 0o600 })
  const [etcd] = secured
  expect(etcd && probeOfComponent(etcd)).toMatchObject({
    tls: {
      certificate: "/etc/kubernetes/pki/etcd/server.crt",
      trust: expect.arrayContaining(["/etc/kubernetes/pki/etcd/ca.crt"]) as string[],
    },
  })
})
