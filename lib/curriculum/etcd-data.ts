import type { Kit } from "./kit.ts"

/** Where a lesson keeps etcd's data folder while another takes its place. */
function asideOf(kit: Kit): string {
  return `${kit.at.etcd.dataDir}.before`
}

/**
 * Stops kube-apiserver and etcd, replaces etcd's data folder, and starts both again. The first folder is kept aside, for
 * `putDataBack`.
 * @param fill makes the new data folder; without it etcd starts with an empty one
 */
export async function replaceData(kit: Kit, fill: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  const { etcd, apiserver, sh } = kit
  const { dataDir } = kit.at.etcd
  await apiserver.kill()
  await etcd.kill()
  await sh(`if [ -e ${asideOf(kit)} ]; then rm -r ${dataDir}; else mv ${dataDir} ${asideOf(kit)}; fi`)
  await fill()
  await Promise.all([etcd.start(), apiserver.start()])
}

/** Removes the data folder that was kept aside: from now on the new one counts. */
export async function keepNewData(kit: Kit): Promise<void> {
  await kit.sh(`rm -r ${asideOf(kit)}`)
}

/** If a data folder is still aside, puts it back in its place and starts etcd and kube-apiserver on it; otherwise does nothing. */
export async function putDataBack(kit: Kit): Promise<void> {
  const { etcd, apiserver, sh } = kit
  const { dataDir } = kit.at.etcd
  if ((await sh(`ls -d ${asideOf(kit)} 2>/dev/null || true`)) === "") return
  await apiserver.kill()
  await etcd.kill()
  await sh(`rm -rf ${dataDir}; mv ${asideOf(kit)} ${dataDir}`)
  await Promise.all([etcd.start(), apiserver.start()])
}
