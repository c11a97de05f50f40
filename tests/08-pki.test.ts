import {
  cannotCheck,
  eventually,
  expect,
  hello,
  type Kit,
  lesson,
  manifest,
  pki,
  portsOf,
  settingOf,
} from "../lib/lesson.ts"

/**
 * The servers whose ports must be closed to strangers. containerd's port serves only what the kubelet has announced.
 */
const SERVERS = ["etcd", "kube-apiserver", "kube-scheduler", "kubelet"] as const

/** Paths that answer with data. A port that serves nothing but health has none of them. */
const PATHS = ["/", "/metrics", "/pods", "/api/v1/namespaces"]

/**
 * The addresses on which the components listen, as their sockets tell. Those on loopback at which etcd serves its
 * metrics to probes do not count: they tell nothing of the cluster's objects.
 */
async function addresses({ machine, part }: Kit): Promise<string[]> {
  const running = SERVERS.map((name) => part(name)).filter(({ isRunning }) => isRunning)
  const found = await Promise.all(running.map(({ pid }) => portsOf(machine, pid)))
  for (const [at, { settings }] of running.entries())
    expect(found[at]).toContainEqual(expect.stringMatching(new RegExp(`:${settings.address?.port ?? 0}$`)))
  const metrics = (settingOf(part("etcd"), "--listen-metrics-urls") ?? "").split(",")
  return found.flat().filter((address) => !(address.startsWith("127.") && metrics.includes(`http://${address}`)))
}

/** Asks each address for each path, and returns those that were answered. @param options of curl */
async function answered({ sh }: Kit, scheme: string, at: readonly string[], options = ""): Promise<string[]> {
  const urls = at.flatMap((address) => PATHS.map((path) => `${scheme}://${address}${path}`))
  const curl = `curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' ${options}`
  const statuses = await sh(`for url in ${urls.join(" ")}; do echo "$(${curl} $url || true) $url"; done`)
  expect(statuses.split("\n")).toHaveLength(urls.length)
  return statuses.split("\n").filter((line) => /^[23]/.test(line))
}

/** The kubeconfig with which a component reaches kube-apiserver. */
function kubeconfigOf({ part }: Kit, name: (typeof SERVERS)[number]): string {
  return part(name).settings.kubeconfig ?? "none"
}

/** Copies the CA of kube-apiserver's clients to a file. @returns that file and the file with the CA's key */
async function caOf({ sh, access, apiserver, onCleanup }: Kit): Promise<{ ca: string; key: string }> {
  const ca = "/tmp/byhand-ca.crt"
  onCleanup(() => sh(`rm -f ${ca}*`))
  // A kubeconfig that verifies nothing names no CA.
  const { ca: trusted } = await access()
  if (trusted.length > 0) await sh(`cat >${ca}`, { input: trusted.toString() })
  else await sh(`cp ${settingOf(apiserver, "--client-ca-file")} ${ca}`)
  const key = await sh(
    `for key in $(grep -rlsE '^-----BEGIN ([A-Z]+ )?PRIVATE KEY' /etc /root); do [ "$(openssl pkey -in $key -pubout)" != "$(openssl x509 -in ${ca} -noout -pubkey)" ] || echo $key; done`,
  )
  return key === "" ? cannotCheck("the key of the CA is not on the machine") : { ca, key: key.split("\n")[0] ?? "" }
}

/**
 * The flag with which kubectl reaches a kube-apiserver that encrypts Secrets: the cluster's own, or, if the learner has
 * no script for this lesson, a second one. Lesson 03 wants Secrets that can be read in etcd.
 */
async function encrypting({ apiserver, at, sh, hasScript, onCleanup }: Kit): Promise<string> {
  if (hasScript || settingOf(apiserver, "--encryption-provider-config") !== undefined) return ""
  const file = "/tmp/byhand-encryption.yaml"
  onCleanup(() => sh(`rm -f ${file}`))
  await sh(`umask 077; sed "s#KEY#$(head -c 32 /dev/urandom | base64)#" >${file}`, {
    input: `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers: [{ secretbox: { keys: [{ name: first, secret: KEY }] } }, { identity: {} }]
`,
  })
  const { host, port } = await at.server()
  const second = await apiserver.another({ "--secure-port": String(port + 1), "--encryption-provider-config": file })
  onCleanup(() => second.kill())
  return `--server=https://${host}:${port + 1}`
}

/** The serial number of the certificate that kube-apiserver shows. */
async function serial({ sh, at }: Kit): Promise<string> {
  const { host, port } = await at.server()
  return sh(`openssl s_client -connect ${host}:${port} </dev/null 2>/dev/null | openssl x509 -noout -serial`)
}

