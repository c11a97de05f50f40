import { expect, test } from "vitest"
import { folded, readable } from "./log-line.ts"

test.each([
  [
    `E1126 06:58:35.064409     683 run.go:72] "command failed" err="context deadline exceeded"`,
    `E run.go:72: "command failed" err="context deadline exceeded"`,
  ],
  [
    `{"level":"fatal","ts":"2026-11-26T05:00:19.283032Z","caller":"etcdmain/etcd.go:186","msg":"discovery failed","error":"no peer","stacktrace":"go.etcd.io/etcd"}`,
    "fatal: discovery failed error=no peer",
  ],
  [
    `time="2026-11-26T05:00:19.283032Z" level=error msg="failed to load cni" error="no network config"`,
    `error: "failed to load cni" error="no network config"`,
  ],
  ["bash: etdc: command not found", "bash: etdc: command not found"],
  [`{"kind":"Status"}`, `{"kind":"Status"}`],
])("date, time and process are left out of %s", (line, expected) => {
  expect(readable(line)).toBe(expected)
})

test("lines that differ only in numbers become one line with their count, at the place of the last one", () => {
  const refused = (second: number, port: number) =>
    `W1126 06:58:0${second}.064409     683 logging.go:55] dial tcp 127.0.0.1:2379: connect from ${port} refused`
  expect(folded([refused(1, 40001), "started", refused(2, 40002), refused(3, 40003), "end"])).toEqual([
    "started",
    "(× 3) W logging.go:55: dial tcp 127.0.0.1:2379: connect from 40003 refused",
    "end",
  ])
})
