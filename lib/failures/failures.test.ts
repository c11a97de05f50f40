import { describe, expect, test } from "vitest"
import { NoAccessError } from "../components/discovery/access.ts"
import { CommandTimeoutError, MachineEndedError, MachineError } from "../machines/agent-machine.ts"
import { describe as described, lineOf } from "./describe.ts"
import { FailureError } from "./errors.ts"
import type { CommandFailed } from "./failure.ts"
import { failureOf } from "./thrown.ts"

const refused: CommandFailed = {
  kind: "command-failed",
  argv: ["kubectl", "get", "pods"],
  exitCode: 1,
  stdout: "",
  stderr: "The connection to the server 127.0.0.1:6443 was refused\n",
}
const refusal = new FailureError(refused, "Try it.")

/** The error that an assertion throws. */
async function thrownBy(assertion: () => unknown): Promise<unknown> {
  try {
    await assertion()
  } catch (error) {
    return error
  }
  throw new Error("It did not fail.")
}

describe("a Failure is built from any thrown value", () => {
  test.each([
    ["an error that carries a failure", refusal, refused],
    [
      "the end of the machine",
      new MachineEndedError("m", "its time is over"),
      { kind: "machine-ended", machine: "m", reason: "its time is over" },
    ],
    [
      "a command that hangs",
      new CommandTimeoutError("sleep 9", 1000, "so far"),
      { kind: "hung", command: "sleep 9", waited: 1000, printed: "so far" },
    ],
    [
      "a refusal of the machine",
      new MachineError("spawn sh EAGAIN.", "Wait.", "EAGAIN"),
      { kind: "machine-refused", code: "EAGAIN" },
    ],
    [
      "a full disk",
      new MachineError("write /x: ENOSPC: no space left on device, open '/etc/hosts'.", "Free space.", "ENOSPC"),
      { kind: "disk-full", path: "/etc/hosts" },
    ],
    [
      "no kubeconfig with full access",
      new NoAccessError([{ kubeconfig: "/k", answer: "no" }]),
      { kind: "no-access", tried: [{ kubeconfig: "/k", answer: "no" }] },
    ],
    [
      "an error of the operating system",
      Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }),
      { kind: "thrown", code: "ECONNREFUSED" },
    ],
    ["a value that is not an error", "text", { kind: "thrown", message: "text" }],
  ])("%s", (_, thrown, failure) => {
    expect(failureOf(thrown)).toMatchObject(failure)
  })

  test.each<[string, () => unknown, object]>([
    ["toBe", () => expect(403).toBe(200), { expected: 200, actual: 403 }],
    ["toContain", () => expect("one").toContain("two"), { expected: "two", actual: "one" }],
    ["not.toContain", () => expect("node/paper").not.toContain("paper"), { actual: "node/paper" }],
    [
      "toEqual with a matcher",
      () => expect([]).toEqual(expect.arrayContaining(["Pulled"])),
      { expected: ["Pulled"], actual: [] },
    ],
    ["toEqual with a set", () => expect(new Set([1])).toEqual(new Set([2])), { expected: [2], actual: [1] }],
    ["an object", () => expect({ uid: "b" }).toEqual({ uid: "a" }), { expected: { uid: "a" }, actual: { uid: "b" } }],
    ["undefined in place of a value", () => expect(undefined).toBe("value"), { expected: "value" }],
    [
      "a promise that should reject",
      () => expect(Promise.resolve("hello")).rejects.toThrow("NotFound"),
      { expected: { error: "rejected promise" }, actual: "hello" },
    ],
    [
      "a poll",
      () => expect.poll(() => "Pending", { timeout: 30, interval: 5 }).toBe("Running"),
      { expected: "Running", actual: "Pending" },
    ],
  ])("%s is a mismatch of values", async (_, assertion, failure) => {
    expect(failureOf(await thrownBy(assertion), "01 an outcome")).toMatchObject({
      kind: "mismatch",
      outcome: "01 an outcome",
      ...failure,
    })
  })

  test("a poll whose command fails gives the failure of the command", async () => {
    const poll = () => expect.poll(() => Promise.reject(refusal), { timeout: 30, interval: 5 }).toBe("Running")
    expect(failureOf(await thrownBy(poll))).toEqual(refused)
  })

  test("the message of an assertion is not part of the failure", async () => {
    const one = await thrownBy(() => expect(403, "may read").toBe(200))
    const other = await thrownBy(() => expect(403, "is allowed to read, in other words").toBe(200))
    expect(String(one)).not.toBe(String(other))
    expect(failureOf(one)).toEqual(failureOf(other))
  })

  test("a failure is plain JSON", async () => {
    const failure = failureOf(await thrownBy(() => expect(Buffer.from("k8s")).toEqual(/^k8s/)))
    expect(JSON.parse(JSON.stringify(failure))).toEqual(failure)
  })
})

test("an error's message is built from its failure, its cause and its remedy", () => {
  const error = new FailureError(
    {
      kind: "component-exited",
      name: "etcd",
      exit: { code: 1, signal: null },
      after: 400,
      log: [],
      logPath: "/var/log/byhand/etcd.log",
    },
    "Use another port.",
    {},
    "its port is taken",
  )
  expect(error.message).toBe("etcd exited with 1 after 0.4 s: its port is taken. Use another port.")
  expect(described(refused)).toBe(
    "kubectl get pods ended with status 1: The connection to the server 127.0.0.1:6443 was refused",
  )
})

test("of a long command, its beginning is shown, and what it printed is shown whole", () => {
  const script = `openssl x509 -in a.crt\n${"openssl ca -batch ".repeat(20)}`
  const said = described({ ...refused, argv: ["sh", "-ec", script], stderr: "unknown option -x\n" })
  expect(said).toMatch(/^sh -ec 'openssl x509 -in a\.crt; openssl ca .{40,}… ended with status 1: unknown option -x$/)
})

test("a command in a function is named with the command that called it, and with the script of that if it is another", () => {
  const place = { file: "/root/cluster/08-pki.sh", line: 14, command: "kill -0 $!" }
  const call = { ...place, line: 40, command: "waits kubectl version" }
  expect(lineOf({ ...place, call }, 12)).toBe("line 14 (kill -0 $!), called in line 40 (waits kubec…)")
  expect(lineOf({ ...place, file: "/root/cluster/lib.sh", call }, 100)).toBe(
    "line 14 (kill -0 $!), called in line 40 of 08-pki.sh (waits kubectl version)",
  )
})
