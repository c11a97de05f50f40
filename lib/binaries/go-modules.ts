import { execa } from "execa"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp } from "node:fs/promises"
import { homedir } from "node:os"
import { basename, join } from "node:path"
import { packageRoot, type Settings } from "../base/settings.ts"
import { architecture } from "./architecture.ts"
import { goFolder, removeGoCaches, withGoCaches } from "./go-caches.ts"
import { inspect } from "./inspect.ts"
import { dependentCommand } from "../base/dependent-command.ts"
import type { Answer, Order, Source } from "./source.ts"
import { knownVersions, type GroupName, type ToolName } from "./versions.ts"

interface Module {
  /** The package from which a tool is built. */
  readonly packageOf: (tool: ToolName) => string
  /**
   * Values for the linker's -X, so that the tools can print their version. `time` is the release time of the module.
   */
  readonly stamp: (version: string, time: string) => Record<string, string>
  /** The module with that release time. */
  readonly module: string
}

const containerd = "github.com/containerd/containerd/v2"
const cni = "github.com/containernetworking/plugins"
const crane = "github.com/google/go-containerregistry"

const modules: Partial<Record<GroupName, Module>> = {
  etcd: {
    module: "go.etcd.io/etcd/server/v3",
    packageOf: (tool) => `go.etcd.io/etcd/${tool === "etcd" ? "server" : tool}/v3`,
    stamp: () => ({}),
  },
  kubernetes: {
    module: "k8s.io/kubernetes",
    packageOf: (tool) => `k8s.io/kubernetes/cmd/${tool}`,
    stamp(version, time) {
      const [major = "", minor = ""] = version.split(".")
      // A module does not contain its commit.
      const told = {
        gitVersion: `v${version}`,
        gitMajor: major,
        gitMinor: minor,
        gitTreeState: "clean",
        gitCommit: "unknown",
        buildDate: time,
      }
      return Object.fromEntries(
        ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((place) =>
          Object.entries(told).map(([name, value]) => [`${place}.${name}`, value]),
        ),
      )
    },
  },
  containerd: {
    module: containerd,
    packageOf: (tool) => `${containerd}/cmd/${tool}`,
    stamp: (version) => ({ [`${containerd}/version.Version`]: `v${version}` }),
  },
  "cni-plugins": {
    module: cni,
    packageOf: (tool) =>
      `${cni}/plugins/${tool === "host-local" ? "ipam" : tool === "portmap" ? "meta" : "main"}/${tool}`,
    stamp: (version) => ({ [`${cni}/pkg/utils/buildversion.BuildVersion`]: `v${version}` }),
  },
  crane: {
    module: crane,
    packageOf: (tool) => `${crane}/cmd/${tool}`,
    stamp: (version) => ({ [`${crane}/cmd/crane/cmd.Version`]: `v${version}` }),
  },
  // Our own program around the library, beside its go.mod.
  porcupine: {
    module: "github.com/anishathalye/porcupine",
    packageOf: (tool) => `./${tool}`,
    stamp: () => ({}),
  },
  coredns: {
    module: "github.com/coredns/coredns",
    packageOf: () => "./coredns", // A program of ours, with fewer plugins: fixtures/binaries/coredns-v…/coredns.
    stamp: () => ({}),
  },
}

const source = "Go modules"

/** A build leaves the processor to the lessons that run beside it. */
const LATER = ["nice", "-n", "10"]

/** Builds tools from the go.mod files in fixtures/binaries. All requested tools of one go.mod are built at once. */
export const goModules: Source = {
  async find(order, into) {
    const module = modules[order.group]
    const pins = join(packageRoot, "fixtures", "binaries", `${order.group}-v${order.version}`)
    const miss = (why: string): Answer => ({ found: [], misses: [{ source, why }] })
    if (module === undefined) return miss(`${order.tools.join(", ")} cannot be built without a C compiler`)
    if (!existsSync(pins))
      return miss(
        `there is no go.mod for ${order.group} ${order.version}; Kubernetes has one in ${knownVersions.join(", ")}`,
      )
    const work = await mkdtemp(join(into, "go-"))
    const env = await environment(order.settings, work)
    if ((await execa("go", ["version"], { env, reject: false })).failed) return miss("there is no go on PATH")
    const wanted = buildOf(order, module, { cwd: pins, env })
    const failure = await inTurn(
      order,
      () => fetchModules(order, wanted),
      (time) => build(order, wanted, time, work),
    )
    if (failure !== undefined) return miss(failure)
    return inspect(
      order,
      source,
      new Map(order.tools.map((tool) => [tool, join(work, binaryName(module.packageOf(tool)))])),
      "",
    )
  },
}

/** Runs one piece of work after another. */
class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}

/**
 * One build uses all cores. Two builds would not be faster, but would need twice the memory. While one builds, the
 * modules of the next are fetched.
 */
