import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { packageRoot, readSettings } from "../base/settings.ts"
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
