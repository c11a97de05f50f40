import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
import type { GroupName, ToolName } from "./versions.ts"

/** A program that was found or made. */
export interface Binary {
  readonly name: ToolName
  readonly path: string
  /** The version that it prints, without the v. */
  readonly version: string
  /** The source of the program, for people to read. */
  readonly source: string
}

/** A request to a source for tools of one group. */
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

/** A place from which binaries come. */
export interface Source {
  /**
   * Finds or makes as many of the tools as possible, and says why the others are missing.
   * @param into a folder for the binaries that it makes; the folder is emptied before the next call
   */
  find(order: Order, into: string): Promise<Answer>
}

/** Asks the sources one after another. Each source is asked only for the tools that the earlier sources do not have. */
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
