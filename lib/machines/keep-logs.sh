# shellcheck shell=sh # It is sourced, by supervisor.sh and lib/machines/container/kept-logs.ts.
KEPT_LOGS=10 # The number of runs whose logs are kept.

# Removes the logs of all runs except the newest ones.
forget_old_logs() { # LOGS_DIR
  # shellcheck disable=SC2012 # The names of runs are plain words.
  ls -t "$1" | tail -n +$((KEPT_LOGS + 1)) | while read -r old; do rm -rf "${1:?}/$old"; done
}
