/**
 * Ends a switch over a union. If a member of the union has no case, the call is a type error.
 * @throws always; at run time, the value came from outside and is not a member of the union
 */
export function assertNever(value: never): never {
  throw new TypeError(`No case handles ${JSON.stringify(value)}.`)
}
