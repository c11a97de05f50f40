#!/bin/sh
# Runs outside a machine. It starts the machine and waits until the machine ends or the test process ends (then stdin ends).
# Then it keeps the logs and removes the things that the kernel does not remove: cgroup folders and the run's folder. A line
# "detach" on stdin lets the machine continue without its test process.
# usage: supervisor.sh SETTINGS      SETTINGS: a file of lines KEY=value, quoted for the shell; lib/machines/supervisor-settings.ts explains the keys
# As root it runs in its own mount namespace, so that its mounts end when it and the machine have ended.
set -u
# Ctrl-C is meant for the test process. This process waits until the test process ends. Then standard error can be closed.
trap '' INT HUP PIPE
settings=$1
# Defaults for the settings, because shellcheck cannot read the file.
run='' mode='' scripts='' logs='' owner='' disk=0 seconds=0 cgroup=''
# shellcheck source=/dev/null
. "$settings"
export PATH="${path:?}"
# shellcheck source=processes.sh
. "$scripts/processes.sh"
# shellcheck source=keep-logs.sh
. "$scripts/keep-logs.sh"

# Prints the folder of each cgroup hierarchy. A machine's cgroup is made in each of them.
hierarchies() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup
  else for hierarchy in /sys/fs/cgroup/*/; do echo "${hierarchy%/}"; done
  fi
}

# Prints the folder with the logs of a machine that has ended, if there are any. A symbolic link in the path could lead to files
# of the host.
logs_in() { # FILES: the folder of the machine's files
  logs_of_machine=$1/root/var/log/byhand
  [ "$(realpath "$logs_of_machine")" = "$(realpath "$1")/root/var/log/byhand" ] && [ -n "$(ls -A "$logs_of_machine")" ] &&
    echo "$logs_of_machine"
} 2>/dev/null

keep_logs() { # RUN_DIR whose machine has ended
  from=$(logs_in "$1/disk") || return 0
  kept=$logs/$(basename "$1")
  # The logs of further machines get names such as node-2-kubelet.log.
  for further in "$1"/disk/machines/*; do
    its_logs=$(logs_in "$further") || continue
    for log in "$its_logs"/*; do mv "$log" "$from/${further##*/}-${log##*/}"; done
  done
  # Without -T, mv would move the logs into a folder that an earlier run of the same name left.
  rm -rf "$kept" && mv -T "$from" "$kept" && chown -hR --reference="$1/owner" "$kept" && touch "$kept"
  forget_old_logs "$logs"
}

remove_cgroup() { # NAME
  hierarchies | while read -r hierarchy; do
    folder=$hierarchy/$1
    [ -d "$folder" ] || continue
    # The kernel refuses to remove a folder while killed processes in it are still ending.
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
    read -r name 2>/dev/null <"$1/cgroup" # A run that was killed early has neither this file nor a cgroup.
    # A renamed run has the cgroup of its old name. A new run can use that cgroup now. The new run has cleared it.
    case $name in */*) ;; "byhand-$(basename "$1")-"*) remove_cgroup "$name" ;; esac
  fi
  umount -l "$1/disk" 2>/dev/null
  rm -rf --one-file-system "$1"
}

sweep() { # Removes the remains of earlier runs whose supervisor was killed, or whose host lost power.
  for folder in "$(dirname "$run")"/*/; do
    folder=${folder%/}
    [ "$folder" != "$run" ] || continue
    [ "$mode" = root ] || [ -O "$folder" ] || continue
    # A run writes the file "owner" as soon as it has a folder. If a folder is still empty after a minute, its run was killed
    # before it could write the file. A folder with other files does not belong to this project, so it is not removed.
    [ -f "$folder/owner" ] || { find "$folder" -maxdepth 0 -mmin +1 -empty -exec rmdir {} +; continue; }
    is_alive_in "$folder/owner" && continue
    [ -f "$folder/supervisor" ] && is_alive_in "$folder/supervisor" && continue
    for init in "$folder"/init "$folder"/machines/*/init; do
      if [ -f "$init" ] && is_alive_in "$init"; then read -r pid _ <"$init" && kill -9 "$pid" 2>/dev/null; fi
    done
    remove "$folder"
  done
}

identify $$ >"$run/supervisor"
echo "$cgroup" >"$run/cgroup"
sweep

mkdir -p "$run/disk"
# With a disk limit, the machine's files are kept in memory and count as memory, because not every file system has quotas.
if [ "$mode" = root ] && [ "$disk" != 0 ]; then mount -t tmpfs -o "size=$disk,mode=755" tmpfs "$run/disk"; fi
# The folder /shared of all machines of the run.
mkdir -m 700 "$run/disk/shared"
# Requests for further machines and for their network. They can be written as soon as the machine has started. Only network.sh
# keeps it open: if network.sh has ended, a request fails at once.
mkfifo -m 600 "$run/requests"
[ -z "$owner" ] || chown "$owner" "$run/requests"
if [ -p "$run/requests" ]; then exec 4<>"$run/requests"; else exec 4</dev/null; fi # The disk can be full.

# The first process of a machine has only the listed capabilities. Its children cannot get other ones.
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
# pdeathsig: the machine must end when this supervisor ends, even by SIGKILL. setsid: Ctrl-C in a terminal must not reach the
# machine.
setpriv --pdeathsig KILL setsid "$@" <&- 3<&- 4<&- 2>"$run/init.log" &
machine=$!
identify $machine >"$run/init"
started=$(start_time $machine)
trap 'end_machine $machine' TERM
exec >&-
setpriv --pdeathsig KILL sh "$scripts/network.sh" "$settings" <&4 3<&- 4<&- >/dev/null 2>&1 &
network=$!
exec 4<&-

(
  while read -r line <&3; do [ "$line" != detach ] || detached=yes; done
  # If this supervisor was killed, the machine has ended too, and its PID can belong to another process (PID reuse).
  [ -n "${detached:-}" ] || [ "$(start_time $machine)" != "$started" ] || end_machine $machine
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
# A machine that hangs in its start must not keep network.sh from reading the request.
for init in "$run"/machines/*/init; do
  if [ -f "$init" ] && is_alive_in "$init"; then read -r pid _ <"$init" && end_machine "$pid"; fi
done
# Opening the FIFO for writing only would wait for a reader.
if [ -p "$run/requests" ]; then echo "- stop" 1<>"$run/requests"; else kill -9 $network; fi
wait $network
[ -z "$timer" ] || kill -9 $timer 2>/dev/null
[ ! -s "$run/init.log" ] || cat "$run/init.log" >&2
# On a full disk, the machine could not write its error message.
[ "$(df -Pk "$run" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)" != 0 ] || echo "no space left on the disk of $run" >&2
remove "$run"
