#!/bin/sh
# Executes a command inside a machine. The command gets only the capabilities that the processes inside have. Otherwise they
# could use the command to get more.
# usage: enter.sh PLACE COMMAND…      PLACE: the run's folder, or RUN_DIR/machines/NAME for a further machine
# Only TERM is passed on from the environment.
set -eu
place_of_machine=$1
shift
mode='' scripts='' home='' lang=''
# shellcheck source=/dev/null
. "$place_of_machine/settings"
export PATH="${path:?}:$PATH"
# shellcheck source=processes.sh
. "$scripts/processes.sh"
process=$(first_process "$place_of_machine") || { echo "The machine has ended. Start it again with: npx byhand up" >&2; exit 1; }
# shellcheck disable=SC2016 # The inner shell expands it.
set -- env -i "PATH=$path" "HOME=$home" "LANG=$lang" "TERM=${TERM:-dumb}" \
  setpriv "--bounding-set=-all,${capabilities:?}" --inh-caps=-all sh -c 'cd && exec "$@"' sh "$@"
if [ "$mode" = root ]; then set -- --cgroup "$@"; else set -- --user --preserve-credentials "$@"; fi
exec nsenter --target "$process" --mount --uts --ipc --net --pid --root "$@"
