import { arch } from "node:process"

/** This host's architecture, as Go and the official releases call it. */
export const architecture: string = arch === "x64" ? "amd64" : arch
