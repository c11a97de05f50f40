#!/bin/sh
# Runs outside a machine: starts it and waits until either the machine or the test process ends (then stdin ends). Then it
# keeps the logs and removes what the kernel does not remove: cgroup folders and the run's folder. A line "detach" on
# stdin lets the machine live on without its test process.
# usage: supervisor.sh SETTINGS      SETTINGS: a file of lines KEY=value, quoted for the shell; lib/machines/supervisor-settings.ts explains the keys
# As root it runs in a mount namespace of its own, so that its mounts end with it and the machine.
set -u
# Ctrl-C is for the test process: this process waits for its end. By then standard error may be closed.
trap '' INT HUP PIPE
settings=$1
# The settings, which shellcheck cannot read.
run='' mode='' scripts='' logs='' disk=0 seconds=0 cgroup=''
# shellcheck source=/dev/null
. "$settings"
export PATH="${path:?}"
# shellcheck source=processes.sh
. "$scripts/processes.sh"
# shellcheck source=keep-logs.sh
. "$scripts/keep-logs.sh"

# The folder of each cgroup hierarchy, in which the cgroup of a machine is made.
hierarchies() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup
  else for hierarchy in /sys/fs/cgroup/*/; do echo "${hierarchy%/}"; done
  fi
}

keep_logs() { # RUN_DIR whose machine has ended
  [ -n "$(ls -A "$1/disk/root/var/log/byhand" 2>/dev/null)" ] || return 0
  kept=$logs/$(basename "$1")
  # Without -T it would be moved into a folder that an earlier run of the same name left.
  rm -rf "$kept" && mv -T "$1/disk/root/var/log/byhand" "$kept" && chown -hR --reference="$1/owner" "$kept" && touch "$kept"
  forget_old_logs "$logs"
}

remove_cgroup() { # NAME
  hierarchies | while read -r hierarchy; do
    folder=$hierarchy/$1
    [ -d "$folder" ] || continue
    # The kernel refuses to remove a folder while processes that were killed in it are still ending.
    tries=0
    until find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || [ ! -d "$folder" ]; do
      tries=$((tries + 1))
      [ $tries -lt 100 ] || { echo "cannot remove $folder" >&2; break; }
      sleep 0.05
    done
  done
}

remove() { # RUN_DIR whose machine has ended
  keep_logs "$1"
  if [ "$mode" = root ]; then
    name=
    read -r name 2>/dev/null <"$1/cgroup" # A run that was killed early has no such file, and no cgroup.
    # A run that was renamed has the cgroup of its old name, which a new run may use by now: that run has cleared it.
    case $name in */*) ;; "byhand-$(basename "$1")-"*) remove_cgroup "$name" ;; esac
  fi
  umount -l "$1/disk" 2>/dev/null
  rm -rf --one-file-system "$1"
}

sweep() { # Removes what earlier runs left whose supervisor was killed, or whose host lost its power.
  for folder in "$(dirname "$run")"/*/; do
    folder=${folder%/}
    [ "$folder" != "$run" ] || continue
    [ "$mode" = root ] || [ -O "$folder" ] || continue
    # A run writes the file "owner" first, as soon as it has a folder. A folder that is still empty after a minute is of a
    # run that was killed before it could. A folder that holds something else is not ours: it stays.
    [ -f "$folder/owner" ] || { find "$folder" -maxdepth 0 -mmin +1 -empty -exec rmdir {} +; continue; }
    is_alive_in "$folder/owner" && continue
    [ -f "$folder/supervisor" ] && is_alive_in "$folder/supervisor" && continue
    if [ -f "$folder/init" ] && is_alive_in "$folder/init"; then
      read -r pid _ <"$folder/init" && kill -9 "$pid" 2>/dev/null
    fi
    remove "$folder"
  done
}

identify $$ >"$run/supervisor"
echo "$cgroup" >"$run/cgroup"
sweep

mkdir -p "$run/disk"
# What the machine writes is kept in memory then, and counts as memory: not every file system has quotas.
if [ "$mode" = root ] && [ "$disk" != 0 ]; then mount -t tmpfs -o "size=$disk,mode=755" tmpfs "$run/disk"; fi

# The first process of a machine has no capability that is not listed, and none of its children can get one.
set -- setpriv "--bounding-set=-all,${capabilities:?}" --inh-caps=-all sh "$scripts/init.sh" "$settings"
if [ "$mode" = root ]; then
  hierarchies | sed "s:\$:/$cgroup:" >"$run/cgroups"
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    read -r controllers </sys/fs/cgroup/cgroup.controllers
    for controller in $controllers; do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done 2>/dev/null
  fi
  set -- sh "$scripts/enter-cgroup.sh" "$settings" unshare --pid --fork --kill-child --mount --net --uts --ipc "$@"
else
  set -- unshare --pid --fork --kill-child --mount --net --uts --ipc --user --map-root-user "$@"
fi

exec 3<&0
# pdeathsig: the machine must not outlive this supervisor, also where it is killed. setsid: a terminal's Ctrl-C is not for the machine.
setpriv --pdeathsig KILL setsid "$@" <&- 3<&- 2>"$run/init.log" &
machine=$!
identify $machine >"$run/init"
started=$(start_time $machine)
# Kills the first process in the machine: unshare waits for it and ends when everything in the machine has ended. Before
# unshare runs there is no such process: then it kills the process that leads to it.
end() {
  child=
  [ "$(cat /proc/$machine/comm)" != unshare ] || read -r child _ </proc/$machine/task/$machine/children
  kill -9 "${child:-$machine}"
} 2>/dev/null
trap end TERM
exec >&-

(
  while read -r line <&3; do [ "$line" != detach ] || detached=yes; done
  # If this supervisor was killed, the machine has ended too, and another process may have got its pid.
  [ -n "${detached:-}" ] || [ "$(start_time $machine)" != "$started" ] || end
) &
watcher=$!
exec 3<&-

timer=
if [ "$seconds" != 0 ]; then
  # shellcheck disable=SC2016 # The inner shell expands it.
  setpriv --pdeathsig KILL sh -c 'setpriv --pdeathsig KILL sleep "$1"; kill -TERM "$PPID"' sh "$seconds" 2>/dev/null &
  timer=$!
fi

wait $machine || wait $machine # SIGTERM ends the first wait early.
kill $watcher 2>/dev/null
[ -z "$timer" ] || kill -9 $timer 2>/dev/null
[ ! -s "$run/init.log" ] || cat "$run/init.log" >&2
# On a full disk the machine could not even write its complaint.
[ "$(df -Pk "$run" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)" != 0 ] || echo "no space left on the disk of $run" >&2
remove "$run"
