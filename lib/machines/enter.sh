#!/bin/sh
# Becomes a command inside of a machine, with no more powers than who is inside already: those in there could take them over.
# usage: enter.sh RUN_DIR MODE SCRIPTS_DIR COMMAND…      MODE: root | user; TERM is passed on, and nothing else of the environment
set -eu
run=$1 mode=$2 scripts=$3
shift 3
read -r outer _ <"$run/init" # unshare, which waits for the first process.
first=
read -r first _ <"/proc/$outer/task/$outer/children" || true
[ -n "$first" ] || { echo "The machine has ended. Start it again with: npx byhand up" >&2; exit 1; }
set -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "TERM=${TERM:-dumb}" \
  sh -c "$(cat "$scripts/drop-capabilities.sh")" sh sh -c 'cd && exec "$@"' sh "$@"
if [ "$mode" = root ]; then set -- --cgroup "$@"; else set -- --user --preserve-credentials "$@"; fi
exec nsenter --target "$first" --mount --uts --ipc --net --pid --root "$@"
