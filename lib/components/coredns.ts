import { REFERENCES } from "../images/resolve.ts"
import type { ComponentFile } from "./component.ts"

/** The address of the Service kube-dns: the kubelet writes it into the /etc/resolv.conf of each Pod. */
export const DNS_ADDRESS = "10.0.0.10"
export const CLUSTER_DOMAIN = "cluster.local"

const PATH = "/etc/kubernetes/coredns.yaml"

/**
 * CoreDNS as objects of the cluster: it runs in a Pod, because it is a client of the Service kubernetes.
 * https://github.com/coredns/deployment/tree/master/kubernetes
 */
export const coredns: ComponentFile = {
  path: PATH,
  content: `apiVersion: v1
kind: ServiceAccount
metadata: { name: coredns, namespace: kube-system }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: system:coredns }
rules:
- { apiGroups: [""], resources: [services, pods, namespaces], verbs: [list, watch] }
- { apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: system:coredns }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:coredns }
subjects: [{ kind: ServiceAccount, name: coredns, namespace: kube-system }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: coredns, namespace: kube-system }
data:
  Corefile: |
    .:53 {
      errors
      health
      ready
      kubernetes ${CLUSTER_DOMAIN} {
        pods verified
        ttl 0
      }
    }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: coredns, namespace: kube-system }
spec:
  selector: { matchLabels: { k8s-app: kube-dns } }
  template:
    metadata: { labels: { k8s-app: kube-dns } }
    spec:
      serviceAccountName: coredns
      dnsPolicy: Default # It must not ask itself.
      containers:
      - name: coredns
        image: ${REFERENCES.coredns.replace("docker.io/", "")}
        args: [-conf, /etc/coredns/Corefile]
        ports: [{ containerPort: 53, protocol: UDP }, { containerPort: 53, protocol: TCP }]
        readinessProbe: { httpGet: { path: /ready, port: 8181 }, periodSeconds: 1 }
        securityContext: { allowPrivilegeEscalation: false, capabilities: { add: [NET_BIND_SERVICE], drop: [ALL] } }
        volumeMounts: [{ name: config, mountPath: /etc/coredns }]
      volumes: [{ name: config, configMap: { name: coredns } }]
---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  selector: { k8s-app: kube-dns }
  clusterIP: ${DNS_ADDRESS}
  ports: [{ name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53, protocol: TCP }]
`,
}

/** A command line of a shell that creates these objects. It can run again. */
export const APPLY_COREDNS = `kubectl get service kube-dns -n kube-system >/dev/null 2>&1 || kubectl apply -f ${PATH}`
