/**
 * "our etcd, kube-apiserver and kubelet": components of ours that ran in place of the learner's; "" if there are none.
 */
export function oursIn(names: readonly string[]): string {
  const before = names.slice(0, -1).join(", ")
  return names.length === 0 ? "" : `our ${before}${before === "" ? "" : " and "}${names.at(-1)}`
}

/** How outcomes are marked that were checked with components of ours: "with our etcd"; "" if there are none. */
export function withOurs(names: readonly string[]): string {
  return names.length === 0 ? "" : `with ${oursIn(names)}`
}
