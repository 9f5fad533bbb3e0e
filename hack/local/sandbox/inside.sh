#!/bin/sh
# Furnishes a new sandbox. Runs inside of it, with HOST, NODE, BROKER and KNOBS in the environment.
set -eu

# Mounts made here stay here, yet volumes that the kubelet mounts later do reach its containers.
mount --make-rshared /
mount -t proc proc /proc

# Where programs of a node leave things that nobody would ever remove.
for dir in /run /var/lib /var/log; do
	mount -t tmpfs -o mode=0755 tmpfs "$dir"
done
mkdir -p /run/lock /run/netns

# The kubelet sets these for the whole machine; in here it sets copies.
for knob in $KNOBS; do
	[ -e "/proc/sys/$knob" ] || continue
	mkdir -p "/run/sys/${knob%/*}"
	cat "/proc/sys/$knob" >"/run/sys/$knob"
	mount --bind "/run/sys/$knob" "/proc/sys/$knob"
done

ip link set lo up
ip address add "$NODE/24" dev eth0
ip address add "$BROKER/32" dev eth0
ip link set eth0 up
ip route add default via "$HOST"
echo 1 >/proc/sys/net/ipv4/ip_forward

touch /run/complete
