#!/bin/sh
# Executes a command inside a machine. The command gets only the capabilities that the processes inside have. Otherwise they
# could use the command to get more.
# usage: enter.sh RUN_DIR COMMAND…      Only TERM is passed on from the environment.
set -eu
run=$1
shift
mode='' scripts='' home='' lang=''
# shellcheck source=/dev/null
. "$run/settings"
export PATH="${path:?}:$PATH"
# shellcheck source=processes.sh
. "$scripts/processes.sh"
outer='' first=''
# The file identifies the process unshare, which waits for the machine's first process.
if is_alive_in "$run/init"; then
  read -r outer _ <"$run/init"
  read -r first _ <"/proc/$outer/task/$outer/children" || true
fi
[ -n "$first" ] || { echo "The machine has ended. Start it again with: npx byhand up" >&2; exit 1; }
# shellcheck disable=SC2016 # The inner shell expands it.
set -- env -i "PATH=$path" "HOME=$home" "LANG=$lang" "TERM=${TERM:-dumb}" \
  setpriv "--bounding-set=-all,${capabilities:?}" --inh-caps=-all sh -c 'cd && exec "$@"' sh "$@"
if [ "$mode" = root ]; then set -- --cgroup "$@"; else set -- --user --preserve-credentials "$@"; fi
exec nsenter --target "$first" --mount --uts --ipc --net --pid --root "$@"
