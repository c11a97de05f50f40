import { matched, said, type Symptom } from "../symptom.ts"

/** What befalls the machine itself, and with it whoever looks. */
export const machine: readonly Symptom[] = [
  {
    id: "witness-replaced",
    component: "etcd",
    sign: said(/Not the programs that the machine was given: (.*?)\. Leave/),
    cause: "what the lessons look with is not what the machine was given: $1",
    remedy: "Leave those programs as they are; keep your own in other folders, and off PATH.",
    look: "type -a kubectl etcdctl ps ss; findmnt",
  },
  {
    id: "disk-full",
    component: "etcd",
    sign: ({ looks }) =>
      matched((looks.get("df -h /var/lib /var/log /tmp") ?? "").split("\n"), /^\S+ +\S+ +\S+ +0 +100% +(\S+)$/),
    cause: "the disk is full: there is no space left on $1, where components keep what they know and write their logs",
    remedy: "Make room on the disk that holds this run's folder, or name another in BYHAND_RUNS.",
    look: "df -h; du -xsh /var/* /tmp",
  },
  {
    id: "no-processes-left",
    component: "etcd",
    sign: said(/(spawn \S+ EAGAIN)/),
    cause: "the machine has as many processes as it may have, and can start no other",
    remedy: "Something starts more and more of them: look for a loop that does not wait for what it starts.",
    look: "ps -e -o ppid= | sort | uniq -c | sort -n | tail -n 3",
  },
  {
    id: "machine-ended",
    component: "etcd",
    sign: said(/(The machine \S+ has ended[^.]*)\./),
    cause: "the machine is gone, and all that ran on it",
    remedy:
      "Its time or its memory may have been used up, or a script has killed what is not its own (kill -1, pkill node): start again, and kill by name.",
    look: "npx byhand up --empty",
  },
]
