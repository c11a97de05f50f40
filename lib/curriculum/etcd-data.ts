import type { Kit } from "./kit.ts"

/** Shell commands for everything in a folder. The folder itself stays. */
const removeAll = (folder: string) => `find ${folder} -mindepth 1 -maxdepth 1 -exec rm -r {} +`
const moveAll = (from: string, to: string) => `find ${from} -mindepth 1 -maxdepth 1 -exec mv -t ${to} {} +`

/** The path to which a lesson moves the content of etcd's data folder while other data is in use. */
function asideOf(kit: Kit): string {
  return `${kit.at.etcd.dataDir}.before`
}

/**
 * Stops kube-apiserver and etcd, replaces the content of etcd's data folder, and starts both again. The original
 * content is moved aside, so that `putDataBack` can restore it. The folder itself stays: it may be a mount point.
 * @param fill makes the new data; if it is omitted, etcd starts with an empty folder
 */
export async function replaceData(kit: Kit, fill: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  const { etcd, apiserver, sh } = kit
  const { dataDir } = kit.at.etcd
  const aside = asideOf(kit)
  await apiserver.kill()
  await etcd.kill()
  await sh(`if [ -e ${aside} ]; then ${removeAll(dataDir)}; else mkdir -m 700 ${aside}; ${moveAll(dataDir, aside)}; fi`)
  await fill()
  await Promise.all([etcd.start(), apiserver.start()])
}

/** Removes the data that was moved aside. After that, `putDataBack` does nothing. */
export async function keepNewData(kit: Kit): Promise<void> {
  await kit.sh(`rm -r ${asideOf(kit)}`)
}

/** If data was moved aside, restores it and restarts etcd and kube-apiserver on it; otherwise does nothing. */
export async function putDataBack(kit: Kit): Promise<void> {
  const { etcd, apiserver, sh } = kit
  const { dataDir } = kit.at.etcd
  const aside = asideOf(kit)
  if ((await sh(`ls -d ${aside} 2>/dev/null || true`)) === "") return
  await apiserver.kill()
  await etcd.kill()
  await sh(`${removeAll(dataDir)}; ${moveAll(aside, dataDir)}; rmdir ${aside}`)
  await Promise.all([etcd.start(), apiserver.start()])
}
