/** An outcome was not checked; the message is the reason, as the report shows it. */
export class NotChecked extends Error {}

/** Ends an outcome that this host or this cluster does not allow to check. @param lacks what is missing, as a clause */
export function cannotCheck(lacks: string): never {
  throw new NotChecked(`cannot check here: ${lacks}`)
}
