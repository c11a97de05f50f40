import { describe, expect, test } from "vitest"
import { etcd } from "../etcd.ts"
import { probeOfComponent, settingsOf, specs, type ComponentName } from "../registry.ts"
import { sampleFacts } from "../spec.ts"
import { knownFiles, noFiles } from "./files.ts"
import { absolute, flagOf } from "./flags.ts"

const read = <Name extends ComponentName>(name: Name, line: string, files: Record<string, string> = {}, env = {}) =>
  settingsOf(name, { argv: line.split(" "), env, cwd: "/srv" }, knownFiles(files))

describe("flags", () => {
  test.each([
    ["--port=1", "1"],
    ["--port 1", "1"],
    ["-port=1", "1"],
    ["-port 1", "1"],
    ["--port=1 --port=2", "2"],
    ["--port 1 --port=2", "2"],
    ["--port=", ""],
    ["--port", ""],
    ["--port --other", ""],
    ["--other=1", undefined],
    ["--ports=1", undefined],
    ["--url=http://a?b=c", undefined],
  ])("%s", (words, expected) => {
    expect(flagOf({ argv: ["program", ...words.split(" ")] }, "--port")).toBe(expected)
  })

  test("a value keeps its equals signs; in a flag, an underscore counts as a hyphen", () => {
    expect(flagOf({ argv: ["p", "--a_b=c=d"] }, "--a-b")).toBe("c=d")
  })

  test("a relative path starts in the working directory", () => {
    expect(absolute({ cwd: "/srv" }, "./a/b")).toBe("/srv/a/b")
    expect(absolute({ cwd: "/" }, "a")).toBe("/a")
    expect(absolute({}, "/a")).toBe("/a")
    expect(absolute({}, undefined)).toBeUndefined()
    expect(absolute({ cwd: "/srv" }, "")).toBeUndefined()
  })
})

describe("etcd", () => {
  test.each([
    [
      "a member that has joined it",
      "--name=b --initial-advertise-peer-urls=http://h:2 --initial-cluster=a=http://h:1,b=http://h:2",
      true,
    ],
    [
      "another cluster",
      "--name=alone --initial-advertise-peer-urls=http://h:9 --initial-cluster=alone=http://h:9",
      false,
    ],
    [
      "the same member, started twice",
      "--name=a --initial-advertise-peer-urls=http://h:1 --initial-cluster=a=http://h:1",
      false,
    ],
    ["an etcd without these flags", "", false],
  ])("its fellow is %s", (_, line, isFellow) => {
    const own = read("etcd", "etcd --name=a --initial-advertise-peer-urls=http://h:1 --initial-cluster=a=http://h:1")
    const other = read("etcd", `etcd ${line}`)
    expect([etcd.isFellow?.(own, other), etcd.isFellow?.(other, own)]).toEqual([isFellow, isFellow])
  })

  test("defaults", () => {
    expect(read("etcd", "etcd")).toMatchObject({
      address: { host: "127.0.0.1", port: 2379 },
      isTls: false,
      dataDir: "/srv/default.etcd",
    })
  })

  test("a flag has priority over the environment", () => {
    const env = { ETCD_DATA_DIR: "/env", ETCD_LISTEN_CLIENT_URLS: "http://127.0.0.1:1" }
    expect(read("etcd", "etcd --data-dir=/flag", {}, env)).toMatchObject({ dataDir: "/flag", address: { port: 1 } })
  })

  test.each([
    [
      "YAML",
      "'data-dir': \"store\"\nlisten-client-urls: >-\n  https://127.0.0.1:3\n# data-dir: /no\nclient-transport-security:\n  cert-file: /c\n",
    ],
    [
      "JSON",
      '{"data-dir":"store","listen-client-urls":"https://127.0.0.1:3","client-transport-security":{"cert-file":"/c"}}',
    ],
  ])("with a configuration file in %s, flags and environment are ignored", (_, text) => {
    for (const [line, env] of [
      ["etcd --config-file /f --data-dir=/flag --cert-file=/flag", { ETCD_DATA_DIR: "/env" }],
      ["etcd --data-dir=/flag", { ETCD_CONFIG_FILE: "/f", ETCD_DATA_DIR: "/env" }],
    ] as const)
      expect(read("etcd", line, { "/f": text }, env)).toMatchObject({
        dataDir: "/srv/store",
        address: { port: 3 },
        isTls: true,
        certificate: "/c",
      })
  })
})

