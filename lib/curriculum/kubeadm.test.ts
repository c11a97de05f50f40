import { expect, test } from "vitest"
import { isOfCourse } from "./kubeadm.ts"

test.each([
  ["kube-apiserver --enable-admission-plugins", true],
  ["kube-apiserver --etcd-certfile: signed by", true],
  ["kubelet authentication.x509.clientCAFile: subject", true],
  ["authentication.anonymous.enabled", true],
  ["kube-controller-manager --use-service-account-credentials", true],
  ["kube-apiserver --allow-privileged", false],
  ["kube-apiserver --etcd", false],
  ["/etc/kubernetes/unknown.conf", false],
])("our own cluster has something that is called %s: %s", (name, expected) => {
  expect(isOfCourse({ name })).toBe(expected)
})
