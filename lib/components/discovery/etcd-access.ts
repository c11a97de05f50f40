import type { Machine } from "../../machines/machine.ts"
import { etcdAddress } from "./addresses.ts"
import { settingOf, type Started } from "./process.ts"

/** Files on the machine with which etcd's clients show who they are, and know whom they speak with. */
export interface EtcdTls {
  readonly ca: string
  readonly certificate: string | undefined
  readonly key: string | undefined
}

/** What etcd's clients need where it speaks TLS: what kube-apiserver shows, or else what etcd has itself; undefined where it speaks in the open. */
export function etcdTls(etcd: Started, apiserver: Started | undefined): EtcdTls | undefined {
  if (!etcdAddress(etcd).isTls) return undefined
  const of = (started: Started | undefined, flag: string) =>
    started === undefined ? undefined : settingOf(started, flag)
  return {
    ca: of(apiserver, "--etcd-cafile") ?? of(etcd, "--trusted-ca-file") ?? of(etcd, "--cert-file") ?? "",
    certificate: of(apiserver, "--etcd-certfile") ?? of(etcd, "--cert-file"),
    key: of(apiserver, "--etcd-keyfile") ?? of(etcd, "--key-file"),
  }
}

/** The variables with which etcdctl finds etcd by itself. */
export function etcdctlEnvironment(etcd: Started, apiserver: Started | undefined): Record<string, string> {
  const { host, port, isTls } = etcdAddress(etcd)
  const tls = etcdTls(etcd, apiserver)
  return {
    ETCDCTL_ENDPOINTS: `${isTls ? "https" : "http"}://${host}:${port}`,
    ...(tls === undefined ? {} : { ETCDCTL_CACERT: tls.ca }),
    ...(tls?.certificate === undefined || tls.key === undefined
      ? {}
      : { ETCDCTL_CERT: tls.certificate, ETCDCTL_KEY: tls.key }),
  }
}

/** The same as texts, for a client that is not on the machine. */
export async function readTls(
  machine: Machine,
  tls: EtcdTls,
): Promise<{ ca: Buffer; certificate: Buffer | undefined; key: Buffer | undefined }> {
  const read = (path: string | undefined) => (path === undefined ? undefined : machine.read(path))
  const [ca, certificate, key] = await Promise.all([machine.read(tls.ca), read(tls.certificate), read(tls.key)])
  return { ca, certificate, key }
}
