import type { CoordinationV1Api, CoreV1Api } from "@kubernetes/client-node"
import type { Access } from "../components/discovery/access.ts"

/** The Kubernetes API, typed. */
export interface Kubernetes {
  readonly core: CoreV1Api
  readonly coordination: CoordinationV1Api
}

/**
 * Clients of an API server that is reached at an address of this side; its certificate must be right for the address that the kubeconfig names.
 * @param limit how long a request may take (milliseconds)
 */
export async function kubernetes({ portable }: Access, address: string, limit: number): Promise<Kubernetes> {
  const k8s = await import("@kubernetes/client-node") // It takes half a second to load, and the first lessons do without.
  const config = new k8s.KubeConfig()
  config.loadFromString(portable)
  config.clusters = config.clusters.map((cluster) => {
    const { hostname } = new URL(cluster.server)
    const isName = /[a-z]/i.test(hostname) // TLS takes a name alone for another name than the one that is called.
    return { ...cluster, server: `https://${address}`, ...(isName ? { tlsServerName: hostname } : {}) }
  })
  const configuration = k8s.createConfiguration({
    baseServer: new k8s.ServerConfiguration(`https://${address}`, {}),
    authMethods: { default: config },
    // By itself it waits for an answer as long as the operating system does.
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
