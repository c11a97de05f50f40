# shellcheck shell=sh # It is sourced, by supervisor.sh, enter.sh and lib/machines/identity.ts.
# Identifies a process so that it cannot be confused with a later one that gets the same pid (PID reuse): by its pid, its
# start time (proc(5), field 22 of stat) and the boot it runs in.

# Prints the start time of a process in clock ticks since boot. Prints nothing if the process does not exist or is a zombie.
start_time() { # PID
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # shellcheck disable=SC2086 # The fields are words. They follow the name of the program, which can contain any character.
  set -- ${stat##*) }
  case $1 in Z | X) ;; *) echo "${20}" ;; esac
}

# Prints "PID START_TIME BOOT". The start time of a process that does not run is "gone".
identify() { # PID
  start=$(start_time "$1")
  read -r boot </proc/sys/kernel/random/boot_id
  echo "$1 ${start:-gone} $boot"
}

# Whether the process that identify described still runs.
is_alive() { # PID START_TIME BOOT
  [ "${2:-gone}" != gone ] && [ "$(identify "$1")" = "$1 $2 ${3:-}" ]
}

# The same, for an identity that is stored in a file.
is_alive_in() { # FILE
  read -r its_pid its_start its_boot 2>/dev/null <"$1" && is_alive "$its_pid" "$its_start" "$its_boot"
}
