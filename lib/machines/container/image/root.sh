#!/bin/sh
# Makes, where no registry of images can be reached, what the Dockerfile beside it makes: of Debian's packages alone.
# usage: root.sh TOOLS WORK      TOOLS: debootstrap and Debian's keys, unpacked; leaves WORK/root.tar. As root, in mount and pid namespaces of its own.
set -eu
tools=$1 root=$2/root
export PATH="$PATH:/usr/sbin:/sbin" DEBOOTSTRAP_DIR="$tools/usr/share/debootstrap"
umask 022
sh "$tools/usr/sbin/debootstrap" --variant=minbase --force-check-gpg --keyring="$tools/usr/share/keyrings/debian-archive-keyring.gpg" \
  --include="$(paste -sd, "$(dirname "$0")/packages")" trixie "$root" >"$2/log" 2>&1 || { tail -n 3 "$2/log" >&2; exit 1; }
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar --create --file "$2/root.tar" --directory "$root" --numeric-owner --exclude='./proc/*' --exclude='./sys/*' .
