import { logged, type Symptom } from "../symptom.ts"

export const etcd: readonly Symptom[] = [
  { id: "port-taken", component: "etcd", sign: logged("etcd", /listen tcp ([\d.]+:\d+): bind: address already in use/),
    cause: "another process holds $1", remedy: "Stop it, or give etcd another --listen-client-urls.", look: "ss -tlnp" },
  { id: "data-folder-not-writable", component: "etcd", sign: logged("etcd", /cannot access data directory.*?: (.*permission denied)/),
    cause: "its data folder cannot be written ($1)", remedy: "Give etcd a folder of its own: --data-dir.", look: "ls -ld /var/lib/etcd" },
]
