#!/bin/bash
# An outer path that is narrower than it should be, becomes narrower still, and of which lies are told. Qubes learn what
# they may send, and no datagram of the VPN leaves in fragments.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
qube_ipv6=fd09:24ef:4179::a89:5
web_ipv6=2001:db8:80::80
downstream="tap:qube0,ip=$qube_address,ip6=$qube_ipv6"
start 100
web_file big 20M

outer_mtu() { # BYTES, at both ends
    ip -n "$internet" link set wan mtu "$1"
    ip -n "$gateway" link set uplink mtu "$1"
}
mtu() { gateway_field tunnel.mtu; }
mtu_is() { [ "$(mtu)" = "$1" ]; }
# Sending makes the gateway look at its way again.
mtu_becomes() { # BYTES
    probe() { in_qube perl "$system/udp" ask $web_address 7 1 10 1 1 >/dev/null; mtu_is "$1"; }
    wait_for 10 probe "$1"
}
path() { in_qube perl "$system/udp" path "$1" 7 "$2"; }
asks() { in_qube timeout 300 perl "$system/udp" ask $web_address 7 "$@"; }
page_is_whole() { [ "$(file_down big)" = "$(checksum big)" ]; }

kernel "$internet" ipv6/conf/default/disable_ipv6 0 # for the tunnel's interface, which is yet to come
kernel "$internet" ipv6/conf/lo/disable_ipv6 0
ip -n "$internet" address add $web_ipv6/128 dev lo nodad
spawn "$work/web6.log" "$internet" busybox httpd -f -p "[$web_ipv6]:80" -h "$work/www"
# So that the capture sees each datagram as it is on the wire.
ip netns exec "$gateway" ethtool -K uplink tx-udp-segmentation off gso off

outer_mtu 1400
server_start tls-crypt 'server-ipv6 fd08:8::/64' 'push "redirect-gateway ipv6"' 'push "route-ipv6 2000::/3"'
profile client.ovpn tls-crypt
gateway_start client.ovpn
ip -n "$qube" address add $qube_ipv6/128 dev eth0 nodad
ip -n "$qube" neighbour replace fe80::fcff:ffff:feff:ffff lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent
ip -n "$qube" route add default via fe80::fcff:ffff:feff:ffff dev eth0 onlink
ok "up" wait_for 10 gateway_up

# 20 + 8 of IP and UDP, 24 of the data channel.
is "a path of 1400 bytes leaves 1348" 1348 mtu
explained() { grep -F "$1" <("$program" "${@:2}" --control "$work/control"); }
ok "status says why" explained 'MTU 1348 (all the path carries; the server allows 1500)' status
ok "settings, too" explained '1500  (server; 1348 in use, all the path to the server carries)' settings
is "a qube that asks is told so" 1348 path $web_address 1472
is "over IPv6 too" 1348 path $web_ipv6 1452
is "after which its datagrams of all sizes arrive" 200 asks 200 1472
is "TCP down" "$(checksum big)" file_down big
is "TCP up" "$(checksum big)" file_up big
is "TCP up over IPv6" "$(checksum big)" file_up big "[$web_ipv6]"

in_qube curl -sN --limit-rate 4M -o "$work/during" http://$web_address/big &
during=$!
disown
wait_for 5 test -s "$work/during"
outer_mtu 1340
ok "it narrows while a connection stands: 1288" mtu_becomes 1288
is "of which qubes are told" 1288 path $web_address 1300
ended() { wait_for 30 gone "$during" && sha256sum <"$work/during" | cut -d ' ' -f 1; }
is "and the connection goes on" "$(checksum big)" ended
outer_mtu 1420
ok "it widens: 1368" mtu_becomes 1368

capture_stop
seen() { tcpdump -n -Z root -r "$work/outer.pcap" "src host $gateway_address and $1" 2>/dev/null | wc -l; }
ok "much has left" test "$(seen 'greater 1330')" -gt 10000
is "no fragment was of it" 0 seen 'ip[6:2] & 0x3fff != 0'
is "nor anything larger than the path has ever been" 0 seen 'greater 1435'

