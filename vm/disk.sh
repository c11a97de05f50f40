#!/bin/bash
# Makes the system disk of the virtual machine: Debian with systemd, and a unit that runs the script on a second disk.
# It must run as root.
# usage: disk.sh WORK INTO          WORK: a folder for temporary files. The results are INTO/{disk.img,vmlinuz,initrd}.
set -eu
work=$1 into=$2 root=$1/root
packages=linux-image-cloud-amd64,systemd,systemd-sysv,udev,kmod,iproute2,nftables,iptables,procps,sudo,curl,bc,openssl,libstdc++6,libatomic1,libseccomp2
debootstrap --variant=minbase --include="$packages" trixie "$root" >"$work/debootstrap.log" 2>&1 ||
  { tail -n 5 "$work/debootstrap.log" "$root/debootstrap/debootstrap.log" >&2; exit 1; }

echo virtual >"$root/etc/hostname"
echo "127.0.0.1 localhost virtual" >"$root/etc/hosts"
echo "LABEL=payload /payload ext4 defaults 0 0" >"$root/etc/fstab"
mkdir "$root/payload"
chroot "$root" useradd --create-home --shell /bin/bash sudoer
chroot "$root" useradd --create-home --shell /bin/bash nobodys
echo "sudoer ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/sudoer"

cat >"$root/etc/systemd/system/payload.service" <<'UNIT'
[Unit]
Description=The script on the second disk
RequiresMountsFor=/payload
SuccessAction=poweroff
FailureAction=poweroff

[Service]
Type=oneshot
ExecStart=/payload/run
StandardOutput=file:/dev/virtio-ports/output
StandardError=inherit
ExecStopPost=/bin/sh -c 'echo "$EXIT_STATUS" >/dev/virtio-ports/status'
UNIT
ln -s ../payload.service "$root/etc/systemd/system/multi-user.target.wants/payload.service"
ln -sf /dev/null "$root/etc/systemd/system/apt-daily.timer"

# The initrd is small, because an emulated processor unpacks a large one slowly.
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
printf 'virtio_pci\nvirtio_blk\n' >>"$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u >/dev/null 2>&1

cp "$root"/boot/vmlinuz-* "$into/vmlinuz"
cp "$root"/boot/initrd.img-* "$into/initrd"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "${root:?}"/boot/*
mke2fs -q -t ext4 -d "$root" "$into/disk.img" 4G >/dev/null
