import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { chmod, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises"
import { delimiter, join } from "node:path"
import { silentProgress } from "../../base/progress-silent.ts"
import { readSettings } from "../../base/settings.ts"
import type { Machine } from "../../machines/machine.ts"
import { unpackedOnce } from "./debian.ts"

const PACKAGES = {
  names: ["openssh-server", "sudo", "libwrap0"],
  folder: join("sshd", "debian"),
  title: "Debian's OpenSSH server and sudo",
}

/** What sshd and sudo read on a machine, by path. */
const FILES: Readonly<Record<string, string>> = {
  "/etc/ssh/sshd_config": `Port 22
ListenAddress 127.0.0.1
HostKey /etc/ssh/host_key
PidFile none
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
`,
  "/etc/sudoers": "root ALL=(ALL) ALL\nstudent ALL=(ALL) NOPASSWD: ALL\nworker ALL=(ALL) ALL\n",
  "/etc/pam.d/sudo": "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
}

/** The users who may log in: student may use sudo, worker may with a password, guest may not. */
const USERS = { root: 0, student: 1000, guest: 1001, worker: 1002 } as const

/** A machine on which sshd runs, as a host of a student. */
export interface SshHost extends AsyncDisposable {
  readonly machine: Machine
  /** How a user of the host is named on the command line: ssh://USER@127.0.0.1:PORT. */
  readonly target: (user: string) => string
  /** Environment variables with which ssh has the key of these users, and knows the host. */
  readonly environment: { readonly PATH: string }
  /** The file with the host keys that ssh knows. */
  readonly knownHosts: string
  /** Writes the key that the host has now into that file. */
  readonly know: () => Promise<void>
  /** Gives the host another key, and starts sshd again. */
  readonly changeKey: () => Promise<void>
  /** The password of worker. */
  readonly password: string
  /** Ends sshd with all its connections. */
  readonly cut: () => Promise<void>
}

/**
 * Starts Debian's sshd on a machine. A port on this host leads to it.
 * @param folder a folder for the client: its key, the keys of hosts that it knows, and its configuration
 */
export async function startSshHost(machine: Machine, parent: string): Promise<SshHost> {
  const folder = await mkdtemp(join(parent, "ssh-"))
  await install(machine)
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")])
  const key = await readFile(join(folder, "key.pub"), "utf8")
  const password = randomBytes(8).toString("hex")
  const accounts = Object.entries(USERS).filter(([, id]) => id !== 0)
  const lines = [
    `useradd() { echo "$1:*:$2:$2::$3:/bin/bash" >>/etc/passwd; echo "$1:x:$2:" >>/etc/group; mkdir -p "$3"; }`,
    "useradd sshd 100 /run/sshd",
    ...accounts.map(([name, id]) => `useradd ${name} ${id} /home/${name}`),
    ...Object.entries(USERS).map(([name, id]) => {
      const home = id === 0 ? "/root" : `/home/${name}`
      return `mkdir -p ${home}/.ssh; echo '${key.trim()}' >${home}/.ssh/authorized_keys; chown -R ${id}:${id} ${home}; chmod 700 ${home} ${home}/.ssh`
    }),
    `echo "worker:$(openssl passwd -6 ${password}):20000::::::" >>/etc/shadow`,
    "sed -i 's/^worker:[*]/worker:x/' /etc/passwd",
    "chmod 755 /run/sshd; chmod 440 /etc/sudoers; chmod 4755 /usr/bin/sudo",
  ]
  for (const [path, content] of Object.entries(FILES)) await machine.write(path, content)
  await done(machine, ["sh", "-ec", lines.join("\n")])
  await makeKey(machine)
  await start(machine)
  const forward = await machine.forward(22)
  const port = forward.address.replace(/^.*:/, "")
  const knownHosts = join(folder, "known_hosts")
  const know = async () => {
    const shown = (await machine.read("/etc/ssh/host_key.pub")).toString().split(" ").slice(0, 2).join(" ")
    await writeFile(knownHosts, `[127.0.0.1]:${port} ${shown}\n`)
  }
  await know()
  return {
    machine,
    target: (user) => `ssh://${user}@127.0.0.1:${port}`,
    environment: { PATH: [await sshWith(folder, knownHosts), process.env["PATH"] ?? ""].join(delimiter) },
    knownHosts,
    know,
    changeKey: async () => {
      await end(machine)
      await makeKey(machine)
      await start(machine)
    },
    password,
    cut: () => end(machine),
    [Symbol.asyncDispose]: () => forward[Symbol.asyncDispose](),
  }
}

/** Copies sshd and sudo to a machine. */
async function install(machine: Machine): Promise<void> {
  const packages = await unpackedOnce(PACKAGES, readSettings(), silentProgress)
  const libraries = join("usr", "lib")
  const [triple = ""] = (await readdir(join(packages, libraries))).filter((name) => name.includes("-linux-"))
  const { stdout } = await execa(
    "tar",
    ["-C", packages, "-c", "usr/sbin/sshd", "usr/bin/sudo", "usr/libexec/sudo", join(libraries, triple)],
    { encoding: "buffer" },
  )
  const { exitCode, stderr } = await machine.run(["tar", "-x", "-C", "/"], { input: Buffer.from(stdout) })
  if (exitCode !== 0) throw new Error(`sshd was not unpacked: ${stderr}`)
}

/** A folder whose program ssh is this host's, with the configuration of a test instead of that of the user. */
async function sshWith(folder: string, knownHosts: string): Promise<string> {
  const config = join(folder, "config")
  const programs = join(folder, "bin")
  await mkdir(programs)
  await writeFile(
    config,
    `Host *\n  IdentityFile ${join(folder, "key")}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${knownHosts}\n  GlobalKnownHostsFile none\n`,
  )
  const { stdout: ssh } = await execa("sh", ["-c", "command -v ssh"])
  await writeFile(join(programs, "ssh"), `#!/bin/sh\nexec ${ssh} -F ${config} "$@"\n`)
  await chmod(join(programs, "ssh"), 0o755)
  return programs
}

async function makeKey(machine: Machine): Promise<void> {
  await done(machine, ["sh", "-ec", "rm -f /etc/ssh/host_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host_key"])
}

async function start(machine: Machine): Promise<void> {
  await machine.spawn(["/usr/sbin/sshd", "-D", "-e"], { log: "/var/log/sshd.log" })
  await done(machine, ["sh", "-c", "until ss -tlnH sport = :22 | grep -q .; do sleep 0.05; done"])
}

async function end(machine: Machine): Promise<void> {
  await done(machine, ["sh", "-c", "pkill -KILL -x sshd; while pgrep -x sshd >/dev/null; do sleep 0.05; done"])
}

/** Runs a command on a machine. @throws Error if it fails */
export async function done(machine: Machine, argv: readonly string[]): Promise<void> {
  const { command, exitCode, stderr } = await machine.run(argv, { timeout: 60_000 })
  if (exitCode !== 0) throw new Error(`${command} ended with status ${exitCode}: ${stderr}`)
}
