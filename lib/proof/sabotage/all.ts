import { UsageError } from "../../base/errors.ts"
import { nearest } from "../../base/nearest.ts"
import { access } from "./access.ts"
import { apiserver } from "./apiserver.ts"
import { containerd } from "./containerd.ts"
import { etcd } from "./etcd.ts"
import { images } from "./images.ts"
import { kubelet } from "./kubelet.ts"
import { network } from "./network.ts"
import { outcomes01 } from "./outcomes-01.ts"
import { outcomes02 } from "./outcomes-02.ts"
import { outcomes03 } from "./outcomes-03.ts"
import { outcomes04 } from "./outcomes-04.ts"
import { outcomes05 } from "./outcomes-05.ts"
import { outcomes06 } from "./outcomes-06.ts"
import { outcomes07 } from "./outcomes-07.ts"
import { outcomes08 } from "./outcomes-08.ts"
import { outcomes09 } from "./outcomes-09.ts"
import { outcomes10 } from "./outcomes-10.ts"
import { outcomes11 } from "./outcomes-11.ts"
import { outcomes12 } from "./outcomes-12.ts"
import { pods } from "./pods.ts"
import { scheduler } from "./scheduler.ts"
import type { Sabotage } from "./sabotage.ts"

/** All sabotages. They prove that each test can fail. */
export const sabotages: readonly Sabotage[] = [
  etcd,
  apiserver,
  access,
  scheduler,
  containerd,
  kubelet,
  network,
  images,
  pods,
  outcomes01,
  outcomes02,
  outcomes03,
  outcomes04,
  outcomes05,
  outcomes06,
  outcomes07,
  outcomes08,
  outcomes09,
  outcomes10,
  outcomes11,
  outcomes12,
].flat()

/** The sabotage with this id. @throws UsageError if there is none; the error names the id that is most similar */
export function sabotageOf(id: string): Sabotage {
  const found = sabotages.find((sabotage) => sabotage.id === id)
  if (found !== undefined) return found
  throw new UsageError(
    `There is no sabotage ${id}.`,
    sabotages.length === 0
      ? "There are none."
      : `Did you mean ${nearest(
          id,
          sabotages.map((sabotage) => sabotage.id),
        )}?`,
  )
}
