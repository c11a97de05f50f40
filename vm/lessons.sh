#!/bin/bash
# Runs in the virtual machine. It runs the lessons as root, as a user with sudo, and as a user without sudo, who gets user namespaces.
# The last line is the sum of these runs. The exit status is 1 if any of them failed.
set -u
export PATH=/payload/bin:$PATH BYHAND_CACHE=/payload/cache BYHAND_PATIENCE=900
cd /payload/project || exit
results=$(mktemp -d) failed=0
HANGS=20m # No run takes so long, unless it hangs.
chmod 777 "$results" # Each user writes its own result.

lessons() { # USER [FILE of a lesson…]
  local user=$1
  shift
  echo "== $user on $(uname -r), cgroup: $(stat -fc %T /sys/fs/cgroup), files owned by $user"
  chown -R "$user:" /payload/project /payload/cache
  # A run that hangs shows where, before the virtual machine is stopped.
  (sleep $HANGS && echo "== still running after $HANGS:" && ps --ppid 2 -p 2 --deselect -Ho pid,stat,etime,wchan:20,args | cut -c1-150 && dmesg | tail -n 30) &
  local watch=$!
  runuser -u "$user" -- env HOME="$(getent passwd "$user" | cut -d: -f6)" BYHAND_RESULT="$results/$user.json" \
    node node_modules/vitest/vitest.mjs run "$@" 2>&1 || failed=1
  kill $watch
}

read -ra chosen </payload/lessons
read -ra users </payload/users
# For the other users, only the machine differs. If root runs a choice of lessons, they run the first ones.
sudoers=(01) nobodys=(01 02)
[ ${#chosen[@]} -gt 0 ] || sudoers=(06) nobodys=(01 02 05)
for user in "${users[@]}"; do
  case $user in
    root) BYHAND_STRICT=1 lessons root "${chosen[@]/#/tests/}" ;;
    sudoer) BYHAND_STRICT=1 lessons sudoer "${sudoers[@]/#/tests/}" ;;
    nobodys) lessons nobodys "${nobodys[@]/#/tests/}" ;;
    *) echo "There is no user $user."; failed=1 ;;
  esac
done

# vm/run.sh reads the sum from this port. A run that ended without a result counts as one failure.
port=/dev/virtio-ports/result
[ -e $port ] || port=/dev/null
cd "$results" || exit
# shellcheck disable=SC2016 # That is JavaScript.
node -e '
  const { readFileSync, writeFileSync } = require("fs")
  const [port, ...files] = process.argv.slice(1)
  const sum = { passed: 0, failed: 0, skipped: 0 }
  for (const file of files) {
    let result = { passed: 0, failed: 1, skipped: 0 }
    try { result = JSON.parse(readFileSync(file, "utf8")) } catch {}
    for (const column of Object.keys(sum)) sum[column] += result[column]
  }
  writeFileSync(port, JSON.stringify(sum) + "\n")
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)' \
  $port "${users[@]/%/.json}"
exit $failed
