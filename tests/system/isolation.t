#!/bin/bash
# A qube must not be able to speak as somebody else, to reach the gateway VM, or to get out by IPv6 past an IPv4 tunnel.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
profile client.ovpn tls-crypt
server_start tls-crypt
# Something to be reached on every address of the gateway VM.
spawn "$work/gateway-web.log" "$gateway" busybox httpd -f -p 0.0.0.0:80 -h "$work/www"
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up

dropped() { [ "$(gateway_field "drops.$1")" -ge "$2" ]; }
arrived() { # ADDRESS: at the server's end of the tunnel
    tcpdump -n -Z root -r "$work/inner.pcap" "src host $1" 2>/dev/null | grep .
}

spawn "$work/inner.log" "$internet" tcpdump -i tun0 -n -Z root --immediate-mode -U -w "$work/inner.pcap"
inner=$spawned
wait_for 5 grep -q 'listening on' "$work/inner.log"
ip -n "$qube" address add 10.137.0.99/32 dev eth0
ok "a ping with another's source gets no answer" \
    not in_qube busybox ping -c 2 -W 1 -I 10.137.0.99 $web_address
ok "and is counted" wait_for 5 dropped SPOOFED 2
ok "the qube itself is still served" in_qube busybox ping -c 1 -W 60 $web_address
tcpdump_end "$inner" "$work/inner.log"
ok "what arrives has the tunnel's address" arrived 10.8.0.2
ok "nothing arrives from the borrowed address" not arrived 10.137.0.99
ok "nor from the qube's own, untranslated" not arrived $qube_address

for address in $gateway_address $qube_router 10.8.0.2; do
    ok "no service of the gateway VM at $address" not in_qube curl -s --max-time 2 -o /dev/null http://$address/
done

ip -n "$qube" address add 2001:db8:7::10/128 dev eth0 nodad
ip -n "$qube" neighbour add fe80::fcff:ffff:feff:ffff lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent
ip -n "$qube" route add default via fe80::fcff:ffff:feff:ffff dev eth0
ok "no IPv6 without an IPv6 tunnel" not in_qube timeout 3 bash -c 'exec 3<>/dev/tcp/2001:db8::80/80'
ok "still up" gateway_up
finish
