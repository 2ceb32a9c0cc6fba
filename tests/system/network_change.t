#!/bin/bash
# The gateway VM's network card goes down and comes up, changes its address, is taken away and replaced: up anew at once,
# and nothing but the VPN on the way. The server's pings are so rare that nothing else would notice in time.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
# A card that is down gives no capture; its far end does.
capture_at=("$internet" wan)
start 90
other_address=192.0.2.22
flows+=("udp/$other_address/$server_address/$server_port")
profile client.ovpn tls-crypt
server_start tls-crypt 'keepalive 60 300' 'duplicate-cn'
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up

page() { in_qube curl -s --max-time 60 http://$web_address/; }
nothing_passes() { not in_qube curl -s --max-time 3 http://$web_address/; }
connections() { grep -c '^tunnel: connecting to ' "$work/gateway.log"; }
connected=$(connections)
up_anew() { [ "$(connections)" -gt "$connected" ] && gateway_up; }
is "a page" "You came through the tunnel." page

ip link add bystander netns "$gateway" type veth peer name other netns "$internet"
ip -n "$gateway" link set bystander up
ip -n "$gateway" address add 203.0.113.200/32 dev bystander
ip -n "$gateway" link del bystander
sleep 1
is "another card that comes and goes is nothing" "$connected" connections

ip -n "$gateway" link set uplink down
ok "the card is down: nothing passes" nothing_passes
ip -n "$gateway" link set uplink up
ok "it is up: up anew" wait_for 5 up_anew
is "a page" "You came through the tunnel." page

connected=$(connections)
move_to() { # FROM TO
    ip -n "$gateway" address del "$1/24" dev uplink
    ip -n "$gateway" address add "$2/24" dev uplink
    ip -n "$gateway" route add default via $server_address
}
move_to $gateway_address $other_address
ok "another address: up anew" wait_for 5 up_anew
is "a page" "You came through the tunnel." page
connected=$(connections)
move_to $other_address $gateway_address
ok "and back" wait_for 5 up_anew

capture_stop
ok "so far the outer link carried only the VPN" leak_check
connected=$(connections)
ip -n "$gateway" link del uplink
ok "the card is gone: nothing passes" nothing_passes
ip link add uplink netns "$gateway" type veth peer name wan netns "$internet"
ip -n "$internet" link set wan up
ip -n "$internet" address add $server_address/24 dev wan
capture_start
ip -n "$gateway" link set uplink up
ip -n "$gateway" address add $gateway_address/24 dev uplink
ip -n "$gateway" route add default via $server_address
ok "another in its place: up anew" wait_for 5 up_anew
is "a page" "You came through the tunnel." page
finish
