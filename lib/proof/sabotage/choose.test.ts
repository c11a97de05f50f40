import { describe, expect, test } from "vitest"
import { packageRoot } from "../../base/settings.ts"
import { Dependencies } from "./affected.ts"
import { sabotageOf, sabotages } from "./all.ts"
import { choose } from "./choose.ts"
import { distancesFrom, importsIn, importsOfText } from "./imports.ts"

const dependencies = await Dependencies.read(packageRoot) // Needs the build in dist.
const idsOf = (affected: readonly { sabotage: { id: string }; distance: number }[], distance: number) =>
  affected.filter((one) => one.distance === distance).map(({ sabotage }) => sabotage.id)

describe("the files of a sabotage", () => {
  test("are its definition, its finding, the component that it changes, the lesson in which tests fail, and its recording", () => {
    expect(dependencies.filesOf(sabotageOf("etcd-flag-mistyped"))).toEqual(
      expect.arrayContaining([
        "lib/proof/sabotage/etcd.ts",
        "lib/components/etcd.ts",
        "tests/01-etcd.test.ts",
        "fixtures/observations/etcd-flag-mistyped.json",
      ]),
    )
    expect(dependencies.filesOf(sabotageOf("image-mistyped"))).toContain("lib/diagnosis/symptoms/images.ts")
  })

  test("contain the definition and a file that defines the finding, for each sabotage", () => {
    const has = (id: string, folder: string) =>
      dependencies.filesOf(sabotageOf(id)).some((file) => file.startsWith(folder))
    expect(sabotages.filter(({ id }) => !has(id, "lib/proof/sabotage/"))).toEqual([])
    expect(sabotages.filter(({ id, finding }) => finding !== "none" && !has(id, "lib/diagnosis/symptoms/"))).toEqual([])
  })

  test.each([
    ["a component's file", "lib/components/kubelet.ts", "kubelet-flag-mistyped", 0],
    ["a lesson", "tests/04-scheduler.test.ts", "node-deleted", 0],
    ["a file that a symptom imports", "lib/diagnosis/signs.ts", "etcd-frozen", 1],
    ["a file that every proof uses", "vitest.config.ts", "node-deleted", Infinity],
    ["the saboteur", "lib/proof/sabotage/setup.ts", "node-deleted", Infinity],
    ["a script of the machine", "lib/machines/init.sh", "node-deleted", Infinity],
    ["the machine's agent", "lib/machines/agent/agent.mts", "node-deleted", Infinity],
  ])("a change of %s affects the sabotage", (_, file, id, distance) => {
    expect(idsOf(dependencies.affectedBy([file], sabotages), distance)).toContain(id)
  })

  test.each(["README.md", "fixtures/subjects/pass/one/01.sh", "lib/machines/sandbox.test.ts"])(
    "a change of %s affects no sabotage",
    (file) => {
      expect(dependencies.affectedBy([file], sabotages)).toEqual([])
    },
  )
})

describe("the choice", () => {
  const limits = { share: 10, seed: "a", atMost: 1_000 }
  const chosenFrom = (changed: readonly string[], changes: Partial<typeof limits> = {}) =>
    choose(sabotages, dependencies.affectedBy(changed, sabotages), { ...limits, ...changes }).chosen

  test("is the same for the same seed, and each sabotage is chosen by some seed", () => {
    expect(chosenFrom([])).toEqual(chosenFrom([]))
    const ever = new Set(
      Array.from({ length: 100 }, (_, seed) => choose(sabotages, [], { ...limits, seed: String(seed) }).chosen).flat(),
    )
    expect(ever.size).toBe(sabotages.length)
  })

  test("is limited after a change of a file that every proof uses, and the nearest sabotages come first", () => {
    const chosen = chosenFrom(["vitest.config.ts", "tests/04-scheduler.test.ts"], { atMost: 60 })
    expect(chosen).toHaveLength(60)
    expect(chosen).toEqual(
      expect.arrayContaining(sabotages.filter(({ fails }) => fails.some((test) => test.startsWith("04 ")))),
    )
  })

  test("names the sabotages that do not run", () => {
    const affected = dependencies.affectedBy(["vitest.config.ts"], sabotages)
    const { chosen, reasons } = choose(sabotages, affected, { ...limits, atMost: 40 })
    const left = sabotages.filter((sabotage) => !chosen.includes(sabotage))
    expect(reasons.join("\n")).toContain(`${left.length} do not run here: ${left.length} that are affected`)
    for (const { id } of left) expect(reasons.at(-1)?.split(" ")).toContain(id)
  })
})

describe("imports", () => {
  test("are read from the source text, without imports of types", () => {
    expect(
      importsOfText(`import { a } from "./a.ts"
import type { B } from "./b.ts"
import {
  c,
} from "../c.ts"
import d from "package"
export { e } from "./e.ts"
const later = await import("./f.ts")
`),
    ).toEqual(["./a.ts", "../c.ts", "./e.ts", "./f.ts"])
  })

  test("are followed and counted", () => {
    const distances = distancesFrom(["lib/diagnosis/symptoms/etcd.ts"], importsIn(packageRoot))
    expect(distances.get("lib/diagnosis/symptoms/etcd.ts")).toBe(0)
    expect(distances.get("lib/diagnosis/signs.ts")).toBe(1)
  })
})
