#!/bin/bash
# `fragment': the real server and the gateway cut each other's packets, and no datagram is larger than agreed. A cell is
# a cipher, a framing and a size; datagrams of every size and TCP in full segments pass both ways, compared.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 240
flows=("udp/$gateway_address/$server_address/$server_port" "static+4/$gateway_address/$server_address/1195")
openvpn --genkey secret "$work/static.key"
# shellcheck source=tests/system/fragment.sh
. "$system/fragment.sh"

cell() { # NAME SIZE
    watch
    gateway_start client.ovpn -v
    ok "$1: up" wait_for 10 gateway_up
    wait_for 10 server_said 0 'Initialization Sequence Completed'
    is "$1: the qube may send packets of 1500 bytes" 1500 gateway_field tunnel.mtu
    ok "$1: datagrams and TCP, both ways" passes
    gateway_stop
    watch_stop
    ok "$1: both ends cut, and nothing is larger" none_larger "$2"
    server_stop
    ok "$1: the server finds nothing wrong" not grep -E 'FRAG_IN error|mtu-dynamic|bad packet' "$work/server.log"
    : >"$work/server.log"
}

both() { # NAME SIZE [LINE]...: of both ends
    local name=$1 size=$2
    shift 2
    server_start tls-crypt "fragment $size" 'mssfix 0' "$@"
    profile client.ovpn tls-crypt "fragment $size" 'mssfix 0' "$@"
    cell "$name, fragment $size" "$size"
}

both AES-256-GCM 1300 'data-ciphers AES-256-GCM'
both CHACHA20-POLY1305 500 'data-ciphers CHACHA20-POLY1305'
both 'AES-128-CBC, SHA512' 700 'data-ciphers AES-128-CBC' 'auth SHA512'
both 'comp-lzo yes' 600 'comp-lzo yes' 'allow-compression yes'
both 'comp-lzo no, AES-256-CBC' 1000 'comp-lzo no' 'data-ciphers AES-256-CBC'
both 'compress stub' 900 'compress stub'
both 'compress lz4-v2' 800 'compress lz4-v2' 'allow-compression yes'

# With a static key.
equal=('keepalive 1 4' 'cipher AES-256-CBC' 'auth SHA1' 'fragment 600' 'mssfix 0')
printf '%s\n' 'dev tun0' 'setenv opt disable-dco' 'setenv opt allow-deprecated-insecure-static-crypto' 'verb 4' \
    'ifconfig 10.8.0.1 10.8.0.2' "${listen[@]}" 'port 1195' "secret $work/static.key" "${equal[@]}" \
    >"$work/server.conf"
{
    printf '%s\n' 'dev tun' 'proto udp4' "remote $server_address 1195" nobind 'ifconfig 10.8.0.2 10.8.0.1' \
        'redirect-gateway def1' "dhcp-option DNS $resolver_address" "${equal[@]}"
    inline secret static.key
} >"$work/client.ovpn"
spawn "$work/server.log" "$internet" openvpn --config "$work/server.conf"
server_pid=$spawned
data='udp'
cell 'static key' 600

# One end alone has it.
server_start tls-crypt 'fragment 1300'
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "the server alone has it: said by the gateway" \
    wait_for 10 grep "$server_address:$server_port/udp has .fragment., the profile has not" "$work/gateway.log"
gateway_stop
server_stop
server_start tls-crypt
profile client.ovpn tls-crypt 'fragment 1300'
gateway_start client.ovpn
ok "the profile alone has it: said by the gateway" \
    wait_for 10 grep "the profile has .fragment., $server_address:$server_port/udp has not" "$work/gateway.log"
finish
