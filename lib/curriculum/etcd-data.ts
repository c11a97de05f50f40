import type { Kit } from "./kit.ts"

/** The path to which a lesson moves etcd's data folder while another folder is in use. */
function asideOf(kit: Kit): string {
  return `${kit.at.etcd.dataDir}.before`
}

/**
 * Stops kube-apiserver and etcd, replaces etcd's data folder, and starts both again. The original folder is
 * moved aside, so that `putDataBack` can restore it.
 * @param fill makes the new data folder; if it is omitted, etcd starts with an empty folder
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

/** Removes the data folder that was moved aside. After that, `putDataBack` does nothing. */
export async function keepNewData(kit: Kit): Promise<void> {
  await kit.sh(`rm -r ${asideOf(kit)}`)
}

/** If a data folder was moved aside, restores it and restarts etcd and kube-apiserver on it; otherwise does nothing. */
export async function putDataBack(kit: Kit): Promise<void> {
  const { etcd, apiserver, sh } = kit
  const { dataDir } = kit.at.etcd
  if ((await sh(`ls -d ${asideOf(kit)} 2>/dev/null || true`)) === "") return
  await apiserver.kill()
  await etcd.kill()
  await sh(`rm -rf ${dataDir}; mv ${asideOf(kit)} ${dataDir}`)
  await Promise.all([etcd.start(), apiserver.start()])
}
