/** What a test has put on the host for a machine to be tried against. */
export interface Host {
  /** A file that only the host has, and one that the machine is given. */
  readonly file: string
  readonly given: string
  /** A process, by its number and a word in its command line that begins with b. */
  readonly pid: number
  readonly word: string
  /** A listener on all addresses, and one on an abstract unix socket of this name. */
  readonly port: number
  readonly abstract: string
  /** An address of the host that is not loopback; its own where it has none other. */
  readonly address: string
  /** The disk under the host's temporary files: its number as mknod wants it. */
  readonly disk: string
}

/** Something that code in a machine may try, to reach the host. Harmless where it succeeds. */
export interface WayOut {
  readonly what: string
  /** For sh. */
  readonly line: string
  /** What it prints, to either output. */
  readonly meets: RegExp
  /** Where it is known to be closed: to a machine made by root ("root"; "root, cgroup v1" where nothing else closes it), and to one made by an ordinary user. */
  readonly closed: readonly ("root" | "root, cgroup v1" | "user")[]
}

const EVERYWHERE = ["root", "user"] as const

/** All that is tried. What a machine made by root does not close is told in the README. */
export function waysOut(host: Host): WayOut[] {
  const connect = (address: string) => `timeout 4 bash -c '</dev/tcp/${address}/${host.port}' 2>&1; echo "status $?"`
  return [
    // Files
    {
      what: "the host's secrets",
      line: "cat /etc/shadow /proc/1/root/etc/shadow",
      meets: /^(cat: .*: No such file or directory\n){2}$/,
      closed: EVERYWHERE,
    },
    {
      what: "a file of the host by its path",
      line: `cat ${host.file}; cat /proc/1/root${host.file}; cat /proc/1/cwd/../../..${host.file}`,
      meets: /^(cat: .*: No such file or directory\n){3}$/,
      closed: EVERYWHERE,
    },
    {
      what: "to change a program that it was given",
      line: `echo changed >>${host.given}; chmod 777 ${host.given}`,
      meets: /Read-only file system[^]*Read-only file system/,
      closed: EVERYWHERE,
    },
    {
      what: "to change the agent's code",
      line: "echo >>/run/byhand/agent/agent.mjs; touch /run/byhand/agent/new",
      meets: /((Read-only file system|Permission denied)[^]*){2}/,
      closed: EVERYWHERE,
    },
    {
      what: "to write where the host looks for the agent",
      line: "touch /run/byhand/socket/new; find / -xdev -name agent.sock 2>/dev/null",
      meets: /^$/,
      closed: EVERYWHERE,
    },
    {
      what: "files that nobody can remove",
      line: "touch /tmp/forever; chattr +i /tmp/forever",
      meets: /Operation not (permitted|supported)|Inappropriate ioctl|chattr: not found/,
      closed: EVERYWHERE,
    },
    // Processes
    {
      what: "to see a process of the host",
      line: `cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[b]${host.word.slice(1)}'`,
      meets: /^0\n$/,
      closed: EVERYWHERE,
    },
    {
      what: "to end a process of the host",
      line: `kill -TERM ${host.pid}`,
      meets: /No such process/,
      closed: EVERYWHERE,
    },
    // Network
    {
      what: "a listener on the host's loopback",
      line: connect("127.0.0.1"),
      meets: /Connection refused/,
      closed: EVERYWHERE,
    },
    {
      what: "a listener on the host's own address",
      line: connect(host.address),
      meets: /Connection refused|No route to host|unreachable|status 124/,
      closed: EVERYWHERE,
    },
    {
      what: "an abstract unix socket of the host",
      line: `/run/byhand/node -e 'require("net").connect("\\0${host.abstract}").on("error", (error) => console.log(error.code))'`,
      meets: /ECONNREFUSED/,
      closed: EVERYWHERE,
    },
    // Devices
    {
      what: "to change the host's devices",
      line: "chmod 600 /dev/null; rm /dev/zero",
      meets: /Read-only file system[^]*(Read-only file system|busy)/,
      closed: EVERYWHERE,
    },
    {
      what: "to read the disk through a node of its own",
      line: `mknod /tmp/disk b ${host.disk} && head -c 1 /tmp/disk`,
      meets: /Operation not permitted/,
      closed: ["root, cgroup v1", "user"],
    },
    {
      what: "the kernel's log through a node of its own",
      line: "mknod /tmp/log c 1 11 && timeout 2 head -c 1 /tmp/log",
      meets: /Operation not permitted/,
      closed: ["root, cgroup v1", "user"],
    },
    {
      what: "to allow itself a device",
      line: "echo a >/sys/fs/cgroup/devices/devices.allow; grep -c '^a' /sys/fs/cgroup/devices/devices.list",
      meets: /^0\n[^]*(I\/O error|Operation not permitted)/,
      closed: ["root, cgroup v1"],
    },
    {
      what: "to mount the disk by way of the kernel's own list of devices",
      line: "mkdir -p /tmp/dev; mount -t devtmpfs devtmpfs /tmp/dev",
      meets: /permission denied|not permitted/i,
      closed: ["user"],
    },
    // The kernel
    {
      what: "to name a program that the host runs when one crashes",
      line: "cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern",
      meets: /Read-only file system/,
      closed: EVERYWHERE,
    },
    {
      what: "to change the host's memory settings",
      line: "cat /proc/sys/vm/swappiness >/proc/sys/vm/swappiness",
      meets: /Read-only file system/,
      closed: EVERYWHERE,
    },
    {
      what: "to ask for the kernel's emergency keys",
      line: "echo h >/proc/sysrq-trigger",
      meets: /Read-only file system|nonexistent|Permission denied|No such file/,
      closed: EVERYWHERE,
    },
    {
      what: "to name a program that the host runs for new devices",
      line: "echo >/sys/kernel/uevent_helper",
      meets: /Read-only file system|nonexistent|Permission denied|No such file/,
      closed: EVERYWHERE,
    },
    {
      what: "to name a program that the host runs when a cgroup empties",
      line: "ls /sys/fs/cgroup/*/release_agent; mkdir -p /tmp/cg; mount -t cgroup -o none,name=way,release_agent=/tmp/x way /tmp/cg",
      meets: /permission denied|not permitted|unknown filesystem|wrong fs type/i,
      closed: EVERYWHERE,
    },
    {
      what: "to change the kernel's settings in a /proc of its own",
      line: "mkdir -p /tmp/proc; mount -t proc proc /tmp/proc; cat /proc/sys/kernel/core_pattern >/tmp/proc/sys/kernel/core_pattern",
      meets: /permission denied|not permitted/i,
      closed: ["user"],
    },
    {
      what: "the kernel's log",
      line: "wc -c </dev/kmsg; cat /proc/kmsg | wc -c",
      meets: /^0\n0\n$/,
      closed: EVERYWHERE,
    },
    {
      what: "the kernel's memory",
      line: "cat /proc/kcore /dev/mem /dev/kmem 2>/dev/null | head -c 1 | wc -c",
      meets: /^0\n$/,
      closed: EVERYWHERE,
    },
    {
      what: "to set the host's clock",
      line: 'date -s "$(date -R)"',
      meets: /Operation not permitted/,
      closed: EVERYWHERE,
    },
  ]
}