const [fetching, building] = [new Turns(), new Turns()]
let waiting = 0

/** Fetches, then builds. The last build removes Go's caches. @returns the error message if it fails */
async function inTurn(
  { settings, progress }: Order,
  fetched: () => Promise<Fetched>,
  built: (time: string) => Promise<string | undefined>,
): Promise<string | undefined> {
  waiting++
  try {
    return await withGoCaches(settings, async () => {
      const { time, failure } = await fetching.take(fetched)
      return failure ?? building.take(() => built(time))
    })
  } finally {
    waiting--
    // If they cannot be removed, the next build or `byhand cache prune` removes them.
    if (waiting === 0 && !settings.keepBuild) await removeGoCaches(settings, progress).catch(() => undefined)
  }
}

/** The release time of a module whose dependencies have been fetched, or why they could not be fetched. */
interface Fetched {
  readonly time: string
  readonly failure: string | undefined
}

/** Where go runs. */
interface Place {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** What a build needs: its packages, where go runs, and the title of its steps. */
interface Build {
  readonly module: Module
  readonly packages: readonly string[]
  readonly options: Place & { readonly reject: false; readonly lines: true }
  readonly title: string
}

function buildOf({ tools, version }: Order, module: Module, place: Place): Build {
  return {
    module,
    packages: tools.map(module.packageOf),
    options: { ...place, reject: false, lines: true },
    title: `${tools.join(", ")} ${version}`,
  }
}

async function fetchModules({ progress }: Order, { module, packages, options, title }: Build): Promise<Fetched> {
  const listed = await progress.task(`Fetching the Go modules of ${title}`, async (report) => {
    const list = dependentCommand(
      [
        "go",
        "list",
        "-deps",
        "-f",
        `{{with .Module}}{{if eq .Path "${module.module}"}}{{.Time.UTC.Format "2006-01-02T15:04:05Z"}}{{end}}{{end}}`,
        ...packages,
      ],
      options,
    )
    let count = 0
    for await (const line of list.iterable({ from: "stderr" }))
      if (line.startsWith("go: downloading ")) report(++count, 0, "modules")
    return list
  })
  return { time: listed.stdout[0] ?? "", failure: listed.failed ? complaint(listed) : undefined }
}

/** Builds into the work folder. @returns the error message if the build fails */
async function build(
  order: Order,
  { module, packages, options, title }: Build,
  time: string,
  work: string,
): Promise<string | undefined> {
  const stamp = Object.entries(module.stamp(order.version, time))
    .map(([name, value]) => ` -X ${name}=${value}`)
    .join("")
  const flags = ["-trimpath", "-ldflags", `-s -w${stamp}`]
  const built = await order.progress.task(`Building ${title} from Go modules`, async (report) => {
    const stale = await dependentCommand(
      ["go", "list", "-deps", ...flags, "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", ...packages],
      options,
    )
    if (stale.failed) return stale
    const left = new Set(stale.stdout)
    const total = left.size
    const compiling = dependentCommand(
      [...LATER, "go", "build", "-v", ...flags, "-o", `${work}/`, ...packages],
      options,
    )
    for await (const line of compiling.iterable({ from: "stderr" }))
      if (left.delete(line)) report(total - left.size, total, "packages")
    return compiling
  })
  return built.failed ? complaint(built) : undefined
}

/** The environment for Go. Go writes only into the cache, and still reads the user's own settings. */
async function environment({ cacheDir }: Settings, work: string): Promise<NodeJS.ProcessEnv> {
  const go = goFolder({ cacheDir })
  const temporary = join(work, "tmp")
  await mkdir(temporary)
  const config = process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config")
  return {
    GOENV: process.env["GOENV"] ?? join(config, "go", "env"),
    XDG_CONFIG_HOME: join(go, "config"), // go's telemetry counters
    GOPATH: go,
    GOMODCACHE: join(go, "mod"),
    GOCACHE: join(go, "build"),
    GOTMPDIR: temporary,
    GOFLAGS: "-mod=readonly -modcacherw -buildvcs=false",
    GOOS: "linux",
    GOARCH: architecture,
    GO111MODULE: "on",
    GOWORK: "off",
    CGO_ENABLED: "0",
  }
}

/** The name of a package's binary: the last part of the path that is not a major version. */
function binaryName(path: string): string {
  return basename(path.replace(/\/v\d+$/, ""))
}

/** The error messages of go, without its list of packages and modules. */
function complaint({
  stderr,
  shortMessage,
}: {
  readonly stderr: readonly string[]
  readonly shortMessage?: string | undefined
}): string {
  const said = stderr.filter((line) => line.includes(" ") && !line.startsWith("go: downloading "))
  return said.slice(0, 3).join("; ") || stderr.at(-1) || (shortMessage ?? "go failed")
}
