import { componentApart, kubectlApart } from "../skew.ts"
import { symptom, type Symptom } from "../symptom.ts"

const versionSkew = (sign: typeof kubectlApart): Symptom =>
  symptom({
    id: "version-skew",
    component: "kube-apiserver",
    sign,
    cause: ({ program, version, apiserver, supported }) =>
      `${program} is version ${version} and kube-apiserver ${apiserver}: Kubernetes supports ${supported}`,
    remedy: ({ program, apiserver }) => `Use a ${program} that goes with kube-apiserver ${apiserver}.`,
    look: "kubectl version; kubectl get nodes -o wide",
  })

/** A kubectl of another version sends requests that kube-apiserver does not understand. */
export const kubectlVersion: readonly Symptom[] = [versionSkew(kubectlApart)]

/** Components of versions that are too far apart often work all the same, so that a more specific cause comes first. */
export const componentVersions: readonly Symptom[] = [versionSkew(componentApart)]
