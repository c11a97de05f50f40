import { createHash } from "node:crypto"
import { assertNever } from "../base/assert-never.ts"
import type { WithoutLog } from "../clusters/errors.ts"
import type { Part } from "../clusters/part.ts"
import type { ComponentName } from "../components/component.ts"

/** The values that one student's cluster must have. Scripts that another student has written have other values. */
export interface OwnValues {
  /** How grade books name the student. */
  readonly student: string
  readonly values: readonly OwnValue[]
}

type OwnFlag = "--name" | "--secure-port" | "--service-cluster-ip-range"

/** A value that is different for each student. */
export interface OwnValue {
  readonly component: ComponentName
  readonly flag: OwnFlag
  readonly value: string
}

/** Ports that no component and no lesson uses. Lesson 03 also uses the next one. */
const PORTS = { from: 6500, count: 1000 }
/** The second number of the ranges 10.x.y.0/24: machines and Pods have 10.77 and 10.88. */
const RANGES = { from: 100, count: 100 }

/** The values of a student: always the same for the same id. */
export function ownValues(student: string): OwnValues {
  const digest = createHash("sha256").update(student).digest()
  const port = PORTS.from + 2 * (digest.readUInt16BE(0) % (PORTS.count / 2))
  const range = `10.${RANGES.from + (digest.readUInt8(2) % RANGES.count)}.${digest.readUInt8(3)}.0/24`
  return {
    student,
    values: [
      { component: "etcd", flag: "--name", value: `etcd-${digest.toString("hex", 4, 7)}` },
      { component: "kube-apiserver", flag: "--secure-port", value: String(port) },
      { component: "kube-apiserver", flag: "--service-cluster-ip-range", value: range },
    ],
  }
}

/** The address in a student's range of Services at which pods ask for names, as the given files have it: the tenth. */
export function dnsAddressOf({ values }: OwnValues): string {
  const range = values.find(({ flag }) => flag === "--service-cluster-ip-range")?.value ?? ""
  return range.replace(/0\/24$/, "10")
}

/** The first value of a component that is not the student's, as a failure; undefined if all are, or may be chosen. */
export function otherValue(
  own: OwnValues | undefined,
  part: Part,
): (WithoutLog & { kind: "value-of-another" }) | undefined {
  if (own === undefined) return undefined
  for (const { flag, value: expected } of own.values.filter(({ component }) => component === part.name)) {
    const actual = actualOf(part, flag)
    if (actual !== expected) return { kind: "value-of-another", student: own.student, flag, expected, actual }
  }
  return undefined
}

/** What a component has, wherever it was set: on its command line, in its environment, or in a file. */
function actualOf({ settings }: Part, flag: OwnFlag): string {
  switch (flag) {
    case "--name":
      return "name" in settings ? settings.name : ""
    case "--secure-port":
      return String(settings.address?.port ?? "")
    case "--service-cluster-ip-range":
      return "serviceRange" in settings ? (settings.serviceRange ?? "") : ""
    default:
      return assertNever(flag)
  }
}
