#!/bin/bash
# kill -9 of the gateway under traffic: nothing takes over, nothing leaves, and a new one starts where there was one.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
web_file big 100M
profile client.ovpn tls-crypt
server_start tls-crypt
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up

traffic() {
    {
        in_qube curl -s --max-time 300 --limit-rate 5M -o "$work/download" http://$web_address/big &
        in_qube timeout 300 busybox ping -c 1000 -i 0.1 $web_address >"$work/ping" &
        in_qube timeout 300 perl "$system/udp" ask $web_address 7 400 1300 >"$work/answers" &
    } 2>/dev/null
    disown -a
}
flowing() { [ -s "$work/download" ] && grep -q 'seq=3' "$work/ping"; }

traffic
ok "traffic flows" wait_for 5 flowing
gateway_kill
sleep 2
ok "the qube reaches nothing" not in_qube curl -s --max-time 3 -o /dev/null http://$web_address/
gateway_start client.ovpn
ok "started again: up" wait_for 15 gateway_up
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
finish
