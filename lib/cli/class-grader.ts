// Grades one student of a class as `byhand grade` does, and tells the process that has started it what happens.
// It leads a process group. When its parent ends, also by SIGKILL, the group ends.
import { endGroup, type GraderMessage, type Task } from "../class/grader.ts"
import { grade } from "./grade.ts"

process.once("disconnect", () => endGroup(process.pid))

const task = JSON.parse(process.argv[2] ?? "") as Task // lib/class/grader.ts has written it.
const tell = (message: GraderMessage) => process.send?.(message)
await grade(
  [task.subject, ...task.lessons],
  {
    student: task.student,
    ...(task.for === undefined ? {} : { for: task.for }),
    standIn: task.standIn,
    format: [`json=${task.result}`],
  },
  tell,
  // This process exits as soon as the reason was told.
  (reason) => new Promise((told) => process.send?.({ type: "refused", reason } satisfies GraderMessage, () => told())),
)
process.exit()
