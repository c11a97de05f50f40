#!/bin/sh
# Runs beside supervisor.sh, outside the machines, and makes the network of a run with several machines. It waits until the
# first request arrives. Then it enters a network namespace of its own, which contains a bridge, and connects the first
# machine. Further machines are its children, so that they end when it ends. Nothing of the network belongs to the host.
# usage: network.sh SETTINGS [REQUEST] <REQUESTS      SETTINGS: see supervisor.sh
# A request is a line "ID WORD…". lib/machines/requests.mts writes it, and reads the answer in RUN_DIR/answer-ID: the exit
# status, and then error messages. The words:
#   start NAME ADDRESS      starts a further machine, unless it runs
#   end NAME                ends a further machine
#   link NAME down|up|delay MILLISECONDS|lossy PERCENT|limit KILOBITS|clear      changes the link between the machine and the bridge
#   list                    prints the names of the further machines that run
#   stop                    ends all further machines; there is no answer
set -u
trap '' INT HUP PIPE
umask 022
settings=$1
run='' name='' mode='' scripts=''
# shellcheck source=/dev/null
. "$settings"
export PATH="${path:?}:$PATH"
# shellcheck source=processes.sh
. "$scripts/processes.sh"
first=$name

# Moves the other end of a machine's eth0 to the bridge.
connect() { # PLACE NAME
  pid=$(first_process "$1") || { echo "the machine $2 has ended"; return 1; }
  # A machine of the same name that has ended can have left a link that the kernel removes later.
  ip link delete dev "$2" 2>/dev/null
  nsenter --net="/proc/$pid/ns/net" ip link set dev uplink netns $$ name "$2" &&
    ip link set dev "$2" master switch up
}

start() { # NAME ADDRESS
  place=$run/machines/$1
  ! is_alive_in "$place/init" || return 0
  end "$1"
  # An earlier machine of this name has left its files, whose logs are kept if the run ends before this.
  rm -rf --one-file-system "$place" "$run/disk/machines/$1"
  mkdir -p "$place" || return 1
  {
    cat "$settings"
    # shellcheck disable=SC2016 # The shell that reads the settings expands it.
    printf 'first=$name first_address=$address place=$run/machines/%s files=$run/disk/machines/%s\nname=%s address=%s socket=%s\n' "$1" "$1" "$1" "$2" "$1"
  } >"$place/settings"
  mkfifo "$place/ready" || return 1
  set -- "$1" setpriv "--bounding-set=-all,${capabilities:?}" --inh-caps=-all sh "$scripts/init.sh" "$place/settings"
  further=$1
  shift
  # In user mode, this shell is in the user namespace of the first machine already.
  set -- unshare --pid --fork --kill-child --mount --net --uts --ipc "$@"
  [ "$mode" != root ] || set -- sh "$scripts/enter-cgroup.sh" "$place/settings" "$@"
  setpriv --pdeathsig KILL setsid "$@" </dev/null >"$place/ready" 2>"$place/init.log" &
  identify $! >"$place/init"
  if read -r _ <"$place/ready" && connect "$place" "$further"; then return 0; fi
  cat "$place/init.log"
  end "$further"
  return 1
}

end() { # NAME
  if is_alive_in "$run/machines/$1/init"; then
    read -r outer _ <"$run/machines/$1/init"
    end_machine "$outer"
    wait "$outer"
  fi
  ip link delete dev "$1"
  rm -f "$run/socket/$1"
} 2>/dev/null

link() { # NAME WORD [VALUE]
  case $2 in
    down | up) ip link set dev "$1" "$2" ;;
    # Of the kernel's queues, only netem delays packets.
    delay) tc qdisc replace dev "$1" root netem delay "$3ms" limit 100000 ;;
    limit) tc qdisc replace dev "$1" root tbf rate "$3kbit" burst 16kb latency 2s ;;
    # netem can also lose packets, but not every kernel has it. A program of four instructions does the same: it loads a
    # random number, and drops the packet (2) if the number is below the limit. It sees the packets of both directions.
    lossy)
      tc qdisc replace dev "$1" clsact || return
      for direction in ingress egress; do
        tc filter replace dev "$1" $direction prefer 1 handle 1 bpf direct-action bytecode \
          "4,32 0 0 4294963256,53 1 0 $(($3 * 42949672)),6 0 0 2,6 0 0 4294967295" || return
      done ;;
    clear)
      tc qdisc delete dev "$1" root
      tc qdisc delete dev "$1" clsact
      true ;;
    *) echo "unknown: $2"; return 1 ;;
  esac
}

list() {
  for place in "$run"/machines/*/; do
    ! is_alive_in "$place/init" || basename "$place"
  done
}

# Carries out one request. The words of a request contain no special characters.
carry_out() { # ID WORD…
  id=$1
  shift
  case $problem$1 in
    start) start "$2" "$3" ;;
    end) end "$2" ;;
    list) list ;;
    # The port of the first machine has a name of its own: the name of the machine can be too long.
    link) [ "$2" != "$first" ] || { shift 2; set -- link first "$@"; }; shift; link "$@" ;;
    *) echo "${problem:-unknown: $1}"; false ;;
  esac >"$run/answer-$id.part" 2>&1
  echo $? >"$run/answer-$id.status"
  cat "$run/answer-$id.part" >>"$run/answer-$id.status"
  rm "$run/answer-$id.part"
  mv "$run/answer-$id.status" "$run/answer-$id"
}

problem=
if [ $# = 1 ]; then
  while read -r request || exit 0; do
    # shellcheck disable=SC2086 # The words of the request.
    case $request in
      "- stop") exit 0 ;;
      *" list") carry_out $request ;; # It changes nothing, and needs no network.
      *) break ;;
    esac
  done
  set -- unshare --net sh "$0" "$settings" "$request"
  if [ "$mode" = user ]; then
    pid=$(first_process "$run") || exit 0
    set -- nsenter --target "$pid" --user --preserve-credentials "$@"
  fi
  exec "$@"
fi
request=$2
# The bridge has no address: it is a switch between the machines, and no host.
problem=$({ ip link add switch type bridge && ip link set dev switch up && connect "$run" first; } 2>&1) || problem=${problem:-failed}
while
  # shellcheck disable=SC2086 # The words of the request.
  [ "$request" != "- stop" ] && carry_out $request
  [ "$request" != "- stop" ] && read -r request
do :; done
for place in "$run"/machines/*/; do end "$(basename "$place")"; done
