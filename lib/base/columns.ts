/** The width of output that is not a terminal, such as a file or a CI log. */
const DEFAULT_WIDTH = 100

/** The number of columns of a stream. A terminal that does not know its size, such as a new pty, says 0. */
export function columnsOf({ columns }: { readonly columns?: number }): number {
  return columns === undefined || columns === 0 ? DEFAULT_WIDTH : columns
}
