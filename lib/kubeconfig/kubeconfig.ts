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
  /** The credentials of the user: a token, or the paths of a client certificate and its key. */
  readonly user: { readonly token: string } | { readonly certificate: string; readonly key: string }
  /** The user's name in the kubeconfig; by default admin. */
  readonly name?: string
}

/** A kubeconfig with one cluster, one user and one context. */
export function kubeconfig({ server, ca, user, name = "admin" }: KubeconfigOptions): string {
  const credentials =
    "token" in user ? `token: ${user.token}` : `client-certificate: ${user.certificate}\n    client-key: ${user.key}`
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
- name: ${name}
  user:
    ${credentials}
contexts:
- name: byhand
  context: { cluster: byhand, user: ${name} }
current-context: byhand
`
}
