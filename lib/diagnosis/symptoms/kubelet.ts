import { logged, type Symptom } from "../symptom.ts"

export const kubelet: readonly Symptom[] = [
  { id: "unknown-flag", component: "kubelet", sign: logged("kubelet", /unknown flag: (--[\w-]+)/),
    cause: "it does not know the flag $1", remedy: "Many flags became fields of its --config file.", look: "kubelet --help" },
  { id: "runtime-unreachable", component: "kubelet", sign: logged("kubelet", /validate CRI v1 runtime API for endpoint \\?"([^"\\]+)/),
    cause: "no container runtime answers at $1", remedy: "Start containerd first, or check containerRuntimeEndpoint.", look: "ls -l /run/containerd" },
  { id: "cgroup-v1-refused", component: "kubelet", sign: logged("kubelet", /(cgroup v1 support is (?:deprecated|unsupported)|configured to not run on a host using cgroup v1)/),
    cause: "this host has cgroup v1", remedy: "Set failCgroupV1: false in its --config file.", look: "stat -fc %T /sys/fs/cgroup" },
]
