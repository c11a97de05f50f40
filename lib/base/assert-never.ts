/**
 * Ends a switch over a union: a member that has no case is a type error here.
 * @throws always; at run time the value came from outside and is none of the union's members
 */
export function assertNever(value: never): never {
  throw new TypeError(`No case handles ${JSON.stringify(value)}.`)
}
