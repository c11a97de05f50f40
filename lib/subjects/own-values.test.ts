import { expect, test } from "vitest"
import { dnsAddressOf, ownValues } from "./own-values.ts"

const values = (student: string) => ownValues(student).values.map(({ value }) => value)

test("the same student always has the same values, and others have others", () => {
  expect(values("ann")).toEqual(["etcd-7d4b40", "7166", "10.194.13.0/24"])
  const all = Array.from({ length: 200 }, (_, at) => values(`student ${at}`))
  expect(new Set(all.map(String)).size).toBe(200)
  for (const [name = "", port, range] of all) {
    expect(name).toMatch(/^etcd-[0-9a-f]{6}$/)
    expect(Number(port)).toBeGreaterThanOrEqual(6500)
    expect(Number(port)).toBeLessThan(7500)
    expect(range).toMatch(/^10\.1\d\d\.\d{1,3}\.0\/24$/)
  }
})

test("the address for DNS is the tenth of the student's range", () => {
  expect(dnsAddressOf(ownValues("ann"))).toBe("10.194.13.10")
})
