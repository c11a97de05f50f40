import { addressIn, type Address } from "./settings/address.ts"
import { flagOf } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

/** The port of the registry on the loopback address. */
export const REGISTRY_PORT = 5000

/** The path of an image's archive on the machine. */
export function archivePath(reference: string): string {
  return `/opt/images/${reference.replaceAll(/[^\w.-]/g, "_")}.tar`
}

export interface RegistrySettings extends Settings {
  readonly address: Address
}

/**
 * A registry on loopback that serves the images of the lessons, so that no image is pulled from outside the machine.
 */
export const imageRegistry: ComponentSpec<"registry", RegistrySettings> = {
  name: "registry",
  program: "crane",
  scriptWord: "registry",
  after: [],
  requires: ["images"],
  isProvided: true,
  startsAhead: true,
  tools: ["crane"],
  absence: "images cannot be pulled",
  settings: (started) => ({
    address: addressIn(flagOf(started, "--address") ?? `127.0.0.1:${REGISTRY_PORT}`, REGISTRY_PORT),
  }),
  probe: ({ address }) => ({ by: "http", ...address, path: "/v2/" }),
  describe: ({ images }) => ({
    name: "registry",
    binary: "crane",
    subcommand: ["registry", "serve"],
    flags: [{ flag: "--address", value: `127.0.0.1:${REGISTRY_PORT}` }],
    files: [],
    completion: images.map((reference) => ({
      argv: [
        "crane",
        "push",
        archivePath(reference),
        `127.0.0.1:${REGISTRY_PORT}/${reference.split("/").slice(1).join("/")}`,
        "--insecure",
      ],
      problem: `${reference} could not be pushed to the registry on port ${REGISTRY_PORT}`,
      remedy: 'Remove the folder "images" from the cache and try again.',
    })),
  }),
}
