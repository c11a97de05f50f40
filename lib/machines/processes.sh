# shellcheck shell=sh # It is sourced, by supervisor.sh, network.sh, enter.sh and lib/machines/identity.ts.
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

# Prints the pid of the first process of a machine. Fails if the machine has ended.
first_process() { # PLACE: the folder with the machine's file "init"
  # The file identifies the process unshare, which waits for the machine's first process.
  is_alive_in "$1/init" && read -r its_outer _ <"$1/init" || return 1
  its_first=
  read -r its_first _ <"/proc/$its_outer/task/$its_outer/children" || true # The file does not end with a newline.
  [ -n "$its_first" ] && echo "$its_first"
} 2>/dev/null

# Kills the first process in a machine. unshare waits for it and ends when everything in the machine has ended. If unshare does
# not run yet, this first process does not exist, so this function kills the process that will become unshare.
end_machine() { # PID of unshare
  its_first=
  [ "$(cat "/proc/$1/comm")" != unshare ] || read -r its_first _ <"/proc/$1/task/$1/children"
  kill -9 "${its_first:-$1}"
} 2>/dev/null
