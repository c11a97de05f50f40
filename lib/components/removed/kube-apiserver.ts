import { each, insecureFlags, klogFlags, type ConfigVersion, type RemovedByName } from "./removed.ts"

/** Flags of kube-apiserver that it no longer has. */
export const removedFlags: RemovedByName = {
  ...klogFlags,
  ...insecureFlags(["--insecure-port", "--insecure-bind-address", "--port", "--address", "--insecure-allow-any-token"]),
  ...each(["--cloud-provider", "--cloud-config", "--cloud-provider-gce-l7lb-src-cidrs"], {
    since: "Kubernetes 1.33",
    instead: "Leave it out: a cloud's own controller-manager does that work.",
  }),
  "--service-account-api-audiences": { since: "Kubernetes 1.25", instead: "Use --api-audiences." },
  "--master-service-namespace": {
    since: "Kubernetes 1.27",
    instead: "Leave it out: the Service kubernetes is in the namespace default.",
  },
  "--basic-auth-file": {
    since: "Kubernetes 1.19",
    instead: "Use tokens (--token-auth-file) or client certificates (--client-ca-file).",
  },
  "--kubelet-https": {
    since: "Kubernetes 1.22",
    instead: "Leave it out: kube-apiserver always uses TLS with a kubelet.",
  },
  "--experimental-encryption-provider-config": {
    since: "Kubernetes 1.14",
    instead: "Use --encryption-provider-config.",
  },
  "--experimental-bootstrap-token-auth": { since: "Kubernetes 1.14", instead: "Use --enable-bootstrap-token-auth." },
  "--target-ram-mb": { since: "Kubernetes 1.23", instead: "Leave it out." },
}

const apiserver = (removed: readonly string[] = [], since = ""): ConfigVersion => ({
  current: "apiserver.config.k8s.io/v1",
  removed: Object.fromEntries(removed.map((version) => [version, since])),
})

/** The versions of kube-apiserver's configuration files. */
export const configVersions: Readonly<Record<string, ConfigVersion>> = {
  EncryptionConfiguration: apiserver(),
  // The kind and the version had other names until 1.13.
  EncryptionConfig: { current: "apiserver.config.k8s.io/v1, with kind: EncryptionConfiguration", removed: {} },
  AdmissionConfiguration: apiserver(["apiserver.k8s.io/v1alpha1"], "1.32"),
  AuthenticationConfiguration: apiserver(),
  AuthorizationConfiguration: apiserver(),
  Policy: {
    current: "audit.k8s.io/v1",
    removed: { "audit.k8s.io/v1alpha1": "1.24", "audit.k8s.io/v1beta1": "1.24" },
  },
}
