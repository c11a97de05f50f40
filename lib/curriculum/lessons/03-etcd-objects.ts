import type { LessonSpec } from "../lesson-spec.ts"

/** Lesson 03. */
export const objects = {
  number: 3,
  slug: "etcd-objects",
  title: "every object is a key in etcd",
  row: {
    topic: "objects in etcd",
    proves:
      "a ConfigMap is the value at `/registry/configmaps/default/demo`; a backup of etcd is a backup of the cluster",
  },
  components: ["etcd", "kube-apiserver"],
  parts: [
    {
      lines: () => [
        "kubectl create configmap demo --from-literal=k=v",
        `etcdctl get /registry/configmaps/default/demo | grep '"k":"v"'`,
      ],
    },
  ],
  outcomes: {
    "a ConfigMap that kubectl creates is the value at /registry/configmaps/default/demo": {
      see: "kubectl create configmap demo --from-literal=k=v; etcdctl get /registry/configmaps/default/demo",
      permits: "restart",
    },
    "resourceVersion is etcd's mod revision": {
      see: "kubectl get configmap demo -o jsonpath={.metadata.resourceVersion}; etcdctl get /registry/configmaps/default/demo -w json",
      permits: "observe",
    },
    "an update and a delete change the same key": {
      see: 'kubectl patch configmap travels -p \'{"data":{"k":"w"}}\'; etcdctl get /registry/configmaps/default/travels',
      permits: "restart",
    },
    "a Secret lies in etcd in plain base64": {
      see: "kubectl create secret generic plain --from-literal=password=…; etcdctl get /registry/secrets/default/plain",
      permits: "restart",
    },
    "with protobuf, the default encoding, the same key starts with k8s\\0 and still decodes": {
      see: "kube-apiserver … without --storage-media-type; etcdctl get /registry/configmaps/default/binary | xxd | head",
      permits: "restart",
    },
    "a backup of etcd is a backup of the cluster": {
      see: "etcdctl snapshot save snap.db; kubectl delete configmap demo; etcdutl snapshot restore snap.db --data-dir=/var/lib/etcd; kubectl get configmap demo",
      permits: "destroy",
    },
  },
} satisfies LessonSpec
