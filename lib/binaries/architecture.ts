import { arch } from "node:process"

/** The architecture of this host, as Go and the official releases name it. */
export const architecture: string = arch === "x64" ? "amd64" : arch
