import type { LessonSpec } from "../lesson-spec.ts"
import { reference } from "../transcript/reference.ts"

/** Lesson 01. */
export const etcd = {
  number: 1,
  slug: "etcd",
  title: "etcd: the cluster's brain",
  row: { topic: "etcd", proves: "a key-value store with revisions and watches; a key survives a restart" },
  components: ["etcd"],
  parts: [
    {
      script: "01-etcd",
      write: "the command that starts etcd",
      starts: "etcd",
      lines: ({ start }) => [start(reference.etcd), "etcdctl put /hello world", "etcdctl get /hello"],
    },
  ],
  outcomes: {
    "etcd starts with a data folder and an address for clients": {
      see: "ps -o args= -C etcd",
      permits: "observe",
      after: [],
    },
    "the process that listens on 2379 is the etcd that was started": {
      see: "ss -tlnp sport = :2379",
      permits: "observe",
    },
    "nothing lies under /registry yet": { see: "etcdctl get /registry --prefix --keys-only", permits: "restart" },
    "put says OK, get prints key and value": {
      see: "etcdctl put /hello world; etcdctl get /hello",
      permits: "restart",
    },
    "etcd's API holds the same bytes": { see: "etcdctl get /hello -w json", permits: "restart" },
    "each put raises the revision by one": { see: "etcdctl put /hello again -w json", permits: "restart" },
    "a watch sees a put": { see: "etcdctl watch /hello", permits: "restart" },
    "the key outlives a restart of etcd": { see: "kill $(pidof etcd); etcd …; etcdctl get /hello", permits: "restart" },
  },
} satisfies LessonSpec
