import { afterAll, beforeAll } from "vitest"
import type { Artifacts } from "../../clusters/artifacts.ts"
import type { Machine } from "../../machines/machine.ts"
import { startSandbox } from "../../machines/sandbox.ts"
import { openScripts, type OpenedScripts } from "./open-scripts.ts"
import { artifacts, workplace, type Workplace } from "./workplace.ts"

/** Machines with etcd's program, for the tests of one file. */
export interface EtcdScripts {
  /**
   * A machine with a folder of scripts that start etcd. By default, they have a minute for it (milliseconds).
   * @param used the machine of an earlier attempt, which is used again
   */
  readonly open: (
    files: Readonly<Record<string, string>>,
    patience?: number,
    used?: OpenedScripts,
  ) => Promise<OpenedScripts>
  /** A machine without scripts. */
  readonly machine: () => Promise<Machine>
}

/**
 * Prepares etcd and a workplace before the tests of the file, and removes the workplace after them.
 * @param changeNumbers the numbers of scripts that change how etcd is started
 */
export function etcdScripts(changeNumbers: readonly number[] = []): EtcdScripts {
  let place: Workplace
  let given: Artifacts
  beforeAll(async () => {
    place = await workplace()
    given = await artifacts(["etcd"])
  })
  afterAll(() => place[Symbol.asyncDispose]())
  return {
    open: (files, patience = 60_000, used?: OpenedScripts) =>
      openScripts(place, given, files, { scriptNumberOf: () => 1, changeNumbers, patience }, used),
    machine: async () =>
      (await startSandbox({ name: place.name, binds: given.binds, settings: place.settings })).machine,
  }
}

/**
 * The name of the error with which an attempt ends, and the failure that it carries; undefined if it succeeds. A
 * BlockedError carries the failure of its cause.
 */
export async function errorOf(attempt: Promise<void>): Promise<{ name: string; failure: unknown } | undefined> {
  try {
    await attempt
    return undefined
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const { cause = error } = error
    return { name: error.name, failure: cause instanceof Error && "failure" in cause ? cause.failure : undefined }
  }
}
