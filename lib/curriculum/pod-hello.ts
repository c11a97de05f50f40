import type { Kit } from "./kit.ts"
import { eventually } from "./until.ts"

/** Waits until the Pod hello runs. Creates it if it does not exist and the subject permits that. */
export async function hello({ kubectl, needs }: Kit): Promise<void> {
  await kubectl("get pod hello").catch(() => {
    needs("restart")
    return kubectl("run hello --image=nginx")
  })
  await eventually(() => kubectl("get pod hello -o jsonpath={.status.phase}")).toBe("Running")
}
