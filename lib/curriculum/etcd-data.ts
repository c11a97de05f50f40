import type { Part } from "../clusters/part.ts"
import type { EtcdSettings } from "../components/etcd.ts"
import type { Kit } from "./kit.ts"

/** Shell commands for everything in a folder. The folder itself stays. */
const removeAll = (folder: string) => `find ${folder} -mindepth 1 -maxdepth 1 -exec rm -r {} +`
const moveAll = (from: string, to: string) => `find ${from} -mindepth 1 -maxdepth 1 -exec mv -t ${to} {} +`

/** The members of etcd on this machine: one, or several if a learner has a cluster from the beginning. */
async function membersHere({ part }: Kit): Promise<readonly EtcdSettings[]> {
  const etcd = part("etcd") as Part<"etcd">
  return [etcd.settings, ...((await etcd.fellows?.()) ?? [])]
}

/** The path to which a lesson moves the content of a data folder of etcd while other data is in use. */
const asideOf = ({ dataDir }: EtcdSettings) => `${dataDir}.before`

/** The flags of "etcdutl snapshot restore" for one of these members. All of them begin with the same snapshot. */
function restoring({ name, dataDir, peerUrls }: EtcdSettings, members: readonly EtcdSettings[]): string {
  if (members.length === 1) return `--data-dir=${dataDir}`
  const cluster = members.flatMap((one) => one.peerUrls.map((url) => `${one.name}=${url}`))
  return `--data-dir=${dataDir} --name=${name} --initial-advertise-peer-urls=${peerUrls.join()} --initial-cluster=${cluster.join()}`
}

/**
 * Stops kube-apiserver and etcd, replaces the content of etcd's data folder, and starts both again. The original
 * content is moved aside, so that `putDataBack` can restore it. The folder itself stays: it may be a mount point.
 * @param fill makes the new data, with the flags of "etcdutl snapshot restore" for it; it is called for each member on
 *   this machine. If it is omitted, etcd starts with an empty folder
 */
export async function replaceData(
  kit: Kit,
  fill: (flags: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const { etcd, apiserver, sh } = kit
  const members = await membersHere(kit)
  await apiserver.kill()
  await etcd.kill()
  for (const member of members) {
    const [{ dataDir }, aside] = [member, asideOf(member)]
    await sh(
      `if [ -e ${aside} ]; then ${removeAll(dataDir)}; else mkdir -m 700 ${aside}; ${moveAll(dataDir, aside)}; fi`,
    )
    await fill(restoring(member, members))
  }
  await Promise.all([etcd.start(), apiserver.start()])
}

/** Removes the data that was moved aside. After that, `putDataBack` does nothing. */
export async function keepNewData(kit: Kit): Promise<void> {
  await kit.sh(`rm -r ${(await membersHere(kit)).map(asideOf).join(" ")}`)
}

/** If data was moved aside, restores it and restarts etcd and kube-apiserver on it; otherwise does nothing. */
export async function putDataBack(kit: Kit): Promise<void> {
  const { etcd, apiserver, sh } = kit
  const members = await membersHere(kit)
  if ((await sh(`ls -d ${members.map(asideOf).join(" ")} 2>/dev/null || true`)) === "") return
  await apiserver.kill()
  await etcd.kill()
  for (const member of members) {
    const [{ dataDir }, aside] = [member, asideOf(member)]
    await sh(`if [ -e ${aside} ]; then ${removeAll(dataDir)}; ${moveAll(aside, dataDir)}; rmdir ${aside}; fi`)
  }
  await Promise.all([etcd.start(), apiserver.start()])
}
