#!/bin/sh
# Goes into cgroups of its own, makes them all that can be seen, and becomes the command.
# usage: enter-cgroup.sh FILE COMMAND…      FILE: a folder to make and enter in each hierarchy, one a line
set -eu
folders=$1
shift
while read -r folder; do
  mkdir -p "$folder"
  # A cpuset of cgroup v1 takes no process before it has been given processors and memory.
  for set in cpus mems; do [ ! -e "$folder/../cpuset.$set" ] || cat "$folder/../cpuset.$set" >"$folder/cpuset.$set"; done
  echo $$ >"$folder/cgroup.procs"
  entered=$folder
done <"$folders"
# cgroup v2 hands controllers on only from a folder without processes: once it is the root of what is seen, step aside.
# shellcheck disable=SC2016 # The inner shell expands it.
exec unshare --cgroup sh -euc '
  if [ -e "$1/cgroup.controllers" ]; then mkdir -p "$1/launcher"; echo $$ >"$1/launcher/cgroup.procs"; fi
  shift
  exec "$@"' sh "$entered" "$@"
