import type { CoordinationV1Api, CoreV1Api } from "@kubernetes/client-node"
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
  config.clusters = config.clusters.map((cluster) => {
    const { hostname } = new URL(cluster.server)
    const isName = /[a-z]/i.test(hostname) // In TLS, a server name may be a host name but not an IP address.
    return { ...cluster, server: `https://${address}`, ...(isName ? { tlsServerName: hostname } : {}) }
  })
  const configuration = k8s.createConfiguration({
    baseServer: new k8s.ServerConfiguration(`https://${address}`, {}),
    authMethods: { default: config },
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
