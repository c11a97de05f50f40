#!/bin/sh
# Enters its own cgroups, hides all other cgroups, and executes the command. In each hierarchy it makes two folders. The outer
# folder has the limits. The inner folder is the machine's root. No process in the machine can write to the outer folder. A further
# machine of a run gets an inner folder of its own beside it, so the limits count for the whole run.
# usage: enter-cgroup.sh SETTINGS COMMAND…      SETTINGS: see supervisor.sh      RUN_DIR/cgroups: the outer folder in each hierarchy, one a line
set -eu
run='' memory=0 processes=0 place='' name=''
# shellcheck source=/dev/null
. "$1"
shift

# The devices that a container needs: null, zero, full, random, urandom, tty, console, ptmx, terminals and tun; making nodes without opening them.
# The list is one level above the machine's own folder, so that no process inside can allow itself another device. cgroup v2 has no such list.
DEVICES="c 1:3 rwm
c 1:5 rwm
c 1:7 rwm
c 1:8 rwm
c 1:9 rwm
c 5:0 rwm
c 5:1 rwm
c 5:2 rwm
c 136:* rwm
c 10:200 rwm
c *:* m
b *:* m"

limit() { # FILE VALUE: writes the value if this hierarchy has the file
  [ ! -e "$folder/$1" ] || echo "$2" >"$folder/$1"
}

make() { # FOLDER
  mkdir -p "$1"
  # A cpuset of cgroup v1 accepts no process before it has processors and memory.
  for set in cpus mems; do [ ! -e "$1/../cpuset.$set" ] || cat "$1/../cpuset.$set" >"$1/cpuset.$set"; done
}

# An earlier machine of this name can have left the folder when its supervisor was killed. The folder can be removed when the
# kernel has ended the processes in it.
clear() { # FOLDER
  tries=0
  until [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "$1 is in use" >&2; exit 1; }
    sleep 0.05
  done
}

while read -r folder; do
  if [ -n "$place" ]; then
    entered=$folder/$name
    clear "$entered"
    make "$entered"
    echo $$ >"$entered/cgroup.procs"
    continue
  fi
  clear "$folder"
  make "$folder"
  if [ "$memory" != 0 ]; then
    limit memory.use_hierarchy 1 2>/dev/null || true # Kernels from 5.11 on always count children.
    limit memory.limit_in_bytes "$memory"
    limit memory.memsw.limit_in_bytes "$memory"
    limit memory.max "$memory"
    limit memory.swap.max 0
  fi
  [ "$processes" = 0 ] || limit pids.max "$processes"
  if [ -e "$folder/devices.deny" ]; then
    echo a >"$folder/devices.deny"
    # In a container, some devices are not allowed from the start. Podman does not allow the console.
    echo "$DEVICES" | while read -r device; do echo "$device" >"$folder/devices.allow" || true; done 2>/dev/null
  fi
  if [ -e "$folder/cgroup.controllers" ]; then
    read -r controllers <"$folder/cgroup.controllers" || true # If there is no controller, the file is empty.
    for controller in $controllers; do echo "+$controller" >"$folder/cgroup.subtree_control" || true; done
  fi
  entered=$folder/machine
  make "$entered"
  echo $$ >"$entered/cgroup.procs"
done <"$run/cgroups"
# With cgroup v2, a cgroup can pass controllers to its children only if it contains no process. So leave the folder that is
# now the visible root.
# shellcheck disable=SC2016 # The inner shell expands it.
exec unshare --cgroup sh -euc '
  if [ -e "$1/cgroup.controllers" ]; then mkdir -p "$1/launcher"; echo $$ >"$1/launcher/cgroup.procs"; fi
  shift
  exec "$@"' sh "$entered" "$@"
