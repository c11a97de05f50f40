import { Etcd3, type IKeyValue } from "etcd3"
import { messageOf } from "../base/errors.ts"
import { FailureError } from "../failures/errors.ts"
import type { EtcdRefused } from "../failures/failure.ts"
import type { EtcdTls } from "../components/etcd.ts"
import type { Machine } from "../machines/machine.ts"

/** etcd refused a request; carries etcd's own words. */
class EtcdRefusedError extends FailureError<EtcdRefused> {
  constructor(cause: unknown) {
    super({ kind: "etcd-refused", answer: messageOf(cause) }, "Try it yourself with etcdctl in: npx byhand shell", {
      cause,
    })
  }
}

/** One state of a key, as etcd keeps them all. */
export interface Revision {
  /** The store's revision at which the key came to this state. */
  readonly revision: number
  readonly value: string
  /** The same, byte for byte. */
  readonly bytes: Buffer
}

/** How etcd knows its clients, and they it. PEM. */
export interface ClientTls {
  readonly ca: Buffer
  readonly certificate: Buffer | undefined
  readonly key: Buffer | undefined
  /** The name or address that its certificate must be for. */
  readonly host: string
}

/** etcd's own API. Every call ends within ten seconds: a port that never answers must not hang a lesson. */
export class EtcdClient implements Disposable {
  readonly #client: Etcd3

  constructor(address: string, tls?: ClientTls) {
    const identity =
      tls?.certificate === undefined || tls.key === undefined ? {} : { certChain: tls.certificate, privateKey: tls.key }
    this.#client = new Etcd3({
      hosts: `${tls === undefined ? "http" : "https"}://${address}`,
      ...(tls === undefined
        ? {}
        : {
            credentials: { rootCertificate: tls.ca, ...identity },
            grpcOptions: { "grpc.ssl_target_name_override": tls.host },
          }),
      defaultCallOptions: () => ({ deadline: Date.now() + 10_000 }),
    })
  }

  /** The value of a key; undefined where there is no such key. */
  async get(key: string): Promise<Revision | undefined> {
    const { kvs } = await answered(this.#client.get(key).exec())
    return kvs[0] === undefined ? undefined : revisionOf(kvs[0])
  }

  /** The store's revision at which a key came to be; 0 where there is no such key. */
  async createdAt(key: string): Promise<number> {
    return Number((await answered(this.#client.get(key).exec())).kvs[0]?.create_revision ?? 0)
  }

  async put(key: string, value: string): Promise<void> {
    await answered(this.#client.put(key).value(value).exec())
  }

  async delete(key: string): Promise<void> {
    await answered(this.#client.delete().key(key).exec())
  }

  /** All keys that begin so. */
  keys(prefix: string): Promise<string[]> {
    return answered(this.#client.getAll().prefix(prefix).keys())
  }

  /** The store's revision: one more for each change of any key. */
  async revision(): Promise<number> {
    return Number((await answered(this.#client.get("any").exec())).header.revision)
  }

  /** Resolves once etcd watches; what it then sees is told to `onPut` until the client is closed. */
  async watch(key: string, onPut: (state: Revision) => void): Promise<void> {
    const watcher = await answered(this.#client.watch().key(key).create())
    watcher.on("put", (state) => onPut(revisionOf(state)))
  }

  /** Every state of a key from a revision on, up to the newest; none where there is no such key. */
  async history(key: string, from: number): Promise<Revision[]> {
    const newest = await this.get(key)
    if (newest === undefined) return []
    const states: Revision[] = []
    const watcher = await answered(this.#client.watch().key(key).startRevision(String(from)).create())
    await new Promise<void>((resolve, reject) => {
      watcher.on("error", (error) => reject(new EtcdRefusedError(error)))
      watcher.on("put", (state) => {
        states.push(revisionOf(state))
        if (states.at(-1)?.revision === newest.revision) resolve()
      })
    })
    await watcher.cancel()
    return states
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}

/** What etcd answers. @throws EtcdRefusedError with its words */
function answered<T>(answer: PromiseLike<T>): Promise<T> {
  return Promise.resolve(answer).catch((error: unknown) => {
    throw new EtcdRefusedError(error)
  })
}

function revisionOf(state: IKeyValue): Revision {
  return { revision: Number(state.mod_revision), value: state.value.toString(), bytes: state.value }
}

/** What a client of etcd that is not on the machine needs, read from the machine's files. */
export async function readTls(machine: Machine, tls: EtcdTls): Promise<Omit<ClientTls, "host">> {
  const read = (path: string | undefined) => (path === undefined ? undefined : machine.read(path))
  const [ca, certificate, key] = await Promise.all([machine.read(tls.ca), read(tls.certificate), read(tls.key)])
  return { ca, certificate, key }
}
