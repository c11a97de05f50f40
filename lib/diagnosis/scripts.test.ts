import { expect, test } from "vitest"
import { lateHeredocsOf, scriptsOf, SCRIPTS_FOLDER, startCommandsOf } from "./scripts.ts"

const commandsIn = (text: string, name = "01-etcd.sh") =>
  startCommandsOf({ files: { [`${SCRIPTS_FOLDER}/${name}`]: text } })

test("a continued command is read as its words, without comment, redirection and &", () => {
  expect(
    commandsIn("#!/bin/bash\nnohup etcd \\\n  --data-dir=/x \\\n  '--name=a b' >/tmp/log 2>&1 & # in the background\n"),
  ).toEqual([
    {
      component: "etcd",
      script: "01-etcd.sh",
      line: 2,
      argv: ["etcd", "--data-dir=/x", "--name=a b"],
      lost: [],
      broken: undefined,
    },
  ])
})

test.each([
  ["a blank after the backslash", "etcd --a=b \\ \n  --c=d\n", "blank"],
  ["two backslashes", "exec etcd --a=b \\\\\n  --c=d\n", "doubled"],
  ["a comment on a line of its own", "etcd --a=b \\\n  # why\n  --c=d\n", "comment"],
  ["a comment before the backslash", "etcd --a=b # why \\\n  --c=d\n", "comment"],
  ["no backslash", "exec etcd --a=b\n  --c=d\n", "missing"],
])("%s ends a command, and the flags below are lost", (_, text, how) => {
  const [command] = commandsIn(text)
  expect(command).toMatchObject({ broken: { how }, lost: ["--c"] })
  expect(command?.argv.slice(0, 2)).toEqual(["etcd", "--a=b"])
})

test("a heredoc, a path and the name of a program in a comment start nothing", () => {
  expect(
    commandsIn("cat <<'EOF' >/x\netcd --a=b\nEOF\nls /usr/bin/other\n# etcd --a=b\n  --data-dir=/var/lib/etcd\n"),
  ).toEqual([])
})

test("a text after <<< is no heredoc; only one that begins with <<- ends at a word after tabs", () => {
  expect(commandsIn("grep x <<<word\netcd --a=b\n")).toHaveLength(1)
  expect(commandsIn("cat <<-EOF\netcd --a=b\n\tEOF\netcd --a=c\n")).toMatchObject([{ line: 4 }])
  expect(commandsIn("cat <<EOF\netcd --a=b\n\tEOF\netcd --a=c\n")).toEqual([])
})

test("a heredoc ends late where the line that was meant to end it is not its word alone, or is missing", () => {
  const late = (...lines: readonly string[]) =>
    lateHeredocsOf({ files: { [`${SCRIPTS_FOLDER}/05-kubelet.sh`]: lines.join("\n") } })
  const next = ["cat >/b <<EOF", "b: 1", "EOF"]
  expect(late("cat >/a <<EOF", "a: 1", "EOF EOF", ...next)).toEqual([
    { script: "05-kubelet.sh", line: 1, word: "EOF", meant: { line: 3, text: "EOF EOF", isLike: true } },
  ])
  expect(late("cat >/a <<EOF", "a: 1", " EOF", ...next)).toMatchObject([{ meant: { line: 3 } }])
  expect(late("cat >/a <<EOF", "a: 1", "OF", ...next)).toMatchObject([{ meant: { line: 3, isLike: true } }])
  expect(late("cat >/a <<EOF", "a: 1", ...next)).toMatchObject([{ meant: { line: 2, isLike: false } }])
  expect(late("cat >/a <<EOF", ...next)).toEqual([])
  expect(late("cat >/a <<EOF", "a: 1", "EOF", ...next)).toEqual([])
  expect(late("cat >/a <<EOF", "EOFX: 1", "EOF", "# EOF", ...next)).toEqual([])
})

test("only numbered scripts of the learner's folder are start scripts, in their order", () => {
  const files = Object.fromEntries(
    ["02-b.sh", "01-a.sh", "etc/x.sh", "notes.sh"].map((name) => [`${SCRIPTS_FOLDER}/${name}`, ""]),
  )
  expect(scriptsOf({ files: { ...files, "/etc/03-c.sh": "" } }).map(({ name }) => name)).toEqual(["01-a.sh", "02-b.sh"])
})
