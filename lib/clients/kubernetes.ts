import type { CoordinationV1Api, CoreV1Api } from "@kubernetes/client-node"
import type { Access } from "../discovery/access.ts"

/** The Kubernetes API, typed. */
export interface Kubernetes {
  readonly core: CoreV1Api
  readonly coordination: CoordinationV1Api
}

/** Clients of an API server that is reached at an address of this side; its certificate must be right for the address that the kubeconfig names. */
export async function kubernetes({ portable }: Access, address: string): Promise<Kubernetes> {
  const k8s = await import("@kubernetes/client-node") // It takes half a second to load, and the first lessons do without.
  const config = new k8s.KubeConfig()
  config.loadFromString(portable)
  config.clusters = config.clusters.map((cluster) => {
    const { hostname } = new URL(cluster.server)
    const isName = /[a-z]/i.test(hostname) // TLS takes a name alone for another name than the one that is called.
    return { ...cluster, server: `https://${address}`, ...(isName ? { tlsServerName: hostname } : {}) }
  })
  return {
    core: config.makeApiClient(k8s.CoreV1Api),
    coordination: config.makeApiClient(k8s.CoordinationV1Api),
  }
}