/**
 * Replaces the certificate of kube-apiserver, until the outcome ends, by one with the same names and the same key.
 * @param validity its dates, as options of openssl-ca(1); other commands of OpenSSL cannot make an expired certificate
 * @returns its serial number
 */
async function reissue(kit: Kit, validity: string): Promise<string> {
  const { sh, apiserver, onCleanup } = kit
  const { ca, key } = await caOf(kit)
  const [file, itsKey] = [settingOf(apiserver, "--tls-cert-file"), settingOf(apiserver, "--tls-private-key-file")]
  const before = await serial(kit)
  await sh(
    `openssl x509 -in ${file} -signkey ${itsKey} -x509toreq -copy_extensions copy -out ${ca}.csr
cat >${ca}.cnf
: >${ca}.index
openssl ca -batch -config ${ca}.cnf -cert ${ca} -keyfile ${key} -in ${ca}.csr ${validity} -notext -out ${ca}.new
cp ${file} ${ca}.before`,
    {
      input: `[ca]
default_ca = own
[own]
database = ${ca}.index
rand_serial = yes
new_certs_dir = /tmp
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = optional
`,
    },
  )
  onCleanup(async () => {
    await sh(`cat ${ca}.before >${file}`)
    await eventually(() => serial(kit)).toBe(before)
  })
  await sh(`cat ${ca}.new >${file}`)
  return sh(`openssl x509 -in ${ca}.new -noout -serial`)
}

