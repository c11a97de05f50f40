// Grades one student of a class as `byhand grade FOLDER` does, and tells the process that has started it what happens.
// It leads a process group. When its parent ends, also by SIGKILL, the group ends.
import { endGroup, type Task } from "../class/grader.ts"
import { grade } from "./grade.ts"

process.once("disconnect", () => endGroup(process.pid))

const task = JSON.parse(process.argv[2] ?? "") as Task // lib/class/grader.ts has written it.
await grade(
  [task.folder, ...task.lessons],
  { student: task.student, standIn: task.standIn, format: [`json=${task.result}`] },
  (event) => process.send?.(event),
)
process.exit()
