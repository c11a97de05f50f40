#!/bin/bash
# Runs the lessons in a virtual machine like the hosts of most users: Debian with systemd, cgroup v2 and all capabilities.
# usage: vm/run.sh [SCRIPT]      as root or through sudo. Run the lessons once outside first: the virtual machine uses their binaries and images.
#   SCRIPT: a script to run instead of vm/lessons.sh. It finds the checkout in /payload/project and the cache in /payload/cache.
#   VM_ACCEL=kvm: for hosts with KVM. The default is emulation, which works on any host and is about nine times slower.
#   VM_LIMIT=60m: the timeout.
#   VM_LESSONS="05 06": the lessons that root runs. The default is all lessons.
#   VM_USERS="root nobodys": the users that run lessons. The default is root, a user with sudo (sudoer), and one without (nobodys).
#   VM_RESULT=FILE: the counts of passed, failed and skipped tests are written to this file as JSON.
# The exit status is that of the lessons, or 2 for wrong use. Only the system disk stays in the cache.
set -eu
export PATH=$PATH:/usr/sbin:/sbin
project=$(realpath "$(dirname "$0")/..") script=$(realpath "${1:-$(dirname "$0")/lessons.sh}")
cache=$(realpath -m "${BYHAND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/byhand}")
stop() { echo "vm: $*" >&2; exit 2; }

[ "$(uname -m)" = x86_64 ] || stop "this works on x86-64 hosts only."
for tool in qemu-system-x86_64 debootstrap mke2fs; do
  command -v $tool >/dev/null || stop "$tool is not installed. Install it: apt-get install qemu-system-x86 debootstrap debian-archive-keyring e2fsprogs"
done
[ -f "$script" ] || stop "$script does not exist."
for folder in bin images; do [ -d "$cache/$folder" ] || stop "$cache/$folder does not exist. Run the lessons on this host first: npx vitest run"; done

# Only root can make a file system whose files belong to root.
[ "$(id -u)" = 0 ] || exec sudo env "BYHAND_CACHE=$cache" "PATH=$PATH" "VM_ACCEL=${VM_ACCEL:-}" "VM_LIMIT=${VM_LIMIT:-}" "VM_LESSONS=${VM_LESSONS:-}" "VM_USERS=${VM_USERS:-}" "VM_RESULT=${VM_RESULT:-}" bash "$0" "$@"

# Everything below runs in its own namespaces. When this process ends, even by SIGKILL, its children, mounts and files end too.
if [ -z "${VM_INSIDE:-}" ]; then
  mkdir -p "$cache/vm/work"
  VM_INSIDE=1 setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --mount-proc bash "$0" "$@" &
  trap 'kill -KILL $!; exit 130' INT TERM
  wait $!
  exit
fi
work=$cache/vm/work
mount -t tmpfs -o size=8G tmpfs "$work"

# The system disk is made once for each recipe.
system=$cache/vm/system-$(sha256sum "$project/vm/disk.sh" | cut -c1-12)
exec 9>"$cache/vm/lock"
flock 9
if [ ! -d "$system" ]; then
  echo "vm: making the system disk (about a minute)"
  rm -rf "$cache"/vm/system-* # Remove disks of other recipes, and the partial disk of a run that was killed.
  mkdir "$system.part"
  bash "$project/vm/disk.sh" "$work" "$system.part"
  mv "$system.part" "$system"
  rm -rf "${work:?}"/*
fi
exec 9>&-

# The second disk: the checkout, its cache, and this host's Node.js.
payload=$work/payload
mkdir -p "$payload/project" "$payload/cache/bin" "$payload/cache/images"
mount --bind "$project" "$payload/project"
[ ! -d "$project/.git" ] || mount -t tmpfs tmpfs "$payload/project/.git"
for folder in bin images; do mount --bind "$cache/$folder" "$payload/cache/$folder"; done
mkdir "$payload/bin"
cp "$(command -v node)" "$payload/bin/node"
cp "$script" "$payload/run"
echo "${VM_LESSONS:-}" >"$payload/lessons"
echo "${VM_USERS:-root sudoer nobodys}" >"$payload/users"
chmod 755 "$payload/run"
mke2fs -q -t ext4 -L payload -d "$payload" "$work/payload.img" 6G >/dev/null

# The virtual machine does not change the disks. qemu keeps its writes in a temporary file.
disk() { echo "-drive file=$1,format=raw,if=virtio,snapshot=on"; }
port() { echo "-device virtserialport,chardev=$1,name=$1"; }
# qemu closes the output port when its stdin ends, so its stdin must not end.
machine() {
  # shellcheck disable=SC2046 # The flags are words.
  timeout --foreground --signal KILL "${VM_LIMIT:-60m}" qemu-system-x86_64 \
    -accel "${VM_ACCEL:-tcg,thread=multi,tb-size=1024}" -cpu max -smp "$(nproc)" -m 4096 \
    -nic none -no-reboot -display none -monitor none -serial "file:$work/boot.log" \
    -kernel "$system/vmlinuz" -initrd "$system/initrd" -append "root=/dev/vda rw console=ttyS0 quiet panic=-1" \
    $(disk "$system/disk.img") $(disk "$work/payload.img") -device virtio-rng-pci -device virtio-serial \
    -chardev stdio,id=output,signal=off $(port output) -chardev "file,id=status,path=$work/status" $(port status) \
    -chardev "file,id=result,path=$work/result" $(port result) \
    < <(sleep infinity) || echo "vm: qemu ended with $?, or was stopped after ${VM_LIMIT:-60m}." >&2
}

# With emulation, the kernel of the machine sometimes panics while it starts. It ends then, and is started again.
for attempt in first second third; do
  machine
  if [ -s "$work/status" ] || ! grep -q 'Kernel panic' "$work/boot.log"; then break; fi
  echo "vm: the kernel of the virtual machine panicked at the $attempt start." >&2
done

status=$(tr -cd 0-9 <"$work/status" || true)
[ -z "${VM_RESULT:-}" ] || cp "$work/result" "$VM_RESULT" || true
[ -n "$status" ] || { tail -n 20 "$work/boot.log" >&2; echo "vm: the virtual machine ended before the lessons did." >&2; exit 1; }
exit "$status"
