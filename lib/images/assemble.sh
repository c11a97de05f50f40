#!/bin/sh
# Makes an image of a folder with crane, which gives an image its command only in a registry: in one of our own, alone in
# a network of its own, so that no port of the host is taken. Run under unshare --net --pid: its end is the registry's end.
# The same folder makes the same image, byte by byte.
# usage: assemble.sh CRANE REFERENCE PLATFORM ROOT WORK [FLAG OF crane mutate…]        writes WORK/image.tar
set -eu
crane=$1 reference=$2 platform=$3 root=$4 work=$5
shift 5
umask 022
export HOME="$work" # Nobody's credentials are asked for.

# Every folder is listed, with a mode that lets anybody in: what a layer does not list gets whatever umask unpacks it.
tar --create --file "$work/layer.tar" --directory "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
  --format=ustar --mode=u=rwX,go=rX .

ip link set lo up
mkfifo "$work/said"
"$crane" registry serve --address 127.0.0.1:5000 2>"$work/said" &
exec 3<"$work/said"
read -r _ <&3 # It says so once it listens.
"$crane" append --new_layer "$work/layer.tar" --new_tag 127.0.0.1:5000/image >/dev/null
"$crane" mutate 127.0.0.1:5000/image --set-platform "$platform" --tag "$reference" --output "$work/image.tar" "$@"
