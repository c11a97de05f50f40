// vitest.config.ts names this file as a setup file when BYHAND_SABOTAGE is set. vitest runs it again before each test
// file;
// all test files share one process and one machine, so only the first run registers the saboteur.
import { registeredInterference, registerInterference } from "../../curriculum/interference.ts"
import { readSettings } from "../../base/settings.ts"
import { sabotageOf } from "./all.ts"
import { Saboteur } from "./saboteur.ts"

const settings = readSettings()
if (settings.sabotage !== undefined && registeredInterference() === undefined)
  registerInterference(new Saboteur(sabotageOf(settings.sabotage), settings))
