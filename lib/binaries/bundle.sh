#!/bin/sh
# A program with its libraries and their loader in one file. They are unpacked once, into a folder of their own. The archive
# follows the last line. The words in capitals are replaced when the file is made.
set -eu
unpack() {
  tail -n "+$(($(grep -anm 1 '^# ARCHIVE$' "$0" | cut -d: -f 1) + 1))" "$0" | tar -xz -C "$1"
}
if [ "${1-}" = --version ]; then
  # Leaves nothing behind: a host asks for the version too.
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  unpack "$folder"
  "$folder/loader" --library-path "$folder" "$folder/program" "$@"
  exit
fi
folder=/run/byhand-PROGRAM-DIGEST
if [ ! -O "$folder/program" ]; then
  new=$(mktemp -d "$folder.XXXXXX")
  unpack "$new"
  mv -T "$new" "$folder" 2>/dev/null || rm -rf "$new" # Another process was faster.
fi
exec "$folder/loader" --library-path "$folder" "$folder/program" "$@"
# ARCHIVE
