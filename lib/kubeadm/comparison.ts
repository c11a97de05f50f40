import type { Item, Topic } from "./inventory.ts"

/** One row of the table: a thing of a control plane, as kubeadm makes it and as it was made by hand. */
export interface Row {
  readonly topic: Topic
  readonly name: string
  /** undefined if it does not exist there. */
  readonly kubeadm: string | undefined
  readonly byHand: string | undefined
  readonly verdict: "same" | "different" | "only in kubeadm" | "only by hand"
  /** Why it is not the same; undefined if no reason is known, or none is needed. */
  readonly reason: string | undefined
}

/** Why items are not the same in both. */
export interface Reason {
  readonly verdict: Exclude<Row["verdict"], "same">
  readonly topic: Topic
  /** The names of the items that it explains. */
  readonly names: RegExp
  readonly reason: string
}

/**
 * Compares two control planes, item by item.
 * @param reasons the first one that matches an item explains it
 */
export function compare(kubeadm: readonly Item[], byHand: readonly Item[], reasons: readonly Reason[]): Row[] {
  const keys = new Map([...kubeadm, ...byHand].map(({ topic, name }) => [`${topic} ${name}`, { topic, name }]))
  const valueIn = (items: readonly Item[], { topic, name }: Pick<Item, "topic" | "name">) =>
    items.find((item) => item.topic === topic && item.name === name)?.value
  return [...keys.values()].map((key): Row => {
    const values = { kubeadm: valueIn(kubeadm, key), byHand: valueIn(byHand, key) }
    const verdict = verdictOf(key.topic, values)
    const why = reasons.find((one) => one.verdict === verdict && one.topic === key.topic && one.names.test(key.name))
    return { ...key, ...values, verdict, reason: why?.reason }
  })
}

function verdictOf(topic: Topic, { kubeadm, byHand }: Pick<Row, "kubeadm" | "byHand">): Row["verdict"] {
  if (byHand === undefined) return "only in kubeadm"
  if (kubeadm === undefined) return "only by hand"
  // Where a file is makes no difference.
  return topic === "file" || kubeadm === byHand ? "same" : "different"
}

/** How many rows have each verdict, in words. */
export function countsOf(rows: readonly Row[]): string {
  const verdicts: readonly Row["verdict"][] = ["same", "different", "only in kubeadm", "only by hand"]
  return verdicts.map((one) => `${rows.filter(({ verdict }) => verdict === one).length} ${one}`).join(", ")
}

/** The rows that nothing explains. What only the other cluster has is a choice of its owner, unless it is our own. */
export function unexplained(rows: readonly Row[], isOurs: boolean): Row[] {
  return rows.filter(
    ({ verdict, reason }) => verdict !== "same" && reason === undefined && (isOurs || verdict === "only in kubeadm"),
  )
}
