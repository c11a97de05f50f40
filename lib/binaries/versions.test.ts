import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { packageRoot, readSettings } from "../base/settings.ts"
import { supportOf } from "./support.ts"
import { fits, groupOf, knownVersions, releaseFor } from "./versions.ts"

describe("versions", () => {
  test.each(knownVersions)(
    "everything that Kubernetes %s needs and Go can build has its go.mod and go.sum",
    (version) => {
      const release = releaseFor(version)
      for (const group of [
        "kubernetes",
        "etcd",
        "containerd",
        "cni-plugins",
        "crane",
        "coredns",
        "porcupine",
      ] as const) {
        const pins = join(packageRoot, "fixtures", "binaries", `${group}-v${release[group]}`)
        expect(existsSync(join(pins, "go.mod")) && existsSync(join(pins, "go.sum")), pins).toBe(true)
      }
    },
  )

  test.each(knownVersions)("the dates of support of Kubernetes %s are known", (version) => {
    expect(supportOf(version, new Date("2026-01-01")).phase).toBe("supported")
  })

  test.each([
    ["1.36.3", "2027-04-27", "supported", "supported until 2027-06-28, with ordinary fixes until 2027-04-28"],
    ["1.36.3", "2027-04-28", "maintenance", "in maintenance until 2027-06-28"],
    ["1.36.3", "2027-06-28", "ended", "out of support since 2027-06-28"],
    ["1.9.11", "2026-01-01", "ended", "out of support"],
    ["1.99.0", "2026-01-01", "unknown", "newer than this course"],
  ] as const)("the support of Kubernetes %s on %s: %s", (version, day, phase, text) => {
    expect(supportOf(version, new Date(day))).toEqual({ phase, text })
  })

  test("the hosted workflow runs the lessons on every known version", () => {
    const workflow = readFileSync(join(packageRoot, ".github", "workflows", "nightly.yml"), "utf8")
    const listed = /^ *kubernetes: \[(.*)\]$/m.exec(workflow)?.[1]
    expect(listed?.split(", ")).toEqual(knownVersions.map((version) => `"${version}"`))
  })

  test("the default is a known version", () => {
    expect(knownVersions).toContain(readSettings({}).kubernetes)
  })

  test("an unknown version gives a UsageError that names the known versions", () => {
    expect(() => releaseFor("1.12.0")).toThrow(UsageError)
    expect(() => releaseFor("1.12.0")).toThrow(knownVersions.join(", "))
  })

  test.each([
    ["kubernetes", "1.37.2", "1.37.0", true],
    ["kubernetes", "1.37.2", "1.3.7", false],
    ["etcd", "3.7.3", "3.6.16", false],
    ["runc", "1.5.2", "1.1.5+ds1", true],
    ["runc", "1.5.2", "1.0.0-rc93", false],
    ["cni-plugins", "1.9.1", "0.9.1", false],
    ["crane", "0.22.1", "0.9.0", false],
    ["cni-plugins", "1.9.1", "1.10.0", true],
  ] as const)("%s: where %s is wanted, does %s fit? %s", (group, wanted, version, expected) => {
    expect(fits(group, wanted, version)).toBe(expected)
  })

  test("every tool has a group", () => {
    expect(["etcdutl", "kubeadm", "ctr", "bridge", "catatonit"].map((tool) => groupOf(tool as "ctr"))).toEqual(
      // a list widens to string
      ["etcd", "kubernetes", "containerd", "cni-plugins", "catatonit"],
    )
  })
})
