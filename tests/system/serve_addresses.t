#!/bin/bash
# The addresses that our server's clients get: topologies of old clients, and pools that are said one by one; with
# Debian's openvpn and with our own client, and data through each.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
server=gateway
kill_switch=true # as in serve_matrix.t
web_file file 300K

pushed() { # OPTION
    tail -n "+$classic_mark" "$work/gateway.log" | grep -F "$1," >/dev/null
}
# A client of either kind with that address; and what openvpn was told.
cell() { # NAME ADDRESS IPV6 [OPTION]...
    local name=$1 address=$2 ipv6=$3 option
    shift 3
    profile client.ovpn tls-crypt 'verb 3' 'explicit-exit-notify 1'
    for client in openvpn gateway; do
        gateway_start client.ovpn
        ok "$name, $client: up" wait_for 10 gateway_up
        is "$name, $client: its addresses" "$address $ipv6" \
            eval 'echo "$(server_status clients.0.ipv4) $(server_status clients.0.ipv6)"'
        ok "$name, $client: data" moves file
        if [ "$client" = openvpn ]; then
            ok "$name, $client: reaches the server itself" in_gateway busybox ping -c 1 -W 60 10.8.0.1
            for option in "$@"; do ok "$name, $client: $option" pushed "$option"; done
        fi
        gateway_stop
        ok "$name, $client: gone" wait_for 10 prints 0 server_status clients_up
    done
}

# An old client has no `subnet'; it takes the first block of four for the server's two ends.
server_start tls-crypt 'topology net30'
cell net30 10.8.0.6 null 'topology net30' 'ifconfig 10.8.0.6 10.8.0.5' 'route 10.8.0.1'
server_stop
server_start tls-crypt 'topology p2p'
cell p2p 10.8.0.4 null 'topology p2p' 'ifconfig 10.8.0.4 10.8.0.1'
server_stop

mkdir -m 755 "$work/clients"
echo 'ifconfig-push 10.8.0.77 10.8.0.78' >"$work/clients/client"
server_start tls-crypt 'topology net30' "client-config-dir $work/clients" 'client-to-client'
cell 'net30, an address of its own, client-to-client' 10.8.0.77 null 'ifconfig 10.8.0.77 10.8.0.78' \
    'route 10.8.0.0 255.255.255.0'
server_stop

# `server' and `server-ipv6' stand for these lines.
network=('mode server' 'tls-server' 'ifconfig 10.8.0.1 255.255.0.0' 'ifconfig-pool 10.8.3.7 10.8.3.9 255.255.0.0'
    'push "route-gateway 10.8.0.1"' 'ifconfig-ipv6 fd00:8::1/64 fd00:8::2' 'ifconfig-ipv6-pool fd00:8::77:0/64')
kernel "$gateway" ipv6/conf/default/disable_ipv6 0
kernel "$internet" ipv6/conf/default/disable_ipv6 0
server_start tls-crypt
cell 'ifconfig, ifconfig-pool, ifconfig-ipv6-pool' 10.8.3.7 fd00:8::77:0 'ifconfig 10.8.3.7 255.255.0.0' \
    'ifconfig-ipv6 fd00:8::77:0/64 fd00:8::1'
server_stop
finish
