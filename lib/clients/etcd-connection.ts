import { Etcd3, type IOptions } from "etcd3"
import type { EtcdTls } from "../components/etcd.ts"
import type { Machine } from "../machines/machine.ts"

/** The certificates and the key for TLS with etcd, in PEM format. */
export interface ClientTls {
  readonly ca: Buffer
  readonly certificate: Buffer | undefined
  readonly key: Buffer | undefined
  /** The host name or IP address that the certificate of etcd must contain. */
  readonly host: string
}

/** The options of a connection to one address of etcd. @param address host:port on this host */
export function connect(address: string, tls: ClientTls | undefined, options: Partial<IOptions>): Etcd3 {
  const identity =
    tls?.certificate === undefined || tls.key === undefined ? {} : { certChain: tls.certificate, privateKey: tls.key }
  const { grpcOptions, ...others } = options
  return new Etcd3({
    hosts: `${tls === undefined ? "http" : "https"}://${address}`,
    ...(tls === undefined ? {} : { credentials: { rootCertificate: tls.ca, ...identity } }),
    grpcOptions: {
      ...grpcOptions,
      ...(tls === undefined ? {} : { "grpc.ssl_target_name_override": tls.host }),
    },
    ...others,
  })
}

/** Reads the certificates and the key from the machine, for an etcd client that runs outside the machine. */
export async function readTls(machine: Machine, tls: EtcdTls): Promise<Omit<ClientTls, "host">> {
  const read = (path: string | undefined) => (path === undefined ? undefined : machine.read(path))
  const [ca, certificate, key] = await Promise.all([machine.read(tls.ca), read(tls.certificate), read(tls.key)])
  return { ca, certificate, key }
}
