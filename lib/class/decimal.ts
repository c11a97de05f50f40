/** A number with at most one decimal. */
export function decimal(value: number): string {
  return String(Math.round(value * 10) / 10)
}
