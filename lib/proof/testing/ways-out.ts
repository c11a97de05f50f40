/** Things on the host that a test has prepared. Code in a machine must not be able to reach them. */
export interface Host {
  /** `file` is only on the host. `given` is also in the machine. */
  readonly file: string
  readonly given: string
  /** The PID of a process, and a word in its command line. The word begins with b. */
  readonly pid: number
  readonly word: string
  /** The port of a listener on all addresses, and the name of an abstract unix socket with a listener. */
  readonly port: number
  readonly abstract: string
  /** An address of the host that is not loopback, if it has one. */
  readonly address: string
  /** The device number of the disk with the host's temporary files, as arguments of mknod. */
  readonly disk: string
}

/** Something that code in a machine can try in order to reach the host. It does no damage if it succeeds. */
export interface WayOut {
  /** What is tried, as an infinitive without "to". It is part of a test's title. */
  readonly what: string
  /** The command line for sh. */
  readonly line: string
  /** Matches the output (stdout and stderr) if the attempt fails, as it must. */
  readonly meets: RegExp
  /**
   * The machines in which the attempt must fail. "root": a machine that root started. "root, cgroup v1": such a machine
   * on a host with cgroup v1. "user": a machine that an ordinary user started.
   */
  readonly closed: readonly ("root" | "root, cgroup v1" | "user")[]
}

const EVERYWHERE = ["root", "user"] as const

/** All attempts. The README says which of them succeed in a machine that root started. */
export function waysOut(host: Host): WayOut[] {
  const connect = (address: string) => `timeout 4 bash -c '</dev/tcp/${address}/${host.port}' 2>&1; echo "status $?"`
  return [
    // Files
    {
      what: "read the host's secrets",
      line: "cat /etc/shadow /proc/1/root/etc/shadow",
      meets: /^(cat: .*: No such file or directory\n){2}$/,
      closed: EVERYWHERE,
    },
    {
      what: "read a file of the host by its path",
      line: `cat ${host.file}; cat /proc/1/root${host.file}; cat /proc/1/cwd/../../..${host.file}`,
      meets: /^(cat: .*: No such file or directory\n){3}$/,
      closed: EVERYWHERE,
    },
    {
      what: "change a program that the machine was given",
      line: `echo changed >>${host.given}; chmod 777 ${host.given}`,
      meets: /Read-only file system[^]*Read-only file system/,
      closed: EVERYWHERE,
    },
    {
      what: "change the agent's code",
      line: "echo >>/run/byhand/agent/agent.mjs; touch /run/byhand/agent/new",
      meets: /((Read-only file system|Permission denied)[^]*){2}/,
      closed: EVERYWHERE,
    },
    {
      what: "write to the folder of the agent's socket",
      line: "touch /run/byhand/socket/new; find / -xdev -name agent.sock 2>/dev/null",
      meets: /^$/,
      closed: EVERYWHERE,
    },
    {
      what: "make a file that cannot be removed",
      line: "touch /tmp/forever; chattr +i /tmp/forever",
      meets: /Operation not (permitted|supported)|Inappropriate ioctl|chattr: not found/,
      closed: EVERYWHERE,
    },
    // Processes
    {
      what: "see a process of the host",
      line: `cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[b]${host.word.slice(1)}'`,
      meets: /^0\n$/,
      closed: EVERYWHERE,
    },
    {
      what: "end a process of the host",
      line: `kill -TERM ${host.pid}`,
      meets: /No such process/,
      closed: EVERYWHERE,
    },
    // Network
    {
      what: "connect to a listener on the host's loopback",
      line: connect("127.0.0.1"),
      meets: /Connection refused/,
      closed: EVERYWHERE,
    },
    {
      what: "connect to a listener on the host's own address",
      line: connect(host.address),
      meets: /Connection refused|No route to host|unreachable|status 124/,
      closed: EVERYWHERE,
    },
    {
      what: "connect to an abstract unix socket of the host",
      line: `/run/byhand/node -e 'require("net").connect("\\0${host.abstract}").on("error", (error) => console.log(error.code))'`,
      meets: /ECONNREFUSED/,
      closed: EVERYWHERE,
    },
    // Devices
    {
      what: "change the host's devices",
      line: "chmod 600 /dev/null; rm /dev/zero",
      meets: /Read-only file system[^]*(Read-only file system|busy)/,
      closed: EVERYWHERE,
    },
    {
      what: "read the disk through its own device node",
      line: `mknod /tmp/disk b ${host.disk} && head -c 1 /tmp/disk`,
      meets: /Operation not permitted/,
      closed: ["root, cgroup v1", "user"],
    },
    {
      what: "read the kernel's log through its own device node",
      line: "mknod /tmp/log c 1 11 && timeout 2 head -c 1 /tmp/log",
      meets: /Operation not permitted/,
      closed: ["root, cgroup v1", "user"],
    },
    {
      what: "allow itself a device",
      line: "echo a >/sys/fs/cgroup/devices/devices.allow; grep -c '^a' /sys/fs/cgroup/devices/devices.list",
      meets: /^0\n[^]*(I\/O error|Operation not permitted)/,
      closed: ["root, cgroup v1"],
    },
    {
      what: "mount a devtmpfs, which contains all devices",
      line: "mkdir -p /tmp/dev; mount -t devtmpfs devtmpfs /tmp/dev",
      meets: /permission denied|not permitted/i,
      closed: ["user"],
    },
    // The kernel
    {
      what: "set the program that the host runs after a crash",
      line: "cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern",
      meets: /Read-only file system/,
      closed: EVERYWHERE,
    },
    {
      what: "change the host's memory settings",
      line: "cat /proc/sys/vm/swappiness >/proc/sys/vm/swappiness",
      meets: /Read-only file system/,
      closed: EVERYWHERE,
    },
    {
      what: "use the kernel's SysRq keys",
      line: "echo h >/proc/sysrq-trigger",
      meets: /Read-only file system|nonexistent|Permission denied|No such file/,
      closed: EVERYWHERE,
    },
    {
      what: "set the program that the host runs for new devices",
      line: "echo >/sys/kernel/uevent_helper",
      meets: /Read-only file system|nonexistent|Permission denied|No such file/,
      closed: EVERYWHERE,
    },
    {
      what: "set the program that the host runs when a cgroup becomes empty",
      line: "ls /sys/fs/cgroup/*/release_agent; mkdir -p /tmp/cg; mount -t cgroup -o none,name=way,release_agent=/tmp/x way /tmp/cg",
      meets: /permission denied|not permitted|unknown filesystem|wrong fs type/i,
      closed: EVERYWHERE,
    },
    {
      what: "change the kernel's settings through its own /proc",
      line: "mkdir -p /tmp/proc; mount -t proc proc /tmp/proc; cat /proc/sys/kernel/core_pattern >/tmp/proc/sys/kernel/core_pattern",
      meets: /permission denied|not permitted/i,
      closed: ["user"],
    },
    {
      what: "read the kernel's log",
      line: "wc -c </dev/kmsg; cat /proc/kmsg | wc -c",
      meets: /^0\n0\n$/,
      closed: EVERYWHERE,
    },
    {
      what: "read the kernel's memory",
      line: "cat /proc/kcore /dev/mem /dev/kmem 2>/dev/null | head -c 1 | wc -c",
      meets: /^0\n$/,
      closed: EVERYWHERE,
    },
    {
      what: "set the host's clock",
      line: 'date -s "$(date -R)"',
      meets: /Operation not permitted/,
      closed: EVERYWHERE,
    },
  ]
}
