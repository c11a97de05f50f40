#!/bin/sh
# Makes the same file system as the Dockerfile in this folder, from Debian packages only. It is used if no image registry
# can be reached.
# usage: root.sh TOOLS WORK      TOOLS: a folder with debootstrap and Debian's keys. The result is WORK/root.tar.
# It must run as root, in its own mount and PID namespaces.
set -eu
tools=$1 root=$2/root
export PATH="$PATH:/usr/sbin:/sbin" DEBOOTSTRAP_DIR="$tools/usr/share/debootstrap"
umask 022
sh "$tools/usr/sbin/debootstrap" --variant=minbase --force-check-gpg --keyring="$tools/usr/share/keyrings/debian-archive-keyring.gpg" \
  --include="$(paste -sd, "$(dirname "$0")/packages")" trixie "$root" >"$2/log" 2>&1 || { tail -n 3 "$2/log" >&2; exit 1; }
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar --create --file "$2/root.tar" --directory "$root" --numeric-owner --exclude='./proc/*' --exclude='./sys/*' .
