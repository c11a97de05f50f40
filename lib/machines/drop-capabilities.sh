#!/bin/sh
# Becomes a command that can never have more of root's powers than the components and their containers need (man 7 capabilities).
# Those that are missing are ways out of a machine: to load modules (sys_module), to open the host's files by their handles
# (dac_read_search), to leave files that cannot be removed (linux_immutable), to set the clock, to reboot, to reach ports and memory.
# usage: drop-capabilities.sh COMMAND…
exec setpriv --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+setfcap,+net_bind_service,+net_admin,+net_raw,+sys_chroot,+sys_ptrace,+sys_admin,+sys_resource,+mknod,+audit_write --inh-caps=-all "$@"
