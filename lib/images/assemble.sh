#!/bin/sh
# Makes an image from a folder with crane. crane can set the command of an image only in a registry. So this script starts
# a registry in a network namespace, where it uses no port of the host. Run it under unshare --net --pid, so that the
# registry ends with the script. The same folder always gives the same image, byte for byte.
# usage: assemble.sh CRANE REFERENCE PLATFORM ROOT WORK [FLAGS OF crane mutate…]        The result is WORK/image.tar.
set -eu
crane=$1 reference=$2 platform=$3 root=$4 work=$5
shift 5
umask 022
export HOME="$work" # crane must not read the user's registry credentials.

# The layer lists every folder, with a mode that every user can read. A folder that a layer does not list gets its mode
# from the umask of the program that unpacks it.
tar --create --file "$work/layer.tar" --directory "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
  --format=ustar --mode=u=rwX,go=rX .

ip link set lo up
mkfifo "$work/said"
"$crane" registry serve --address 127.0.0.1:5000 2>"$work/said" &
exec 3<"$work/said"
read -r _ <&3 # It prints a line when it listens.
"$crane" append --new_layer "$work/layer.tar" --new_tag 127.0.0.1:5000/image >/dev/null
"$crane" mutate 127.0.0.1:5000/image --set-platform "$platform" --tag "$reference" --output "$work/image.tar" "$@"