# A liar's packets are not in the capture. An error about the VPN's own flow is nothing to a socket that asks for no
# such errors; one about a ping is believed by the kernel without a question, and by us as far as a real path could be.
port=$(in_gateway ss -Hun "dport = :$server_port" | sed -nE "s/.*$gateway_address:([0-9]+) .*/\1/p")
in_internet perl "$system/udp" narrow $server_address $gateway_address "$port" $server_address $server_port 600
ok "the lie is about the port that the VPN has" test -n "$port"
ok "sending goes on" asks 3 100
sleep 1.1
ok "and on, with a new look at the way" asks 3 100
is "a forged error about the VPN changes nothing" 1368 mtu
in_internet perl "$system/udp" narrow $server_address $gateway_address 0 $server_address 0 600
ok "one about a ping lowers it no further than to 1280" mtu_becomes 1228
is "over IPv6 to the least there may be" 1280 path $web_ipv6 1240
ok "with which all goes on" page_is_whole

# The server's side is narrower than ours: its datagrams come in fragments, and what it alone can have made is believed.
in_gateway ip route flush cache
outer_mtu 1500
ok "all is well again: 1448" mtu_becomes 1448
ip -n "$internet" route add $gateway_address/32 dev wan mtu lock 1400
ok "datagrams come in fragments of 1396 bytes" asks 42 1472
ok "and ours become smaller" mtu_becomes 1344
ip -n "$internet" route del $gateway_address/32

# Behind the VPN, too, is a way that is narrower than the tunnel, or wider.
far=$prefix-far
far_address=198.51.100.90
far_ipv6=2001:db8:90::90
ip netns add "$far"
ip link add narrow netns "$internet" type veth peer name eth0 netns "$far"
ip -n "$far" link set lo up
ip -n "$far" address add $far_address/32 dev eth0
ip -n "$far" address add $far_ipv6/128 dev eth0 nodad
far_mtu() { # BYTES, at both ends
    ip -n "$internet" link set narrow mtu "$1" up
    ip -n "$far" link set eth0 mtu "$1" up
}
far_mtu 1300
ip -n "$internet" address add 198.51.100.89/32 dev narrow
ip -n "$internet" address add fe80::1/64 dev narrow nodad
ip -n "$internet" route add $far_address dev narrow
ip -n "$internet" route add $far_ipv6 dev narrow
ip -n "$far" route add default via 198.51.100.89 dev eth0 onlink
ip -n "$far" route add default via fe80::1 dev eth0
kernel "$internet" ipv4/ip_forward 1
kernel "$internet" ipv6/conf/all/forwarding 1
spawn "$work/far.log" "$far" perl "$system/udp" serve $far_address 7

server_kill
echo 'tun-mtu 1400' >>"$work/server.conf"
server_return
ok "a tunnel of 1400 bytes" wait_for 20 mtu_is 1400
ping_far() { in_qube busybox ping -6 -c 1 -W 2 -s 1260 $far_ipv6; }
ok "a ping of 1308 bytes learns of 1300" wait_for 20 ping_far
answered() { in_qube busybox ping -6 -c 6 -i 0.2 -W 20 -s 1260 $far_ipv6 | sed -n 's/.* \([0-9]*\) packets received.*/\1/p'; }
is "its fragments are no larger again" 6 answered
far_mtu 1500
asks_far() { in_qube timeout 30 perl "$system/udp" ask $far_address 7 "$@"; }
is "datagrams come back in more than 64 fragments, as the server cuts each in two" 20 asks_far 20 49000 48000

# The other way round: the tunnel carries more than the network card of a qube.
server_kill
in_gateway ip route flush cache
outer_mtu 1800
echo 'tun-mtu 1600' >>"$work/server.conf"
server_return
ok "a tunnel of 1600 bytes" wait_for 20 mtu_is 1600
told() { # the server's kernel is, in that namespace
    asks 42 1560 1 1 >/dev/null
    in_internet ip route get 10.8.0.2 | grep 'mtu 1500'
}
ok "who sends a qube too much is told so" wait_for 10 told
is "then all of it arrives" 42 asks 42 1560
finish
