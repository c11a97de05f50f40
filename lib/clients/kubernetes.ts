import type { CoordinationV1Api, CoreV1Api } from "@kubernetes/client-node"
import { kubeconfig } from "../kubeconfig/kubeconfig.ts"

/** The Kubernetes API, typed. */
export interface Kubernetes {
  readonly core: CoreV1Api
  readonly coordination: CoordinationV1Api
}

/** Clients of the API server at an address of this side, whose certificate must be signed by the CA. */
export async function kubernetes(options: { address: string; ca: Buffer; token: string }): Promise<Kubernetes> {
  const k8s = await import("@kubernetes/client-node") // It takes half a second to load, and the first lessons do without.
  const config = new k8s.KubeConfig()
  config.loadFromString(kubeconfig({ server: `https://${options.address}`, ca: { pem: options.ca }, token: options.token }))
  return {
    core: config.makeApiClient(k8s.CoreV1Api),
    coordination: config.makeApiClient(k8s.CoordinationV1Api),
  }
}
