import { expect, test } from "vitest"
import { apiserver } from "./apiserver.ts"
import { argvOf, logOf, type Component } from "./component.ts"
import { containerd } from "./containerd.ts"
import { etcd } from "./etcd.ts"
import { kubelet } from "./kubelet.ts"
import { registry } from "./registry.ts"
import { scheduler } from "./scheduler.ts"

const api = { etcdPort: 2379, port: 6443, token: "t0ken", storage: "json" } as const
const all = [
  etcd({ dataDir: "/var/lib/etcd", port: 2379 }),
  apiserver(api),
  scheduler({ port: 10259 }),
  registry({ port: 5000 }),
  kubelet({ port: 10250, nodeIp: "10.77.0.2" }),
  containerd({ pauseImage: "registry.k8s.io/pause:3.10", registryPort: 5000, mayAdjustOomScore: false }),
]
/** The flags that the workshop itself types: those that need no reason. */
const workshop = (component: Component) =>
  argvOf({ ...component, flags: component.flags.filter(({ why }) => why === undefined) })

test("the workshop's flags, exactly", () => {
  expect(workshop(etcd({ dataDir: "/var/lib/etcd", port: 2379 }))).toEqual([
    "etcd",
    "--data-dir=/var/lib/etcd",
    "--listen-client-urls=http://127.0.0.1:2379",
    "--advertise-client-urls=http://127.0.0.1:2379",
  ])
  expect(workshop(apiserver({ ...api, storage: "protobuf" }))).toEqual([
    "kube-apiserver",
    "--etcd-servers=http://127.0.0.1:2379",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--bind-address=127.0.0.1",
    "--secure-port=6443",
    "--token-auth-file=/etc/kubernetes/tokens.csv",
    "--authorization-mode=AlwaysAllow",
  ])
  expect(workshop(scheduler({ port: 10259 }))).toEqual([
    "kube-scheduler",
    "--kubeconfig=/root/.kube/config",
    "--secure-port=10259",
  ])
  expect(workshop(kubelet({ port: 10250, nodeIp: "10.77.0.2" }))).toEqual([
    "kubelet",
    "--kubeconfig=/root/.kube/config",
    "--config=/etc/kubernetes/kubelet.yaml",
  ])
  expect(argvOf(registry({ port: 5000 }))).toEqual(["crane", "registry", "serve", "--address=127.0.0.1:5000"])
})

test("objects are JSON in etcd where they are to be read, and protobuf by default", () => {
  expect(argvOf(apiserver(api))).toContain("--storage-media-type=application/json")
  expect(argvOf(apiserver({ ...api, storage: "protobuf" })).join(" ")).not.toContain("storage-media-type")
})

test("nothing skips verification, takes strangers, or listens beyond loopback", () => {
  const text = JSON.stringify(all)
  expect(text).not.toMatch(/insecure|skip[-_]?verify/i)
  expect(text).not.toMatch(/0\.0\.0\.0(?!\/)|:::|"--[\w-]*bind-address","value":"(?!127\.)/)
  expect(all.at(-2)?.files[0]?.content).toContain("anonymous: { enabled: false }")
})

test("the token is in a file for its owner alone, and on no command line", () => {
  const component = apiserver(api)
  expect(component.files).toEqual([
    { path: "/etc/kubernetes/tokens.csv", content: 't0ken,admin,admin,"system:masters"\n', mode: 0o600 },
  ])
  expect(argvOf(component).join(" ")).not.toContain("t0ken")
})

test("a reason is a clause, every component has a log of its own name", () => {
  for (const { why } of all.flatMap(({ flags }) => flags)) if (why !== undefined) expect(why).toMatch(/^\w.{8,}[^.]$/)
  expect(logOf("etcd")).toBe("/var/log/byhand/etcd.log")
})

test("containerd may adjust OOM scores only where the machine may", () => {
  const content = (mayAdjustOomScore: boolean) =>
    containerd({ pauseImage: "p", registryPort: 1, mayAdjustOomScore }).files[0]?.content
  expect(content(false)).toContain("restrict_oom_score_adj = true")
  expect(content(true)).toContain("restrict_oom_score_adj = false")
})
