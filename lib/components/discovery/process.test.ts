import { expect, test } from "vitest"
import { isService } from "./process.ts"

test.each([
  ["etcd", ["etcd"], true],
  ["etcd", ["etcd", " ", "--data-dir=/x"], true],
  ["kubelet", ["kubelet", "kubelet", "--config=/x"], true],
  ["etcd", ["etcd", "grpc-proxy", "start"], false],
  ["etcd", ["etcd", "--version"], false],
  ["containerd", ["containerd", "config", "default"], false],
  ["containerd", ["containerd", "--config=/x", "publish"], false],
  ["etcd", [], false],
] as const)("%s is started as a service by %j: %s", (name, argv, expected) => {
  expect(isService(name, argv)).toBe(expected)
})
