/** An outcome was not checked; the message is the reason, as the report shows it. */
export class NotChecked extends Error {}
