/**
 * A script that starts a program in the background. The program keeps a connection to etcd open and writes one key
 * again and again until etcd ends. It does not change the value of an existing key, and it does not create a deleted
 * key again.
 */
export function writer(key: string): string {
  const program = `
const ask = async (path, body) => (await fetch("http://127.0.0.1:2379/v3/kv/" + path, { method: "POST", body: JSON.stringify(body) })).json()
const key = Buffer.from("${key}").toString("base64")
const { kvs } = await ask("range", { key })
if (kvs === undefined) await ask("put", { key, value: key })
const value = kvs === undefined ? key : kvs[0].value
for (;;) await ask("txn", { compare: [{ key, target: "VERSION", result: "GREATER", version: "0" }], success: [{ requestPut: { key, value } }] })`
  return `/run/byhand/node --input-type=module -e '${program}' >/dev/null 2>&1 &
writer=$!
until ss -Htnp dport = :2379 | grep -q "pid=$writer,"; do sleep 0.05; done
sleep 0.2`
}
