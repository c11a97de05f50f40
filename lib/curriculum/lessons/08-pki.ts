import { dirname } from "node:path/posix"
import type { LessonSpec } from "../lesson-spec.ts"
import { facts, reference } from "../transcript/reference.ts"
import { madeOnce } from "../transcript/bash.ts"
import { GRANT_KUBELET_API, withPki } from "../../components/secured.ts"
import { etcdctlEnvironment } from "../../components/etcd.ts"
import { argvOf } from "../../components/component.ts"
import { settingsOf } from "../../components/registry.ts"
import { noFiles } from "../../components/settings/files.ts"
import { secured, securedCommands } from "../../pki/pki.ts"

const changed = {
  etcd: withPki.etcd(reference.etcd),
  apiserver: withPki["kube-apiserver"](reference["kube-apiserver"], facts),
  scheduler: withPki["kube-scheduler"](reference["kube-scheduler"]),
  kubelet: withPki.kubelet(reference.kubelet),
}

/** The variables with which etcdctl reaches etcd from here on. */
const etcdctl = etcdctlEnvironment(settingsOf("etcd", { argv: argvOf(changed.etcd) }, noFiles), {})

/** Lesson 08. */
export const pki = {
  number: 8,
  slug: "pki",
  title: "PKI and RBAC: each component has its own identity",
  row: {
    topic: "PKI and RBAC",
    proves:
      "every port refuses strangers; each component has its own identity and may do only its work; Secrets are encrypted in etcd",
  },
  components: ["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet"],
  settings: withPki,
  isThere: (subject) => {
    const { authorizationModes } = subject.part("kube-apiserver").settings
    return subject.part("etcd").settings.isTls && authorizationModes.includes("RBAC")
  },
  parts: [
    {
      script: "08-pki",
      write: "certificates for every connection, and the commands that start the components again with them",
      lines: ({ start, kill, waitFor }) => [
        "# A CA for etcd, and a certificate for each client. They are made once, because components keep using them.",
        ...madeOnce(secured.kubelet.certificate, securedCommands("$NODE"), dirname(secured.etcd.ca.certificate)),
        kill([reference["kube-scheduler"], reference["kube-apiserver"], reference.etcd]),
        start(changed.etcd),
        `export ${Object.entries(etcdctl)
          .map((variable) => variable.join("="))
          .join(" ")}`,
        start(changed.apiserver),
        "# The API of the kubelet, for kubectl logs and exec.",
        GRANT_KUBELET_API,
        start(changed.scheduler),
        kill([reference.kubelet]),
        start(changed.kubelet),
        waitFor(`kubectl wait --for=condition=Ready --timeout=1s "node/$NODE"`),
        "kubectl auth whoami",
      ],
    },
  ],
  outcomes: {
    "every port of the components refuses plain HTTP": {
      see: "ss -tlnp; curl -i http://127.0.0.1:2379/metrics; curl -i http://127.0.0.1:10250/pods",
      permits: "observe",
      requires: [],
    },
    "every port refuses a client whose certificate another CA has signed": {
      see: "openssl req -x509 -newkey rsa -nodes -subj /O=system:masters/CN=admin -keyout other.key -out other.crt; curl -ki --cert other.crt --key other.key https://127.0.0.1:2379/metrics",
      permits: "observe",
      requires: [],
    },
    "each serving certificate has the names that its clients use": {
      see: "openssl s_client -connect 127.0.0.1:6443 </dev/null | openssl x509 -noout -ext subjectAltName",
      permits: "observe",
      requires: [],
    },
    "private keys can be read by their owner only": {
      see: "ls -lR /etc/kubernetes/pki",
      permits: "observe",
      requires: [],
    },
    "without credentials kube-apiserver answers nothing but health checks": {
      see: "curl -k https://127.0.0.1:6443/readyz; curl -k https://127.0.0.1:6443/api/v1/namespaces",
      permits: "observe",
      requires: [],
    },
    "each component authenticates as itself": {
      see: "kubectl auth whoami --kubeconfig /etc/kubernetes/kubelet.conf",
      permits: "observe",
      requires: [],
    },
    "a user without a role gets 403, and a RoleBinding grants its rules only, in its namespace only": {
      see: "kubectl create role reader --verb=list --resource=pods; kubectl create rolebinding reader --role=reader --user=jane; kubectl auth can-i --list --as=jane",
      permits: "restart",
      requires: [],
    },
    "a kubelet can neither read a Secret that none of its Pods uses nor change another Node": {
      see: "kubectl create secret generic other; kubectl get secret other --kubeconfig /etc/kubernetes/kubelet.conf",
      permits: "restart",
    },
    "kubectl logs and exec reach the kubelet, which refuses a certificate without that role": {
      see: "kubectl logs hello; kubectl get --raw=/pods --server=https://127.0.0.1:10250 --kubeconfig /etc/kubernetes/kubelet.conf",
      permits: "restart",
    },
    "a new Secret is unreadable in etcd, and an old one becomes unreadable when it is rewritten": {
      see: "kubectl create secret generic new --from-literal=k=v; etcdctl get /registry/secrets/default/new; kubectl get secrets -o json | kubectl replace -f -",
      permits: "restart",
      requires: [],
    },
    "a certificate that is renewed while kube-apiserver runs is picked up": {
      see: "openssl x509 -in apiserver.crt -signkey apiserver.key -x509toreq -copy_extensions copy | openssl x509 -req -CA ca.crt -CAkey ca.key -days 30 -copy_extensions copy -out apiserver.crt; openssl s_client -connect 127.0.0.1:6443 </dev/null | openssl x509 -noout -serial",
      permits: "restart",
      requires: [],
    },
    "an expired certificate is refused, and the refusal says so": {
      see: "openssl x509 -noout -enddate -in apiserver.crt; kubectl get nodes",
      permits: "restart",
      requires: [],
    },
    "what lessons 01 to 07 have shown still holds": {
      see: "etcdctl put /hello world; kubectl run new --image=nginx; pkill -KILL kube-apiserver; kube-apiserver …; kubectl get pod new",
      permits: "restart",
    },
  },
} satisfies LessonSpec
