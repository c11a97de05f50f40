import type { Reach } from "../network.ts"
import { askLine, dialLine } from "./line.mts"
import type { PublishedPort } from "./published-port.ts"

/** How the machines in a container are reached. */
export function reachOf(published: PublishedPort): Reach {
  return {
    lacks: published.lacks,
    dial: (name) => dialLine(published, name),
    ask: (words) => askLine(published, words),
  }
}
