import { RemediedError } from "../base/errors.ts"

/** The part of a component from which the start order is computed: its name, and the components that it depends on. */
export interface Ordered {
  readonly name: string
  readonly after: readonly string[]
}

/** The start order cannot be computed. */
export class StartOrderError extends RemediedError {}

/**
 * The order in which components start: each component comes after all components that it depends on. Components that do
 * not depend on each other keep the order of the list.
 * @throws StartOrderError for a dependency that is not in the list, and for a cycle
 */
export function startOrder<One extends Ordered>(list: readonly One[]): One[] {
  const ordered: One[] = []
  const visit = (one: One, path: readonly string[]): void => {
    if (path.includes(one.name))
      throw new StartOrderError(
        `These components wait for each other: ${[...path.slice(path.indexOf(one.name)), one.name].join(" after ")}.`,
        "Remove one of these names from an `after` in lib/components.",
      )
    if (ordered.includes(one)) return
    for (const name of one.after) visit(named(list, name, one.name), [...path, one.name])
    ordered.push(one)
  }
  for (const one of list) visit(one, [])
  return ordered
}

/** The given components and all components that they depend on, directly or indirectly, in start order. */
export function withDependencies<One extends Ordered>(list: readonly One[], names: readonly string[]): One[] {
  const wanted = new Set<string>()
  const want = (name: string, asker: string): void => {
    if (wanted.has(name)) return
    wanted.add(name)
    for (const next of named(list, name, asker).after) want(next, name)
  }
  for (const name of names) want(name, "The caller")
  return startOrder(list).filter(({ name }) => wanted.has(name))
}

function named<One extends Ordered>(list: readonly One[], name: string, asker: string): One {
  const found = list.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new StartOrderError(
    `${asker} names the component ${name}, which is not in the list of components.`,
    "Add it to lib/components/registry.ts, or correct the name.",
  )
}
