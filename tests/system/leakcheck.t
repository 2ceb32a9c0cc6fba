#!/bin/bash
# The judge of the outer link is judged: planted leaks of several kinds must turn it red, and quiet must not.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
client=openvpn # what leaks by its nature: kernel forwarding, and no kill switch
start 60
profile client.ovpn tls-crypt
server_start tls-crypt

# A capture of its own around whatever leaks, and the verdict.
verdict() { # EXIT COMMAND...
    local code=0 expected=$1
    shift
    capture_start
    "$@" >/dev/null 2>&1 || true
    capture_stop
    leak_check || code=$?
    [ $code = "$expected" ] || { echo "exit $code instead of $expected"; return 1; }
}

page() { in_qube curl -s --max-time 60 http://$web_address/; }
question() { in_gateway busybox nslookup -type=a $site $resolver_address; }
connected() { wait_for 10 gateway_up && page; }
killed_under_way() { end_process KILL "$client_pid"; in_qube curl -s --max-time 3 http://$web_address/; }
plain_to_the_port() { in_gateway perl "$system/udp" garbage $gateway_address 5000 $server_address $server_port 20; }
six() {
    outer_ipv6
    in_gateway busybox ping6 -c 1 -W 1 $server_ipv6
}

capture_stop
ok "a DNS question past the VPN: leak" verdict 1 question
ok "a fragment of nothing that was sent: leak" \
    verdict 1 in_gateway perl "$system/udp" fragment $gateway_address $server_address
gateway_start client.ovpn
ok "a VPN that carries everything: no leak" verdict 0 connected
ok "something else to the server's port: leak" verdict 1 plain_to_the_port
ok "the client killed, the kernel goes on forwarding: leak" verdict 1 killed_under_way
ok "a web request of the gateway's own: leak" verdict 1 in_gateway curl -s --max-time 30 http://$web_address/
ok "a ping: leak" verdict 1 in_gateway busybox ping -c 1 -W 1 $server_address
ok "ICMP errors about something else: leak" verdict 1 in_internet perl "$system/udp" ask $gateway_address 9 1 10
gateway_stop
server_stop
flows=("tcp/$gateway_address/$server_address/$server_port")
ok "UDP where TCP is the VPN: leak" verdict 1 plain_to_the_port
ok "TCP to another port: leak" verdict 1 in_gateway curl -s --max-time 1 http://$server_address:81/
ok "TCP to the server's port: no leak" verdict 0 in_gateway curl -s --max-time 1 http://$server_address:$server_port/
flows=("wireguard/$gateway_address/$server_address/$server_port")
ok "UDP that is no WireGuard to a WireGuard server's port: leak" verdict 1 plain_to_the_port
ok "an empty capture: no verdict" verdict 2 true
late() { in_internet perl "$system/udp" garbage $server_address "$1" $gateway_address 9 5; } # PORT
flows=("static+4/$gateway_address/$server_address/1195" "dns/$gateway_address/$server_address/53")
ok "what comes from a peer with a static key when the socket is gone: no leak" verdict 0 late 1195
ok "an answer about a name when the socket is gone: no leak" verdict 0 late 53
ok "from another port: leak" verdict 1 late 54
ok "IPv6 beside ND: leak" verdict 1 six
echo "1..$test_number"
exit $test_failed