lesson(pki, ({ test }) => {
  test("every port of the components refuses plain HTTP", async (kit) => {
    const at = await addresses(kit)
    expect(await answered(kit, "http", at)).toEqual([])
    kit.evidence(`no plain HTTP on ${at.join(", ")}`)
  })

  test("every port refuses a client whose certificate another CA has signed", async (kit) => {
    const { sh, onCleanup } = kit
    onCleanup(() => sh("rm -f /tmp/other.crt /tmp/other.key"))
    await sh(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=system:masters/CN=admin -keyout /tmp/other.key -out /tmp/other.crt 2>/dev/null",
    )
    const at = await addresses(kit)
    expect(await answered(kit, "https", at, "--insecure --cert /tmp/other.crt --key /tmp/other.key")).toEqual([])
  })

  test("each serving certificate has the names that its clients use", async (kit) => {
    const { sh, kubectl, apiserver, at, node, part } = kit
    const service = await kubectl("get service kubernetes -o jsonpath={.spec.clusterIP}")
    const here = ["127.0.0.1", ...(await sh("hostname -I")).trim().split(" ")]
    const etcd = (settingOf(apiserver, "--etcd-servers") ?? "").split(",").map((url) => new URL(url))
    const byAddress = (settingOf(apiserver, "--kubelet-preferred-address-types") ?? "").startsWith("InternalIP")
    const { host, port } = await at.server()
    const uses: [string, number, string][] = [
      ...[host, service, "kubernetes.default.svc"].map((name): [string, number, string] => [host, port, name]),
      // The members on other machines are those of a later lesson.
      ...etcd
        .filter(({ hostname }) => !/^[\d.]+$/.test(hostname) || here.includes(hostname))
        .map(({ hostname, port }): [string, number, string] => [hostname, Number(port), hostname]),
    ]
    const kubelet = part("kubelet").isRunning ? await at.kubelet() : undefined
    if (kubelet?.isVerified === true) {
      const address = `get node ${node()} -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'`
      uses.push([kubelet.host, kubelet.port, byAddress ? await kubectl(address) : node()])
    }
    const answers = uses.map(async ([host, port, name]) => {
      const check = /^[\d.]+$/.test(name) ? "checkip" : "checkhost"
      return sh(
        `openssl s_client -connect ${host}:${port} </dev/null 2>/dev/null | openssl x509 -noout -${check} ${name}`,
      )
    })
    expect(await Promise.all(answers)).toEqual(
      uses.map(([, , name]) => expect.stringContaining(`${name} does match certificate`) as string),
    )
    kit.evidence(`certificates for ${uses.map(([, , name]) => name).join(", ")}`)
  })

  test("private keys can be read by their owner only", async ({ sh, apiserver }) => {
    const found = await sh(
      `find /etc /root /var/lib/kubelet -xdev -type f -size -64k -exec grep -lsE '^-----BEGIN ([A-Z]+ )?PRIVATE KEY|^ *client-key-data:' {} + | xargs stat --format='%a %n'`,
    )
    const files = found.split("\n")
    expect(found).toContain(` ${settingOf(apiserver, "--tls-private-key-file")}`)
    expect(files.filter((line) => !/^\d?[0-7]00 /.test(line))).toEqual([])
  })

  test("without credentials kube-apiserver answers nothing but health checks", async ({ ask, evidence }) => {
    const paths = ["/api/v1/namespaces", "/api/v1/secrets", "/apis", "/metrics", "/openapi/v2", "/logs/"]
    const statuses = await Promise.all(paths.map((path) => ask(path)))
    expect(statuses.map((status) => (status === 403 ? 401 : status))).toEqual(paths.map(() => 401))
    evidence(`/readyz: ${await ask("/readyz")}, ${paths.join(", ")}: ${[...new Set(statuses)].join(", ")}`)
  })

  test("each component authenticates as itself", async (kit) => {
    const { kubectl, node, part, evidence } = kit
    const whoami = (name: (typeof SERVERS)[number]) =>
      kubectl(
        `--kubeconfig=${kubeconfigOf(kit, name)} auth whoami -o jsonpath={.status.userInfo.username},{.status.userInfo.groups}`,
      )
    expect(await whoami("kube-scheduler")).toMatch(/^system:kube-scheduler,/)
    if (!part("kubelet").isRunning) return
    const [name, groups = ""] = (await whoami("kubelet")).split(/,(.*)/)
    expect(name).toBe(`system:node:${node()}`)
    expect(JSON.parse(groups)).toContain("system:nodes")
    evidence(`system:kube-scheduler, and system:node:${node()} in system:nodes`)
  })

  test("a user without a role gets 403, and a RoleBinding grants its rules only, in its namespace only", async (kit) => {
    const { kubectl, ask, nonce, onCleanup, evidence } = kit
    const jane = `jane-${nonce}`
    onCleanup(() => kubectl(`delete serviceaccount/${jane} role/${jane} rolebinding/${jane} --ignore-not-found`))
    await kubectl(`create serviceaccount ${jane}`)
    const token = await kubectl(`create token ${jane}`)
    const list = async (path: string) => `${path} ${await ask(`/api/v1/namespaces/${path}`, token)}`
    expect(await list("default/pods")).toBe("default/pods 403")

    await kubectl(`create role ${jane} --verb=list --resource=pods`)
    await kubectl(`create rolebinding ${jane} --role=${jane} --serviceaccount=default:${jane}`)
    await eventually(() => list("default/pods")).toBe("default/pods 200")
    const refused = ["default/secrets", "default/pods/any", "kube-public/pods"]
    expect(await Promise.all(refused.map(list))).toEqual(refused.map((path) => `${path} 403`))
    evidence(`${jane} may list Pods in default; ${refused.join(", ")}: 403`)
  })

  test("a kubelet can neither read a Secret that none of its Pods uses nor change another Node", async (kit) => {
    const { kubectl, node, nonce, onCleanup, evidence } = kit
    const asKubelet: Kit["kubectl"] = (line, options) =>
      kubectl(`--kubeconfig=${kubeconfigOf(kit, "kubelet")} ${line}`, options)
    onCleanup(() =>
      kubectl("delete pod/reader secret/used secret/other node/paper --ignore-not-found --grace-period=1 --wait=false"),
    )
    await kubectl(`create secret generic used --from-literal=k=${nonce}`)
    await kubectl(`create secret generic other --from-literal=k=${nonce}`)
    const reader = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "reader" },
      spec: {
        nodeName: node(),
        containers: [{ name: "nginx", image: "nginx", envFrom: [{ secretRef: { name: "used" } }] }],
      },
    }
    await kubectl("create -f -", { input: JSON.stringify(reader) })
    await eventually(() => asKubelet("get secret used -o jsonpath={.data.k}")).toBe(
      Buffer.from(nonce).toString("base64"),
    )
    await expect(asKubelet("get secret other")).rejects.toThrow("Forbidden")

    await kubectl("create -f -", { input: await manifest("node.yaml") })
    const change = async (name: string) => {
      const object = JSON.parse(await kubectl(`get node ${name} -o json`)) as { metadata: { annotations?: object } }
      object.metadata.annotations = { ...object.metadata.annotations, changed: nonce }
      return asKubelet(`replace --raw=/api/v1/nodes/${name} -f -`, { input: JSON.stringify(object) })
    }
    await eventually(() => change(node())).toContain(nonce) // Its own Node; the kubelet itself may write in between.
    await expect(change("paper")).rejects.toThrow("orbidden")
    evidence(`system:node:${node()} reads the Secret of its Pod and changes its own Node, and is refused others`)
  })

  test("kubectl logs and exec reach the kubelet, which refuses a certificate without that role", async (kit) => {
    const { kubectl, at, node } = kit
    await hello(kit)
    expect(await kubectl("exec hello -- echo reached")).toBe("reached")
    await expect(kubectl("logs hello")).resolves.toEqual(expect.any(String))
    const { host, port, ca } = await at.kubelet()
    await expect(
      kubectl(
        `--kubeconfig=${kubeconfigOf(kit, "kubelet")} --server=https://${host}:${port} --certificate-authority=${ca} --tls-server-name=${node()} get --raw=/pods`,
      ),
    ).rejects.toThrow("Forbidden")
  })

  test("a new Secret is unreadable in etcd, and an old one becomes unreadable when it is rewritten", async (kit) => {
    const { store, nonce, onCleanup, evidence } = kit
    const server = await encrypting(kit)
    const kubectl: Kit["kubectl"] = (line, options) => kit.kubectl(`${server} ${line}`, options)
    const key = (name: string) => `/registry/secrets/default/${name}`
    const read = (name: string) => kubectl(`get secret ${name} -o jsonpath={.data.k}`)
    const secret = Buffer.from(`secret-${nonce}`).toString("base64")
    const old = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "old", namespace: "default", uid: "f1e0a1de-0000-4000-8000-000000000008" },
      type: "Opaque",
      data: { k: secret },
    }
    onCleanup(() => store.delete(key("old")))
    onCleanup(() => kubectl("delete secret new --ignore-not-found"))
    // As kube-apiserver stored it before it encrypted Secrets.
    await store.put(key("old"), JSON.stringify(old))
    expect(await read("old")).toBe(secret)

    await kubectl(`create secret generic new --from-literal=k=secret-${nonce}`)
    expect(await read("new")).toBe(secret)
    expect((await store.get(key("new")))?.value).toMatch(/^k8s:enc:\w+:v\d:/)

    await kubectl("replace -f -", { input: await kubectl("get secret old -o json") })
    expect(await read("old")).toBe(secret)
    const [provider] = /^k8s:enc:\w+:v\d:/.exec((await store.get(key("old")))?.value ?? "") ?? []
    expect((await store.get(key("old")))?.value).not.toContain(secret)
    expect(provider).toBeDefined()
    evidence(`the Secret old was plain and is now ${provider}…`)
  })

  test("a certificate that is renewed while kube-apiserver runs is picked up", async (kit) => {
    const { kubectl, apiserver, evidence } = kit
    const { pid } = apiserver
    const renewed = await reissue(kit, "-days 30")
    await eventually(() => serial(kit)).toBe(renewed)
    await kubectl("get namespaces")
    expect(apiserver.pid).toBe(pid)
    evidence(`kube-apiserver, pid ${pid}, shows the new certificate: ${renewed}`)
  })

  test("an expired certificate is refused, and the refusal says so", async (kit) => {
    const expired = await reissue(kit, "-startdate 20200101000000Z -enddate 20200102000000Z")
    await eventually(() => serial(kit)).toBe(expired)
    await expect(kit.kubectl("get namespaces")).rejects.toThrow("certificate has expired")
  })

  test("what lessons 01 to 07 have shown still holds", async (kit) => {
    const { etcdctl, kubectl, apiserver, scheduler, stored, nonce, node, onCleanup } = kit
    onCleanup(() => kubectl("delete pod/late configmap/late --ignore-not-found --grace-period=1 --wait=false"))
    expect(await etcdctl(`put /hello ${nonce}`)).toBe("OK")
    expect(await etcdctl("get /hello --print-value-only")).toBe(nonce)
    await kubectl(`create configmap late --from-literal=k=${nonce}`)
    expect(await stored("/registry/configmaps/default/late")).toMatchObject({ data: { k: nonce } })
    await hello(kit)
    const identity = "get pod hello -o jsonpath={.metadata.uid},{.status.containerStatuses[0].containerID}"
    const before = await kubectl(identity)
    await Promise.all([scheduler.kill(), apiserver.kill()])
    await expect(kubectl("get pods")).rejects.toThrow("refused")
    await Promise.all([apiserver.start(), scheduler.start()])
    expect(await kubectl(identity)).toBe(before)
    await kubectl("run late --image=nginx")
    await eventually(() => kubectl("get pod late -o jsonpath={.spec.nodeName},{.status.phase}")).toBe(
      `${node()},Running`,
    )
    kit.evidence("etcd, objects, scheduling, a Pod and a restart of the control plane, all over TLS")
  })
})
