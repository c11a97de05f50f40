// `byhand up` with the sabotage that BYHAND_SABOTAGE names: a cluster that is broken from the start, for `byhand doctor`.
// usage: BYHAND_SABOTAGE=ID node up.js CLUSTER_NAME
import { messageOf, UsageError } from "../../base/errors.ts"
import { readSettings } from "../../base/settings.ts"
import { up } from "../../cli/up.ts"
import { sabotageOf } from "./all.ts"
import { Saboteur } from "./saboteur.ts"

try {
  const settings = readSettings()
  if (settings.sabotage === undefined)
    throw new UsageError("BYHAND_SABOTAGE is not set.", "Set it to the id of a sabotage.")
  const [, , name = "byhand"] = process.argv
  const { text } = await up({ name }, new Saboteur(sabotageOf(settings.sabotage), settings))
  process.stdout.write(text, () => process.exit())
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`, () => process.exit(error instanceof UsageError ? 2 : 1))
}
