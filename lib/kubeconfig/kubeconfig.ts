/** The kubeconfig that every client and component of the lessons uses. kubectl reads this path by default. */
export const KUBECONFIG_FILE = "/root/.kube/config"

/**
 * The address of a cluster and the credentials for it.
 * https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
 */
export interface KubeconfigOptions {
  /** https://host:port */
  readonly server: string
  /** The certificate of the CA: a path, or PEM text to embed. */
  readonly ca: { readonly file: string } | { readonly pem: Buffer }
  readonly token: string
}

/** A kubeconfig with one cluster, one user and one context. */
export function kubeconfig({ server, ca, token }: KubeconfigOptions): string {
  const authority =
    "file" in ca ? `certificate-authority: ${ca.file}` : `certificate-authority-data: ${ca.pem.toString("base64")}`
  return `apiVersion: v1
kind: Config
clusters:
- name: byhand
  cluster:
    server: ${server}
    ${authority}
users:
- name: admin
  user:
    token: ${token}
contexts:
- name: byhand
  context: { cluster: byhand, user: admin }
current-context: byhand
`
}
