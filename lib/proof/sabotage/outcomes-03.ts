import { writer } from "./meddlers.ts"
import { flags, listen, type Sabotage } from "./sabotage.ts"

const ENCRYPTION = "/etc/kubernetes/encryption.yaml"

/** Sabotages that break an outcome of lesson 03: objects are not in etcd as the lesson documents. */
export const outcomes03: readonly Sabotage[] = [
  {
    id: "object-written-past-kube-apiserver",
    breaks: "another program writes to an object's key in etcd",
    before: "03 resourceVersion",
    script: writer("/registry/configmaps/default/demo"),
    fails: ["03 resourceVersion"],
    until: 3,
    finding: "stranger-at-etcd",
  },
  {
    id: "updates-forbidden",
    breaks: "an admission policy forbids changes of ConfigMaps",
    before: "03 an update",
    script: `kubectl create -f - <<'EOF'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: frozen-configmaps }
spec:
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [configmaps] }] }
  validations: [{ expression: "false", message: ConfigMaps are not to be changed }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: frozen-configmaps }
spec: { policyName: frozen-configmaps, validationActions: [Deny] }
EOF
while kubectl label configmap demo changed=yes --overwrite --dry-run=server; do sleep 0.1; done`,
    fails: ["03 an update", "03 with protobuf"],
    until: 3,
    finding: "forbidden-by-policy",
  },
  {
    id: "secrets-encrypted",
    breaks: "kube-apiserver encrypts Secrets before it stores them",
    component: {
      "kube-apiserver": (component) => ({
        ...flags({ "--encryption-provider-config": ENCRYPTION })(component),
        files: [
          ...component.files,
          {
            path: ENCRYPTION,
            mode: 0o600,
            content: `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc: { keys: [{ name: one, secret: ${Buffer.alloc(32, "k").toString("base64")} }] }
`,
          },
        ],
      }),
    },
    fails: ["03 a Secret lies"],
    until: 3,
    finding: "encrypted-at-rest",
  },
  {
    id: "second-port-taken",
    breaks: "another program already uses the port of the second kube-apiserver",
    before: "03 with protobuf",
    script: listen(6444),
    fails: ["03 with protobuf"],
    until: 3,
    finding: "port-taken",
  },
  {
    id: "no-room-for-the-backup",
    breaks: "the file system for the backup is full",
    before: "03 a backup",
    script: "mount -t tmpfs -o size=64k tmpfs /tmp",
    fails: ["03 a backup"],
    until: 3,
    finding: "disk-full",
  },
  {
    id: "etcdctl-for-etcdutl",
    breaks: "etcdctl is used to restore the backup, which it no longer supports",
    before: "03 a backup",
    script: "mount --bind /usr/local/bin/etcdctl /usr/local/bin/etcdutl",
    fails: ["03 a backup"],
    until: 5,
    finding: "snapshot-restore-moved",
  },
]
