#!/bin/sh
# Outside a machine: starts it, waits for whichever ends first, the machine or the test process (end-of-file on standard
# input), and then removes what the kernel does not: cgroup folders and the run's folder, whose logs it keeps. A line
# "detach" before the end-of-file lets the machine live on without its test process.
# usage: supervisor.sh RUN_DIR HOSTNAME MODE NODE AGENT_DIR OWNER SCRIPTS_DIR ADDRESS LOGS_DIR
#   RUN_DIR/limits: one line of bytes of memory, processes, bytes of disk, seconds; 0 for none
# Where there is root it runs in a mount namespace of its own: what it mounts is gone when it and the machine are.
set -u
run=$1 mode=$3 scripts=$7 logs=$9
# Ctrl-C is for the test process; its end is what counts here. Nobody reads standard error then.
trap '' INT HUP PIPE
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Every hierarchy's folder in which a machine's cgroup of its own is made.
hierarchies() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup
  else for hierarchy in /sys/fs/cgroup/*/; do echo "${hierarchy%/}"; done
  fi
}
# The name of a run's cgroup: somebody else's runs, in another folder, may have the same names.
group_of() { echo "byhand-$(basename "$1")-$(dirname "$1" | cksum | cut -d ' ' -f 1)"; } # RUN_DIR
group=$(group_of "$run")

# A process is who it is by its number and the time it started, in this boot: numbers are used again.
start_time() { sed -n 's/.*) //; /^[ZX]/!p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; } # Of one that has ended and waits to be asked after: none.
boot=$(cat /proc/sys/kernel/random/boot_id)
lives() { # FILE that holds "PID START_TIME BOOT"
  read -r pid start its_boot 2>/dev/null <"$1" && [ "$its_boot" = "$boot" ] && [ "$(start_time "$pid")" = "$start" ]
}

KEPT_LOGS=10 # of as many runs

keep_logs() { # RUN_DIR whose machine has ended
  [ -n "$(ls -A "$1/disk/root/var/log/byhand" 2>/dev/null)" ] || return 0
  kept=$logs/$(basename "$1")
  # Without -T it would go into a folder that an earlier run of the same name left.
  rm -rf "$kept" && mv -T "$1/disk/root/var/log/byhand" "$kept" && chown -hR --reference="$1/owner" "$kept" && touch "$kept"
  # shellcheck disable=SC2012 # Names of runs are plain words.
  ls -t "$logs" | tail -n +$((KEPT_LOGS + 1)) | while read -r old; do rm -rf "${logs:?}/$old"; done
}

remove() { # RUN_DIR whose machine has ended
  keep_logs "$1"
  if [ "$mode" = root ]; then
    hierarchies | while read -r hierarchy; do
      folder=$hierarchy/$(group_of "$1")
      [ -d "$folder" ] || continue
      # A folder can be removed once the kernel has done with the processes that were killed in it.
      tries=0
      until find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || [ ! -d "$folder" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "cannot remove $folder" >&2; break; }
        sleep 0.05
      done
    done
  fi
  umount -l "$1/disk" 2>/dev/null
  rm -rf --one-file-system "$1"
}

sweep() { # What an earlier run left that lost its power, or its supervisor.
  for folder in "$(dirname "$run")"/*/; do
    folder=${folder%/}
    [ "$folder" != "$run" ] || continue
    [ "$mode" = root ] || [ -O "$folder" ] || continue
    # A run writes down its owner as soon as it has a folder: one that still has none after a minute was killed before it could.
    [ -f "$folder/owner" ] || { find "$folder" -maxdepth 0 -mmin +1 -exec rm -rf {} +; continue; }
    lives "$folder/owner" && continue
    [ -f "$folder/supervisor" ] && lives "$folder/supervisor" && continue
    if [ -f "$folder/init" ] && lives "$folder/init"; then
      read -r pid _ <"$folder/init" && kill -9 "$pid" 2>/dev/null
    fi
    remove "$folder"
  done
}

identify() { echo "$1 $(start_time "$1") $boot"; }
identify $$ >"$run/supervisor"
sweep

read -r _ _ disk seconds <"$run/limits"
mkdir -p "$run/disk"
# What the machine writes lies in memory then and counts as such: no quota of a file system can be had everywhere.
if [ "$mode" = root ] && [ "$disk" != 0 ]; then mount -t tmpfs -o "size=$disk,mode=755" tmpfs "$run/disk"; fi

set -- sh "$scripts/drop-capabilities.sh" sh "$scripts/init.sh" "$run" "$2" "$mode" "$4" "$5" "$6" "$8"
if [ "$mode" = root ]; then
  hierarchies | sed "s:\$:/$group:" >"$run/cgroups"
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    read -r controllers </sys/fs/cgroup/cgroup.controllers
    for controller in $controllers; do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done 2>/dev/null
  fi
  set -- sh "$scripts/enter-cgroup.sh" "$run" unshare --pid --fork --kill-child --mount --net --uts --ipc "$@"
else
  set -- unshare --pid --fork --kill-child --mount --net --uts --ipc --user --map-root-user "$@"
fi

exec 3<&0
# pdeathsig: should this supervisor be killed, the machine must not outlive it. setsid: a terminal's Ctrl-C is not for the machine.
setpriv --pdeathsig KILL setsid "$@" <&- 3<&- 2>"$run/init.log" &
machine=$!
identify $machine >"$run/init"
started=$(start_time $machine)
end() { # Kills the first process in the machine, for which unshare waits until all is gone; what leads to it where it has not come to that.
  child=
  [ "$(cat /proc/$machine/comm)" != unshare ] || read -r child _ </proc/$machine/task/$machine/children
  kill -9 "${child:-$machine}"
} 2>/dev/null
trap end TERM
exec >&-

(
  while read -r line <&3; do [ "$line" != detach ] || detached=yes; done
  # Should this supervisor have been killed, the machine is gone and its number may be somebody else's.
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

wait $machine || wait $machine # The first wait ends early when SIGTERM arrives.
kill $watcher 2>/dev/null
[ -z "$timer" ] || kill -9 $timer 2>/dev/null
[ ! -s "$run/init.log" ] || cat "$run/init.log" >&2
# On a full disk it could not even complain.
[ "$(df -Pk "$run" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)" != 0 ] || echo "no space left on the disk of $run" >&2
remove "$run"
