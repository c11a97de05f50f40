// What ps and ss print, read from /proc: a host may have neither, or others than procps and iproute2, or false ones.

/** The line of a shell that prints what `processList` reads. */
export const READ_PROCESSES =
  "cat /proc/[0-9]*/stat 2>/dev/null; ls -l /proc/self/ns/net /proc/[0-9]*/ns/net 2>/dev/null"

/** The line of a shell that prints what `socketList` reads. /proc/PID/fd shows which process holds a socket. */
export const READ_SOCKETS =
  "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; cat /proc/[0-9]*/stat 2>/dev/null; ls -l /proc/[0-9]*/fd 2>/dev/null | grep -e ^/proc -e socket:"

/** A process, as /proc/PID/stat describes it (man 5 proc). */
interface ProcessRow {
  readonly pid: number
  readonly program: string
  readonly state: string
  readonly parent: number
  /** Clock ticks after the boot. */
  readonly started: number
}

function processRows(text: string): ProcessRow[] {
  // The name of a program can contain blanks, parentheses and line breaks.
  return text.split(/\n(?=\d+ \(|l)/).flatMap((row) => {
    const [, pid, program = "", rest = ""] = /^(\d+) \(([^]*)\) ([^)]*)$/.exec(row.trimEnd()) ?? []
    const fields = rest.split(" ")
    return pid === undefined
      ? []
      : [
          {
            pid: Number(pid),
            program,
            state: fields[0] ?? "",
            parent: Number(fields[1]),
            started: Number(fields[19]),
          },
        ]
  })
}

/**
 * What `ps -e --sort=start_time,pid -o pid=,stat=,comm=` prints, without the processes of containers that have a network
 * of their own: what listens there is not the host's.
 * @param text what READ_PROCESSES prints
 */
export function processList(text: string): string {
  const networks = new Map(
    [...text.matchAll(/ \/proc\/(self|\d+)\/ns\/net -> (\S+)$/gm)].map(([, pid, net]) => [pid, net]),
  )
  const own = networks.get("self")
  return processRows(text)
    .filter(({ pid }) => (networks.get(String(pid)) ?? own) === own)
    .toSorted((a, b) => a.started - b.started || a.pid - b.pid)
    .map(({ pid, state, program }) => `${pid} ${state} ${program.replaceAll(/\s/g, "?")}\n`)
    .join("")
}

/** The process and its ancestors. @param text what READ_PROCESSES prints */
export function ancestry(text: string, pid: number): readonly { readonly pid: number; readonly program: string }[] {
  const rows = new Map(processRows(text).map((row) => [row.pid, row]))
  const found: ProcessRow[] = []
  for (let row = rows.get(pid); row !== undefined && !found.includes(row); row = rows.get(row.parent)) found.push(row)
  return found
}

/** The states of a TCP socket in /proc/net/tcp, in the kernel's order, as ss names them (include/net/tcp_states.h). */
const STATES = [
  "UNCONN",
  "ESTAB",
  "SYN-SENT",
  "SYN-RECV",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "TIME-WAIT",
  "UNCONN",
  "CLOSE-WAIT",
  "LAST-ACK",
  "LISTEN",
  "CLOSING",
]

/** Which sockets ss would list. */
export interface SocketFilter {
  readonly which: "listening" | "connected" | "all"
  /** The local port, or that of the peer, that a socket must have. */
  readonly port?: { readonly of: "sport" | "dport"; readonly number: number }
}

/** The filter in the words of a command line of ss. undefined for words that no code of this project uses. */
export function socketFilter(words: readonly string[]): SocketFilter | undefined {
  const rest = words.filter((word) => !["--tcp", "--numeric", "--processes", "--no-header"].includes(word))
  const which = rest.includes("--all") ? "all" : rest.includes("--listening") ? "listening" : "connected"
  const [of, sign, number = "", ...more] = rest.filter((word) => word !== "--all" && word !== "--listening")
  if (of === undefined) return { which }
  if ((of !== "sport" && of !== "dport") || sign !== "=" || !/^:\d+$/.test(number) || more.length > 0) return undefined
  return { which, port: { of, number: Number(number.slice(1)) } }
}

/**
 * What `ss --tcp --numeric --processes --no-header` prints for a filter.
 * @param text what READ_SOCKETS prints
 * @param isOurs whether a process serves the grader, so that its sockets are not a part of the host
 */
export function socketList(text: string, filter: SocketFilter, isOurs: (pid: number) => boolean): string {
  const programs = new Map(processRows(text.replace(/^\/proc[^]*/m, "")).map(({ pid, program }) => [pid, program]))
  const holders = holdersIn(text)
  return text
    .split("\n")
    .flatMap((line) => {
      const [, local, peer, hexState = "", , , , , , inode = ""] = line.trim().split(/\s+/)
      if (!/^\s*\d+: /.test(line) || local === undefined || peer === undefined) return []
      const state = STATES[Number.parseInt(hexState, 16)] ?? "UNKNOWN"
      const isListening = state === "LISTEN"
      if (filter.which !== "all" && isListening !== (filter.which === "listening")) return []
      const [from, to] = [addressOf(local), addressOf(peer)]
      const { port } = filter
      if (port !== undefined && (port.of === "sport" ? from : to).port !== port.number) return []
      const pids = (holders.get(inode) ?? []).filter(({ pid }) => !isOurs(pid))
      if (pids.length === 0) return []
      const users = pids.map(({ pid, fd }) => `("${programs.get(pid) ?? "?"}",pid=${pid},fd=${fd})`)
      const toPort = isListening ? "*" : String(to.port)
      return [`${state} 0 0 ${from.host}:${from.port} ${to.host}:${toPort} users:(${users.join(",")})\n`]
    })
    .join("")
}

/** The processes that hold each socket, by its inode, from what `ls -l /proc/[0-9]*\/fd` prints. */
function holdersIn(text: string): Map<string, { readonly pid: number; readonly fd: number }[]> {
  const found = new Map<string, { pid: number; fd: number }[]>()
  let pid = 0
  for (const line of text.split("\n")) {
    const [, folder] = /^\/proc\/(\d+)\/fd:$/.exec(line) ?? []
    if (folder !== undefined) pid = Number(folder)
    const [, fd, inode] = / (\d+) -> socket:\[(\d+)\]$/.exec(line) ?? []
    if (inode !== undefined) found.set(inode, [...(found.get(inode) ?? []), { pid, fd: Number(fd) }])
  }
  return found
}

/**
 * An address of /proc/net/tcp, such as 0100007F:0CEA, as ss writes it. The kernel writes it in the host's byte order.
 */
function addressOf(hex: string): { readonly host: string; readonly port: number } {
  const [digits = "", port = ""] = hex.split(":")
  const bytes = Buffer.from(digits, "hex")
  // All hosts that Kubernetes runs on, except s390x, are little-endian.
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse()
  const host = bytes.length === 4 ? bytes.join(".") : ipv6(bytes)
  return { host, port: Number.parseInt(port, 16) }
}

function ipv6(bytes: Buffer): string {
  if (bytes.every((byte) => byte === 0)) return "*"
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff
  if (isMapped) return `[::ffff:${bytes.subarray(12).join(".")}]`
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16))
  // URL shortens an address as RFC 5952 says.
  return new URL(`http://[${groups.join(":")}]`).hostname
}
