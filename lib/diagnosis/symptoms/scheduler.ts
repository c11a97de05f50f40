import { logged, type Symptom } from "../symptom.ts"

export const scheduler: readonly Symptom[] = [
  { id: "kubeconfig-missing", component: "kube-scheduler", sign: logged("kube-scheduler", /stat (\S+): no such file or directory/),
    cause: "its kubeconfig $1 is not there", remedy: "Write a kubeconfig there, or name another with --kubeconfig.", look: "ls -l $1" },
]
