import type { Agent } from "node:https"
import { isIP } from "node:net"
import { checkServerIdentity } from "node:tls"
import type { CoordinationV1Api, CoreV1Api, RequestContext } from "@kubernetes/client-node"
import type { Access } from "../components/discovery/access.ts"

/** Typed clients of the Kubernetes API. */
export interface Kubernetes {
  readonly core: CoreV1Api
  readonly coordination: CoordinationV1Api
}

/**
 * Clients of a kube-apiserver that this process reaches through a forwarded port. The certificate of kube-apiserver
 * must still be valid for the server that the kubeconfig names.
 * @param address host and port of the forwarded port
 * @param limit the timeout of a request (milliseconds)
 */
export async function kubernetes({ portable }: Access, address: string, limit: number): Promise<Kubernetes> {
  // The import takes half a second, and the first lessons do not need it.
  const k8s = await import("@kubernetes/client-node")
  const config = new k8s.KubeConfig()
  config.loadFromString(portable)
  const [cluster] = config.clusters
  const { hostname } = new URL(cluster?.server ?? `https://${address}`)
  const host = cluster?.tlsServerName ?? hostname.replace(/^\[(.*)\]$/, "$1")
  const isName = isIP(host) === 0 // In TLS, a server name may be a host name but not an IP address.
  config.clusters = config.clusters.map((one) => ({
    ...one,
    server: `https://${address}`,
    ...(isName ? { tlsServerName: host } : {}),
  }))
  const configuration = k8s.createConfiguration({
    baseServer: new k8s.ServerConfiguration(`https://${address}`, {}),
    authMethods: {
      default: {
        getName: () => "kubeconfig",
        applySecurityAuthentication: async (context: RequestContext) => {
          await config.applySecurityAuthentication(context)
          // The client would compare the certificate with the address of the forwarded port. An IP address cannot be
          // sent as server name in TLS, so the comparison is replaced.
          const agent = context.getAgent() as Agent | undefined // The server's address begins with https.
          if (agent !== undefined) agent.options.checkServerIdentity = (_, shown) => checkServerIdentity(host, shown)
        },
      },
    },
    // By default the client has no timeout of its own.
    promiseMiddleware: [
      {
        pre: (request) => {
          request.setSignal(AbortSignal.timeout(limit))
          return Promise.resolve(request)
        },
        post: (response) => Promise.resolve(response),
      },
    ],
  })
  return { core: new k8s.CoreV1Api(configuration), coordination: new k8s.CoordinationV1Api(configuration) }
}
