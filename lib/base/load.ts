import { createRequire } from "node:module"

/**
 * Loads a CommonJS package at the moment of the call, for a package that loads slowly and that few runs need. import()
 * does not serve for that in code that vitest's config uses: its module runner refuses import() once it is closed.
 */
export const load = createRequire(import.meta.url)
