/** Why a student's scripts cannot be graded. The message is a reason in plain words: it stands in the student's row. */
export class SubjectError extends Error {}
