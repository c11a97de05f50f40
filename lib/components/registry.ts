import type { Component } from "./component.ts"

/** A registry on loopback that serves the lessons' images, so that no image comes from outside. */
export function registry({ port }: { readonly port: number }): Component {
  return {
    name: "registry",
    binary: "crane",
    subcommand: ["registry", "serve"],
    flags: [{ flag: "--address", value: `127.0.0.1:${port}` }],
    files: [],
    port,
    ready: { by: "http", port, path: "/v2/", tls: false },
    lesson: 5,
  }
}
