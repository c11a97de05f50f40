import { execa } from "execa"
import { spawn, type ChildProcess } from "node:child_process"
import { closeSync, openSync, writeFileSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { attachMachine } from "../../machines/providers.ts"
import { packageRoot, readSettings, type Settings } from "../../base/settings.ts"
import { runResult, type RunResult } from "../../report/result.ts"
import { Disk } from "./disk.ts"
import { STRUCK } from "./targets.ts"

/** The name of a cluster that the incidents must not affect. */
const KEPT = "kept"

/** Milliseconds after which a command counts as hanging. */
const TIME_TO_END = 180_000

/**
 * The soak's folders, on the host's file system and on a file system of limited size, and a cluster that the soak must
 * not affect.
 */
export class Workspace implements AsyncDisposable {
  readonly folder: string
  readonly disk: Disk
  readonly #spawned = new Set<ChildProcess>()

  private constructor(folder: string, disk: Disk) {
    this.folder = folder
    this.disk = disk
  }

  /** @param settings settings whose cache is already filled */
  static async make(settings: Settings): Promise<Workspace> {
    const folder = await mkdtemp(join(tmpdir(), "byhand-soak-"))
    const workspace = new Workspace(folder, await Disk.mount(join(folder, "disk")))
    for (const each of ["tmp", "cache"]) await mkdir(join(folder, each))
    // Use the same cache, but without its logs. Only the last ten logs are kept, and the soak must not remove the
    // user's logs.
    for (const part of await readdir(settings.cacheDir))
      if (part !== "logs") await symlink(join(settings.cacheDir, part), join(folder, "cache", part))
    return workspace
  }

  /** The folders of the machines that exist, without the cluster that the soak must not affect. */
  async machines(onDisk: boolean): Promise<string[]> {
    const folders = await readdir(this.runs(onDisk)).catch(() => []) // The folder does not exist yet.
    return folders.filter((folder) => folder !== `up-${KEPT}`).map((folder) => join(this.runs(onDisk), folder))
  }

  get temporary(): string {
    return join(this.folder, "tmp")
  }
  get logs(): string {
    return join(this.folder, "cache", "logs")
  }

  /** The folder that contains the folders of runs. */
  runs(onDisk: boolean): string {
    return onDisk ? join(this.disk.folder, "runs") : join(this.folder, "runs")
  }

  #environment(onDisk: boolean): NodeJS.ProcessEnv {
    return {
      BYHAND_RUNS: this.runs(onDisk),
      BYHAND_CACHE: join(this.folder, "cache"),
      BYHAND_PATIENCE: process.env["BYHAND_PATIENCE"] ?? "30",
      TMPDIR: this.temporary,
      NO_COLOR: "1",
    }
  }

  /**
   * Starts a command in its own process group, as a terminal does. The output goes to a file.
   * @returns the process, its output so far, and the result of the lessons. The result is undefined if the process
   * ended
   *   before it wrote one.
   */
  type(
    command: readonly string[],
    onDisk: boolean,
  ): { child: ChildProcess; output: () => Promise<string>; result: () => Promise<RunResult | undefined> } {
    const resultFile = join(this.folder, "result.json")
    writeFileSync(resultFile, "") // A run that is killed early leaves the file as it is.
    const path = join(this.folder, "output")
    const file = openSync(path, "w")
    const child = spawn("npx", command, {
      cwd: packageRoot,
      detached: true,
      env: { ...process.env, ...this.#environment(onDisk), BYHAND_RESULT: resultFile },
      stdio: ["ignore", file, file],
    })
    closeSync(file)
    this.#spawned.add(child)
    return {
      child,
      output: () => readFile(path, "utf8"),
      result: async () => {
        const text = await readFile(resultFile, "utf8")
        return text === "" ? undefined : runResult.parse(JSON.parse(text))
      },
    }
  }

  /** Runs a byhand command to its end. */
  byhand(words: readonly string[], onDisk = false) {
    return execa(process.execPath, [join(packageRoot, "dist", "cli", "main.js"), ...words], {
      env: this.#environment(onDisk),
      reject: false,
      stdin: "ignore",
      all: true,
      detached: true,
      timeout: TIME_TO_END,
    })
  }

  /** Starts the cluster that the soak must not affect. @returns its state, as `kept` does */
  async bringUpKept(): Promise<string> {
    const up = await this.byhand(["up", "--name", KEPT])
    if (up.exitCode !== 0) throw new Error(`byhand up failed: ${up.all}`)
    await this.byhand(["shell", "--name", KEPT, "etcdctl", "put", "/kept", `since ${new Date().toISOString()}`])
    return this.kept()
  }

  /** The state of the cluster that the soak must not affect: a value in its etcd, its readiness and its processes. */
  async kept(): Promise<string> {
    const attached = await attachMachine(readSettings(this.#environment(false)), `up-${KEPT}`)
    if (attached === undefined) return "The cluster does not run."
    const { stdout, stderr } = await attached.machine.run([
      "sh",
      "-c",
      "etcdctl get /kept; kubectl get --raw /readyz; echo; ps -e -o pid=,comm= | grep -E ' (etcd|kube-apiserver|kube-scheduler|crane|containerd|kubelet)$'",
    ])
    return stdout + stderr
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid, exitCode, signalCode } of this.#spawned)
      // The supervisor is in the same process group and then cleans up.
      if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, "SIGTERM")
    for (const name of [KEPT, STRUCK]) await this.byhand(["down", "--name", name])
    await this.disk[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}
