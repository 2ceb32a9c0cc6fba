#!/bin/bash
# While there is no tunnel a qube is told so at once, and nothing of it leaves.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
profile client.ovpn tls-crypt
gateway_start client.ovpn

unreachable() { # COMMAND...: fails in the qube with that word, and before the kernel gives up
    local printed
    printed=$(in_qube timeout 60 "$@" 2>&1) && return 1
    echo "$printed"
    grep -qi unreachable <<<"$printed"
}
# Neither shows the error to its user, so it is looked for on the wire.
told() { # COMMAND...
    spawn "$work/told.log" "$qube" timeout 300 tcpdump -i eth0 -n -c 1 --immediate-mode \
        "icmp[0] = 3 and icmp[1] = 0"
    wait_for 5 grep -q 'listening on' "$work/told.log"
    spawn "$work/asked.log" "$qube" timeout 60 "$@"
    wait_for 5 grep -q unreachable "$work/told.log" || { cat "$work/told.log"; return 1; }
    end_process TERM "$spawned"
    rm "$work/told.log"
}
name() { in_qube timeout 60 getent ahostsv4 $site; }

ok "no server: not up" not gateway_up
ok "TCP: the network is unreachable" unreachable bash -c "exec 3<>/dev/tcp/$web_address/80"
ok "another TCP connection, the same" unreachable bash -c "exec 3<>/dev/tcp/203.0.113.9/443"
ok "ping: the same ICMP error" told busybox ping -c 1 -W 1 $web_address
ok "UDP: the same ICMP error" told perl "$system/udp" ask $web_address 7 1 100
ok "a name is not resolved" not name
ok "nothing was sealed" prints 0 gateway_field traffic.packets_up

server_start tls-crypt
ok "the server comes: up, without being asked" wait_for 15 gateway_up
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/

server_kill
ok "the server dies: noticed" wait_for 15 not gateway_up
ok "TCP: unreachable again" unreachable bash -c "exec 3<>/dev/tcp/$web_address/80"
server_return
ok "and it comes again" wait_for 15 gateway_up
is "the page again" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
finish
