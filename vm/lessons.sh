#!/bin/bash
# In the virtual machine: the lessons as root, as a user who may sudo, and as one who may not and so makes user namespaces.
# The last line is the sum of the three; the exit status is 1 if any of them failed.
set -u
export PATH=/payload/bin:$PATH BYHAND_CACHE=/payload/cache BYHAND_PATIENCE=900
cd /payload/project || exit
log=$(mktemp) failed=0

lessons() { # USER [FILE of a lesson…]
  local user=$1
  shift
  echo "== $user on $(uname -r), cgroup: $(stat -fc %T /sys/fs/cgroup), files owned by $user"
  chown -R "$user:" /payload/project /payload/cache
  runuser -u "$user" -- env HOME="$(getent passwd "$user" | cut -d: -f6)" node node_modules/vitest/vitest.mjs run "$@" 2>&1 | tee -a "$log"
  [ "${PIPESTATUS[0]}" = 0 ] || failed=1
}

BYHAND_STRICT=1 lessons root
BYHAND_STRICT=1 lessons sudoer tests/01-etcd.test.ts tests/06-pod.test.ts
lessons nobodys tests/01-etcd.test.ts tests/02-apiserver.test.ts tests/05-kubelet.test.ts

awk '/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { passed += $1; failed += $3; skipped += $5 }
  END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
exit $failed
