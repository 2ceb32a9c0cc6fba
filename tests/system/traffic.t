#!/bin/bash
# A qube's daily traffic through the tunnel: files both ways, ping, UDP, names.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
web_file big 100M
server_start tls-crypt
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "the tunnel comes up" wait_for 10 gateway_up

ok "ping" in_qube busybox ping -c 3 -W 60 $web_address
is "a datagram that needs an outer fragment: the qube is told how large it may be" 1448 \
    in_qube perl "$system/udp" path $web_address 7 1472
is "200 datagrams of all sizes up to the MTU come back" 200 in_qube timeout 300 perl "$system/udp" ask $web_address 7 200 1472
is "40 datagrams in fragments come back" 40 in_qube timeout 300 perl "$system/udp" ask $web_address 7 40 8000
ok "ping as large as the qube's MTU" in_qube busybox ping -c 2 -W 60 -s 1472 $web_address

name() { in_qube env "$@" timeout 60 getent ahostsv4 $site | awk '{ print $1; exit }'; }
is "a name over UDP" $web_address name
is "a name over TCP" $web_address name RES_OPTIONS=use-vc
ok "the second resolver answers too" in_qube timeout 60 busybox nslookup -type=a $site 10.139.1.2
is "a page by its name" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
several() {
    local turn
    for turn in 1 2 3 4 5 6 7 8; do
        in_qube curl -sS --max-time 600 -r "0-$((turn * 1000000 - 1))" http://$web_address/big | wc -c >"$work/part$turn" &
        parts+=($!)
    done
    wait "${parts[@]}"
    cat "$work"/part? | paste -sd +
}
parts=()
is "100 MB down" "$(checksum big)" file_down big $site
is "100 MB up" "$(checksum big)" file_up big $site
is "eight connections at once" "$(seq 1000000 1000000 8000000 | paste -sd +)" several
finish
