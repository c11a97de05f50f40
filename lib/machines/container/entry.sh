#!/bin/sh
# The first process of a container: turns the container into a host for a machine of namespaces, and runs such a machine there.
# usage: entry.sh SETTINGS      SETTINGS: see supervisor.sh
#   /byhand contains: scripts, agent, inside (it answers at the container's port), key, binds. /byhand/runs is a volume.
set -eu
run='' mode='' logs=''
# shellcheck source=/dev/null
. "$1"
export PATH="${path:?}"
missing=
for tool in node unshare nsenter setpriv setsid mount pivot_root ip ss find tar openssl hostname ps; do
  command -v $tool >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || { echo "its image lacks$missing" >&2; exit 1; }

# The engine mounts the container's cgroups read-only.
if [ "$mode" = root ]; then
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    ! mountpoint -q "$hierarchy" || mount -o remount,bind,rw "$hierarchy" 2>/dev/null || true
  done
  # With cgroup v2, a cgroup can pass controllers to its children only if it contains no process.
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/entry
    echo $$ >/sys/fs/cgroup/entry/cgroup.procs
  fi
fi

mkdir -p "$run" "$logs"
cp /byhand/binds "$run"
# The path of Node.js in the image is known only here.
{ cat "$1"; printf "node='%s'\n" "$(command -v node)"; } >"$run/settings"
: >"$run/owner"
exec node /byhand/inside/inside.mjs "$run" "$mode" "$logs"
