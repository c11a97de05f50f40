import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { distancesFrom, importsIn, sourcesIn, type ImportsOf } from "./imports.ts"
import type { Sabotage } from "./sabotage.ts"

/** Files that run in every proof. A change of one of them can affect every sabotage. */
const EVERY_PROOF = [
  "vitest.config.ts",
  "lib/lesson.ts",
  "lib/proof/sabotage/main.ts",
  "lib/proof/sabotage/grader.ts",
  "lib/proof/sabotage/setup.ts",
  "lib/machines/agent/agent.mts",
] as const

/** Files that every proof uses and that no module imports, because they are found by their paths. */
const FOUND_BY_PATH = /^(?:lib\/machines\/[^/]+\.sh|fixtures\/(?:manifests|images)\/.+|fixtures\/stored\.proto)$/

/** A sabotage that a change can affect. */
export interface Affected {
  readonly sabotage: Sabotage
  /** The changed file that is nearest to the sabotage. */
  readonly file: string
  /**
   * The number of imports between the sabotage's own files and the changed file; Infinity for a file that every proof
   * uses.
   */
  readonly distance: number
}

/**
 * Knows which files define a sabotage, its finding, the components that it changes, and the lessons in which it makes
 * tests fail.
 */
export class Dependencies {
  readonly #root: string
  readonly #importsOf: ImportsOf
  readonly #everyProof: ReadonlyMap<string, number>
  readonly #definitions: ReadonlyMap<string, string>
  readonly #symptoms: ReadonlyMap<string, readonly string[]>

  private constructor(root: string, definitions: ReadonlyMap<string, string>, symptoms: ReadonlyMap<string, string[]>) {
    this.#root = root
    this.#importsOf = importsIn(root)
    this.#everyProof = distancesFrom(EVERY_PROOF, this.#importsOf)
    this.#definitions = definitions
    this.#symptoms = symptoms
  }

  /** @param root the project's folder. It must be built, because the definitions are read from the compiled modules. */
  static async read(root: string): Promise<Dependencies> {
    const definitions = new Map<string, string>()
    for (const [file, ids] of await idsIn(root, "lib/proof/sabotage")) for (const id of ids) definitions.set(id, file)
    const symptoms = new Map<string, string[]>()
    for (const [file, ids] of await idsIn(root, "lib/diagnosis/symptoms"))
      for (const id of ids) symptoms.set(id, [...(symptoms.get(id) ?? []), file])
    return new Dependencies(root, definitions, symptoms)
  }

  /** The files that belong to a sabotage itself, without the files that they import. */
  filesOf({ id, finding, component = {}, fails, before }: Sabotage): string[] {
    const lessons = new Set([...fails, ...(before === undefined ? [] : [before])].map((test) => test.slice(0, 2)))
    return [
      this.#definitions.get(id) ?? [],
      this.#symptoms.get(finding) ?? [],
      Object.keys(component).flatMap((name) => this.#componentFiles(name)),
      [...lessons].flatMap((lesson) => [
        ...this.#startingWith("tests", lesson),
        ...this.#startingWith("lib/curriculum/lessons", lesson),
      ]),
      `fixtures/observations/${id}.json`,
    ].flat()
  }

  /** The sabotages that a change of these files can affect. The nearest ones come first. */
  affectedBy(changed: readonly string[], sabotages: readonly Sabotage[]): Affected[] {
    return sabotages
      .flatMap((sabotage) => {
        const own = new Set(this.filesOf(sabotage))
        // A lesson imports the whole library. Its imports are the files that every proof uses, so they are not followed
        // here.
        const lessons = new Set([...own].filter((file) => file.startsWith("tests/")))
        const near = distancesFrom(
          [...own].filter((file) => !lessons.has(file)),
          this.#importsOf,
        )
        const isInEveryProof = (file: string) => this.#everyProof.has(file) || FOUND_BY_PATH.test(file)
        const distanceOf = (file: string) =>
          lessons.has(file) ? 0 : (near.get(file) ?? (isInEveryProof(file) ? Infinity : undefined))
        const [nearest] = changed
          .flatMap((file) => {
            const distance = distanceOf(file)
            return distance === undefined ? [] : [{ sabotage, file, distance }]
          })
          .toSorted((a, b) => compare(a.distance, b.distance))
        return nearest ?? []
      })
      .toSorted((a, b) => compare(a.distance, b.distance))
  }

  /** The files of lib/components that describe the component of this name. */
  #componentFiles(name: string): string[] {
    return sourcesIn(this.#root, "lib/components").filter((file) =>
      readFileSync(join(this.#root, file), "utf8").includes(`name: "${name}"`),
    )
  }

  #startingWith(folder: string, lesson: string): string[] {
    if (!existsSync(join(this.#root, folder))) return []
    return readdirSync(join(this.#root, folder))
      .filter((file) => file.startsWith(`${lesson}-`))
      .map((file) => `${folder}/${file}`)
  }
}

/** Compares two distances. A subtraction cannot do it, because Infinity minus Infinity is NaN. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** For each module of a folder: the ids of the objects in the lists that the module exports. */
async function idsIn(root: string, folder: string): Promise<Map<string, string[]>> {
  const modules = sourcesIn(root, folder).filter(
    (file) => !file.endsWith("/main.ts") && !file.endsWith("/grader.ts") && !file.endsWith("/all.ts"),
  )
  return new Map(
    await Promise.all(
      modules.map(async (file): Promise<[string, string[]]> => {
        const compiled = join(root, file.replace(/^lib\//, "dist/").replace(/\.ts$/, ".js"))
        const exported: unknown = await import(pathToFileURL(compiled).href)
        return [file, Object.values(Object(exported) as Record<string, unknown>).flatMap(idsOf)]
      }),
    ),
  )
}

function idsOf(exported: unknown): string[] {
  if (!Array.isArray(exported)) return []
  return exported.flatMap((one: unknown) =>
    typeof one === "object" && one !== null && "id" in one && typeof one.id === "string" ? [one.id] : [],
  )
}
