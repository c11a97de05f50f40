#!/bin/sh
# The first process of a machine: makes the machine's own file system and network, then runs the agent.
# When it ends, the kernel ends everything in the machine.
# usage: init.sh SETTINGS      SETTINGS: see supervisor.sh      RUN_DIR/binds: lines of "SOURCE<tab>TARGET"
set -eu
run='' name='' mode='' node='' agent='' owner='' address='' home='' hosts=''
# Only a further machine of a run has these: the name of the first machine, and names of its own for what both have.
first='' files='' socket=agent.sock
# shellcheck source=/dev/null
. "$1"
: "${files:=$run/disk}"
export PATH="${path:?}"
root=$files/root
umask 022
mount --make-rprivate /

# The machine cannot change the content or the mode of a file or device of the host.
bind_read_only() { # SOURCE TARGET
  mount --bind "$1" "$2"
  mount -o remount,bind,ro "$2"
}

# The machine's own file system. It contains the host's programs and libraries, and no other files of the host.
mkdir -p "$root"
mount --bind "$root" "$root"
cd "$root"
mkdir -p usr etc/cni/net.d dev/pts dev/shm proc sys run/byhand/agent run/byhand/socket tmp root shared home opt/cni/bin opt/images etc/ssl var/log var/lib var/tmp old
chmod 1777 tmp var/tmp
chmod 700 root
if [ "$mode" = root ]; then
  mkdir -p "$files/usr/upper" "$files/usr/work"
  mount -t overlay overlay -o "lowerdir=/usr,upperdir=$files/usr/upper,workdir=$files/usr/work" usr
else
  # In a user namespace, the host's folders cannot be written to. The binaries need a writable folder.
  mount --rbind /usr usr
  mount -t tmpfs -o mode=755 tmpfs usr/local/bin
fi
for folder in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$folder" ]; then cp -P "/$folder" "$folder"
  elif [ -d "/$folder" ]; then mkdir -p "$folder"; bind_read_only "/$folder" "$folder"
  fi
done

# A new /etc with the files that programs need. It has no accounts, secrets or host names of the host.
for file in ld.so.cache ld.so.conf ld.so.conf.d ssl/openssl.cnf alternatives localtime protocols services mime.types; do
  [ ! -e "/etc/$file" ] || cp -RP "/etc/$file" "etc/$file"
done
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' >etc/group
printf 'hosts: files\n' >etc/nsswitch.conf
printf '%s\n' "$name" >etc/hostname
# On the first machine, kube-apiserver reaches the kubelet by the Node's name, on loopback.
if [ -z "$first" ]; then printf '127.0.0.1 localhost %s\n' "$name"
else printf '127.0.0.1 localhost\n%s %s\n' "${first_address:?}" "$first"
fi >etc/hosts
printf '%s' "$hosts" >>etc/hosts
: >etc/resolv.conf
printf 'export PATH=%s\n' "$path" >etc/profile
cp etc/profile root/.bashrc
# shellcheck disable=SC2016 # The machine's shell expands it, not this one.
printf 'PS1="\\u@%s:\\w# "\n' "$name" >>root/.bashrc

# The usual devices. The kernel's log belongs to the host, so the kubelet reads an empty log.
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for device in null zero full random urandom tty; do
  [ ! -e "/dev/$device" ] || { : >"dev/$device"; bind_read_only "/dev/$device" "dev/$device"; }
done
: >dev/kmsg
bind_read_only /dev/null dev/kmsg
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys 2>/dev/null || mount --rbind /sys sys
# The settings of the whole kernel are read-only here, as long as no other /proc is mounted. The network's settings belong to
# the machine.
for part in proc/sys/* proc/sysrq-trigger proc/irq proc/bus proc/fs; do
  if [ ! -e "$part" ] || [ "$part" = proc/sys/net ]; then continue; fi
  bind_read_only "$part" "$part"
done
for secret in proc/kcore proc/kmsg proc/keys proc/timer_list proc/sched_debug proc/latency_stats; do
  [ ! -e "$secret" ] || bind_read_only /dev/null "$secret"
done
if [ "$mode" = root ]; then
  # The machine sees its own cgroup as the root of each hierarchy that the host has.
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    # With cgroup v2, a cgroup can pass controllers to its children only if it contains no process.
    mkdir -p sys/fs/cgroup/machine
    echo $$ >sys/fs/cgroup/machine/cgroup.procs
    read -r controllers <sys/fs/cgroup/cgroup.controllers || true # If there is no controller, the file is empty.
    for controller in $controllers; do
      echo "+$controller" >sys/fs/cgroup/cgroup.subtree_control || true
    done
  else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    for hierarchy in /sys/fs/cgroup/*/; do
      hierarchy=$(basename "$hierarchy")
      mkdir -p "sys/fs/cgroup/$hierarchy"
      case $hierarchy in
        unified) mount -t cgroup2 cgroup2 "sys/fs/cgroup/$hierarchy" ;;
        systemd) mount -t cgroup -o none,name=systemd cgroup "sys/fs/cgroup/$hierarchy" ;;
        *) mount -t cgroup -o "$hierarchy" cgroup "sys/fs/cgroup/$hierarchy" ;;
      esac || rmdir "sys/fs/cgroup/$hierarchy"
    done
  fi
  # The kubelet changes these settings of the whole kernel unless they already have the right values. So it sees these values.
  mkdir -p run/byhand/sysctl
  while read -r key value; do
    file=run/byhand/sysctl/$(echo "$key" | tr / .)
    echo "$value" >"$file"
    mount --bind "$file" "proc/sys/$key"
  done <<'EOF'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
EOF
fi

# The agent and the binaries that this machine gets. Each file is bind-mounted over an empty file.
: >run/byhand/node
bind_read_only "$node" run/byhand/node
bind_read_only "$agent" run/byhand/agent
mkdir -p "$run/socket"
mount --bind "$run/socket" run/byhand/socket
mount --bind "$run/disk/shared" shared
while IFS='	' read -r source target; do
  : >"$root$target"
  bind_read_only "$source" "$root$target"
done <"$run/binds"

pivot_root . old
cd /
umount -l /old
rmdir /old

# The machine's own network. The kubelet needs an address that is not loopback, and a default route. The route leads nowhere.
# network.sh moves the uplink out of the machine if the run has several. A machine that takes the place of an earlier one has its
# hardware address, which the others remember.
hostname "$name"
ip -batch - <<EOF
link set lo up
link add eth0 address 02:00:0a:4d:00:$(printf %02x "${address##*.}") type veth peer name uplink
addr add $address/24 dev eth0
link set uplink up
link set eth0 up
route add default via ${address%.*}.1
EOF

# The agent's environment contains no variable of the host.
env -i "HOME=$home" "PATH=$path" \
  /run/byhand/node /run/byhand/agent/agent.mjs "/run/byhand/socket/$socket" "$owner" &
wait $!
