import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
import type { GroupName, ToolName } from "./versions.ts"

/** A program that was found or made. */
export interface Binary {
  readonly name: ToolName
  readonly path: string
  /** The version that it prints, without the v. */
  readonly version: string
  /** Where it comes from, for people to read. */
  readonly source: string
}

/** The tools of one group that a source is asked for. */
export interface Order {
  readonly group: GroupName
  readonly version: string
  readonly tools: readonly ToolName[]
  readonly settings: Settings
  readonly progress: Progress
}

/** Why a source does not have a tool, as a sentence without its full stop. */
export interface Miss {
  readonly source: string
  readonly why: string
}

export interface Answer {
  readonly found: readonly Binary[]
  readonly misses: readonly Miss[]
}

/** A place that binaries come from. */
export interface Source {
  /**
   * Finds or makes as many of the tools as it can, and says why not the others.
   * @param into a folder for what it makes; it is emptied before the next call
   */
  find(order: Order, into: string): Promise<Answer>
}

/** Asks the sources one after the other, each for the tools that the earlier ones do not have. */
export async function inOrder(sources: readonly Source[], order: Order, into: string): Promise<Answer> {
  const found: Binary[] = []
  const misses: Miss[] = []
  for (const source of sources) {
    const tools = order.tools.filter((tool) => !found.some(({ name }) => name === tool))
    if (tools.length === 0) break
    const answer = await source.find({ ...order, tools }, into)
    found.push(...answer.found)
    misses.push(...answer.misses)
  }
  return { found, misses }
}
