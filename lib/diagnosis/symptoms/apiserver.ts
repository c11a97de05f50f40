import { logged, type Symptom } from "../symptom.ts"

export const apiserver: readonly Symptom[] = [
  { id: "port-taken", component: "kube-apiserver", sign: logged("kube-apiserver", /failed to create listener: failed to listen on ([\d.]+:\d+)/),
    cause: "another process holds $1", remedy: "Stop it, or choose another --secure-port.", look: "ss -tlnp" },
  { id: "etcd-unreachable", component: "kube-apiserver", sign: logged("kube-apiserver", /dial tcp ([\d.]+:\d+): connect: connection refused/),
    cause: "it cannot reach etcd at $1", remedy: "Start etcd first, or check --etcd-servers.", look: "ss -tlnp" },
  { id: "unknown-flag", component: "kube-apiserver", sign: logged("kube-apiserver", /unknown flag: (--[\w-]+)/),
    cause: "it does not know the flag $1", remedy: "Check the spelling, and whether this version still has it.", look: "kube-apiserver --help" },
  { id: "service-account-flags", component: "kube-apiserver", sign: logged("kube-apiserver", /(service-account-issuer is a required flag|service-account-signing-key-file.*required)/),
    cause: "the service-account flags are missing ($1)", remedy: "Give it --service-account-issuer, --service-account-key-file and --service-account-signing-key-file.", look: "tail /var/log/byhand/kube-apiserver.log" },
  { id: "token-file", component: "kube-apiserver", sign: logged("kube-apiserver", /open (\S*tokens?\S*): no such file or directory/),
    cause: "its token file $1 is not there", remedy: "Write TOKEN,USER,UID into it and name it with --token-auth-file.", look: "ls -l $1" },
]
