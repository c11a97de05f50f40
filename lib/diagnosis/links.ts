import { X509Certificate } from "node:crypto"
import { settingsOf, type ComponentName } from "../components/registry.ts"
import { knownFiles } from "../components/settings/files.ts"
import { parseKubeconfig, type Source } from "../kubeconfig/parse.ts"
import { remembered } from "./facts.ts"
import type { Observation } from "./observation.ts"
import { componentOf } from "./symptom.ts"

/** The purposes for which a certificate can be made (extended key usage). */
const PURPOSES = { clientAuth: "1.3.6.1.5.5.7.3.2", serverAuth: "1.3.6.1.5.5.7.3.1" } as const

/** A client that shows a certificate to a server, or could. */
export interface Link {
  /** kubectl, or a component. */
  readonly client: ComponentName | "kubectl"
  readonly server: ComponentName
  /** The client's certificate; undefined if it has none. */
  readonly certificate: X509Certificate | undefined
  /** Where the certificate is: a path, or a kubeconfig that embeds it. */
  readonly at: string
  /** The CA that the server trusts for certificates of clients: a path; undefined if no flag or file names one. */
  readonly trusted: string | undefined
  /** How that CA is named to the server: "--client-ca-file", … */
  readonly trustedBy: string
}

/** A certificate that a server shows. */
interface Served {
  readonly server: ComponentName
  readonly certificate: X509Certificate
  readonly at: string
}

/** Every pair of a client and a server that can authenticate the client by a certificate. */
export const linksOf = remembered((seen): Link[] => {
  const files = knownFiles(seen.files)
  const [apiserver, etcd, kubelet, scheduler] = (["kube-apiserver", "etcd", "kubelet", "kube-scheduler"] as const).map(
    (name) => componentOf(seen, name),
  )
  const own = settingsOf("kube-apiserver", apiserver ?? { argv: [""] }, files)
  const toEtcd = settingsOf("etcd", etcd ?? { argv: [""] }, files)
  const toKubelet = settingsOf("kubelet", kubelet ?? { argv: [""] }, files)
  const byKubeconfig = (client: Link["client"], path: string | undefined): Link[] => {
    const text = path === undefined ? undefined : seen.files[path]
    const context = text === undefined || path === undefined ? undefined : parseKubeconfig(text, path)
    if (context?.certificate === undefined || path === undefined) return []
    const { certificate } = context
    return [
      {
        client,
        server: "kube-apiserver",
        certificate: read(seen, certificate),
        at: "file" in certificate ? certificate.file : `client-certificate-data in ${path}`,
        trusted: own.clientCa,
        trustedBy: "--client-ca-file",
      },
    ]
  }
  return [
    {
      client: "kube-apiserver",
      server: "kubelet",
      certificate: fileOf(seen, own.kubeletCertificate),
      at: own.kubeletCertificate ?? "",
      trusted: toKubelet.clientCa,
      trustedBy: "authentication.x509.clientCAFile",
    },
    {
      client: "kube-apiserver",
      server: "etcd",
      certificate: fileOf(seen, own.etcdCertificate),
      at: own.etcdCertificate ?? "",
      trusted: toEtcd.clientCa,
      trustedBy: "--trusted-ca-file",
    },
    ...byKubeconfig("kubectl", seen.kubeconfigPath),
    ...byKubeconfig("kubelet", settingsOf("kubelet", kubelet ?? { argv: [""] }, files).kubeconfig),
    ...byKubeconfig("kube-scheduler", settingsOf("kube-scheduler", scheduler ?? { argv: [""] }, files).kubeconfig),
  ]
})

/** The certificates that servers show, as far as their flags and files name them. */
export const servedOf = remembered((seen): Served[] => {
  const files = knownFiles(seen.files)
  return (["etcd", "kube-apiserver", "kube-scheduler", "kubelet"] as const).flatMap((server) => {
    const component = componentOf(seen, server)
    const at = component === undefined ? undefined : settingsOf(server, component, files).certificate
    const certificate = fileOf(seen, at)
    return certificate === undefined || at === undefined ? [] : [{ server, certificate, at }]
  })
})

/** Whether a certificate is made for a purpose. One without any stated purpose is made for all. */
export function isFor({ keyUsage }: X509Certificate, purpose: keyof typeof PURPOSES): boolean {
  const stated: readonly string[] | undefined = keyUsage
  return stated === undefined || stated.length === 0 || stated.includes(PURPOSES[purpose])
}

/** The purposes of a certificate, for a text. */
export function purposesOf({ keyUsage }: X509Certificate): string {
  const stated: readonly string[] = keyUsage ?? []
  return stated.map((id) => Object.entries(PURPOSES).find(([, own]) => own === id)?.[0] ?? id).join(", ")
}

/** A certificate in a file of the machine; undefined if the file is not there, or is none. */
export function fileOf(seen: Observation, path: string | undefined): X509Certificate | undefined {
  return path === undefined ? undefined : parsed(seen.files[path])
}

function read(seen: Observation, source: Source): X509Certificate | undefined {
  return "file" in source ? fileOf(seen, source.file) : parsed(source.pem.toString())
}

function parsed(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem)
  } catch {
    return undefined // It is not a certificate; the program that reads it says so.
  }
}
