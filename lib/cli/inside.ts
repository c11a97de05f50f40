import { dirname } from "node:path"
import { findAccess, NoAccessError } from "../components/discovery/access.ts"
import { findProcesses, isStandIn } from "../components/discovery/process.ts"
import { etcdctlEnvironment } from "../components/etcd.ts"
import { archivePath } from "../components/image-registry.ts"
import { settingsOf, type ComponentName } from "../components/registry.ts"
import { withFilesOf } from "../components/settings/files.ts"
import { REFERENCES } from "../images/resolve.ts"
import type { Machine } from "../machines/machine.ts"

/** The folder on a machine that contains the archives of images. */
const IMAGES = dirname(archivePath(REFERENCES.nginx))

/** A line that says which images a Pod on this machine can use; none if the machine can run no containers. */
export function imagesOn({ privileged }: Pick<Machine, "privileged">): string[] {
  if (!privileged) return []
  // No lesson needs the image of CoreDNS yet, so no machine has it.
  const names = [REFERENCES.pause, REFERENCES.nginx].map((reference) => reference.replace(/^docker\.io\/library\//, ""))
  return [`Images that exist (there is no internet): ${names.join(", ")}; as archives in ${IMAGES}`]
}

/**
 * What a terminal enters a machine with: a shell, or the given command. From now on, Ctrl-C and Ctrl-\\ are for the process
 * on the machine, and not for this one.
 * @param environment variables that the shell or the command gets
 */
export function entered(words: readonly string[], environment: Readonly<Record<string, string>>): string[] {
  const ignore = () => undefined
  process.on("SIGINT", ignore).on("SIGQUIT", ignore)
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  return [
    ...(variables.length === 0 ? [] : ["env", ...variables]),
    ...(words.length > 0 ? words : ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"]),
  ]
}

/** The components on a machine that are ours, in place of a learner's. */
export async function standInsOn(machine: Machine): Promise<ComponentName[]> {
  return (await findProcesses(machine)).filter(isStandIn).map(({ name }) => name)
}

/**
 * The environment variables with which kubectl, etcdctl and ctr find the cluster of a learner. They are read from the
 * processes, as the lessons do it, so that a command of a card works unchanged.
 */
export async function environmentOf(machine: Machine): Promise<Record<string, string>> {
  const processes = await findProcesses(machine)
  const [access, found] = await Promise.all([
    findAccess(machine, processes).then(
      ({ kubeconfig }) => kubeconfig,
      // If kube-apiserver does not answer, the first kubeconfig is the one that a learner means.
      (error: unknown) => (error instanceof NoAccessError ? error.tried[0]?.kubeconfig : undefined),
    ),
    withFilesOf(machine, (files) => {
      const settings = <Name extends ComponentName>(name: Name) => {
        const process = processes.find((one) => one.name === name)
        return process && settingsOf(name, process, files)
      }
      const [etcd, apiserver, containerd] = [settings("etcd"), settings("kube-apiserver"), settings("containerd")]
      return {
        ...(etcd === undefined ? {} : etcdctlEnvironment(etcd, apiserver === undefined ? {} : { apiserver })),
        ...(containerd === undefined ? {} : { CONTAINERD_ADDRESS: containerd.socket }),
      }
    }),
  ])
  return { ...found, ...(access === undefined ? {} : { KUBECONFIG: access }) }
}