describe("kube-scheduler", () => {
  const config = "clientConnection: { kubeconfig: '/k' }\nleaderElection:\n  leaderElect: false\n"

  test("with a configuration file, the file names the kubeconfig and the flag is ignored", () => {
    expect(read("kube-scheduler", "kube-scheduler --config=/c --kubeconfig=/flag", { "/c": config })).toMatchObject({
      kubeconfig: "/k",
      electsLeader: false,
    })
    expect(read("kube-scheduler", "kube-scheduler --kubeconfig=/flag")).toMatchObject({
      kubeconfig: "/flag",
      electsLeader: true,
    })
  })

  test("--leader-elect has priority over the file", () => {
    const line = "kube-scheduler --config=/c --leader-elect=true"
    expect(read("kube-scheduler", line, { "/c": config }).electsLeader).toBe(true)
  })
})

describe("kubelet", () => {
  const files = {
    "/k": 'port: 1\n"healthzPort": 2\nauthentication: { x509: { clientCAFile: /ca } }\n',
    "/d/20.conf": '{"port":3,"healthzPort":4}',
    "/d/10.conf": "healthzPort: 5\ntlsCertFile: '/own'\n",
    "/d/30.yaml": "port: 9\n",
    "/d/deep/40.conf": "containerRuntimeEndpoint: unix:///r\n",
  }

  test("files in --config-dir have priority over --config, in the order of their paths; flags have priority over all files", () => {
    expect(read("kubelet", "kubelet --config=/k --config-dir=/d --healthz-port=6", files)).toMatchObject({
      address: { host: "127.0.0.1", port: 3 },
      healthz: { port: 6 },
      certificate: "/own",
      clientCa: "/ca",
      runtime: "unix:///r",
    })
    expect(read("kubelet", "kubelet --config=/k", files)).toMatchObject({ address: { port: 1 }, healthz: { port: 2 } })
  })

  test("a file that is not YAML sets no value", () => {
    expect(read("kubelet", "kubelet --config=/k", { "/k": "a: b: c\n" }).address.port).toBe(10_250)
  })
})

describe("containerd", () => {
  test("every notation of TOML tables is read, imports have priority, and versions 2 and 3 are supported", () => {
    const files = {
      "/etc/containerd/config.toml": "version = 2\nimports = ['conf.d/*.toml', '/more.toml']\ngrpc.address = '/no'\n",
      "/etc/containerd/conf.d/b.toml": '[grpc]\naddress = "/b.sock"\n',
      "/etc/containerd/conf.d/a.toml": "grpc = { 'address' = '''/a.sock''' }\n",
      "/more.toml": '[plugins.\'io.containerd.grpc.v1.cri\']\nsandbox_image = \'p\'\ncni.conf_dir = """/net"""\n',
    }
    expect(read("containerd", "containerd", files)).toMatchObject({
      socket: "/b.sock",
      cniFolder: "/net",
      pauseImage: "p",
    })
  })

  test("circular imports are read once each", () => {
    const files = { "/a": "imports = ['/b']\nroot = '/ra'\n", "/b": "imports = ['/a']\nroot = '/rb'\n" }
    expect(read("containerd", "containerd -c /a", files).root).toBe("/rb")
  })
})

test("the settings of every component can be read without flags and files", () => {
  for (const { name, program } of specs) expect(() => settingsOf(name, { argv: [program] }, noFiles)).not.toThrow()
})

test("each component of our own cluster is probed at its own address", () => {
  const asked = specs.map(({ name, describe: describeIt }) => {
    const probe = probeOfComponent(describeIt(sampleFacts))
    const question =
      probe.by === "http"
        ? `${probe.tls === undefined ? "http" : "https"}://${probe.host}:${probe.port}${probe.path}`
        : probe.argv.join(" ")
    return [name, question] as const
  })
  expect(new Set(asked.map(([, question]) => question)).size).toBe(specs.length)
  expect(Object.fromEntries(asked)).toMatchObject({
    etcd: "http://127.0.0.1:2379/health",
    "kube-apiserver": "https://127.0.0.1:6443/readyz",
    "kube-scheduler": "https://127.0.0.1:10259/readyz",
    registry: "http://127.0.0.1:5000/v2/",
    containerd: "ctr version",
    kubelet: "http://127.0.0.1:10248/healthz",
  })
})

test("a file that only its container has is read in the root folder of the process", () => {
  const files = knownFiles({ "/proc/7/root/config.conf": "mode: nftables" })
  const argv = ["kube-proxy", "--config=/config.conf"]
  expect(settingsOf("kube-proxy", { argv, root: "/proc/7/root" }, files).mode).toBe("nftables")
  expect(settingsOf("kube-proxy", { argv }, files).mode).toBe("iptables")
})
