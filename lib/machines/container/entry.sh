#!/bin/sh
# The first process of a container: makes of it what a host is to a machine of namespaces, and runs such a machine there.
# usage: entry.sh HOSTNAME MODE ADDRESS      MODE: root | user; see supervisor.sh
#   /byhand: scripts, agent, inside (what answers at the container's port), key, binds, limits; /byhand/runs: a volume
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
missing=
for tool in node unshare nsenter setpriv setsid mount pivot_root ip ss find cksum tar openssl hostname ps; do
  command -v $tool >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || { echo "its image lacks$missing" >&2; exit 1; }

# The engine shows a container its cgroups, of which it has namespaces of its own, but read-only.
if [ "$2" = root ]; then
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    ! mountpoint -q "$hierarchy" || mount -o remount,bind,rw "$hierarchy" 2>/dev/null || true
  done
  # cgroup v2 hands controllers on only from a group that holds no process.
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/entry
    echo $$ >/sys/fs/cgroup/entry/cgroup.procs
  fi
fi

run=/byhand/runs/machine
mkdir -p "$run" /byhand/runs/.logs
cp /byhand/binds /byhand/limits "$run"
: >"$run/owner"
exec node /byhand/inside/inside.mjs "$run" "$@"
