#!/bin/bash
# `fragment' the other way round: Debian's openvpn as the client of our server. Each end joins the other's pieces, and
# where one end alone has the directive the server follows the client.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 240
server=gateway
client=openvpn
kill_switch=true
listen=("local $server_address $server_port udp" "local $server_address $server_port tcp")
flows=("udp/$gateway_address/$server_address/$server_port" "tcp/$gateway_address/$server_address/$server_port")
# shellcheck source=tests/system/fragment.sh
. "$system/fragment.sh"

client_finds_nothing() {
    not grep -E 'FRAG_IN error|mtu-dynamic|bad packet' "$work/gateway.log"
}

both() { # NAME SIZE [LINE]...: of both ends
    local name="$1, fragment $2" size=$2
    shift 2
    : >"$work/gateway.log"
    server_start tls-crypt "fragment $size" 'mssfix 0' "$@"
    profile client.ovpn tls-crypt "fragment $size" 'mssfix 0' "$@"
    watch
    gateway_start client.ovpn
    ok "$name: up" wait_for 10 gateway_up
    ok "$name: datagrams and TCP, both ways" passes
    is "$name: the server drops nothing" null server_status drops.DATA_FRAGMENT
    gateway_stop
    watch_stop
    ok "$name: both ends cut, and nothing is larger" none_larger "$size"
    ok "$name: the client finds nothing wrong" client_finds_nothing
    server_stop
}

both AES-256-GCM 1300 'data-ciphers AES-256-GCM'
both 'AES-128-CBC, SHA512' 700 'data-ciphers AES-128-CBC' 'auth SHA512'
both 'comp-lzo yes' 600 'comp-lzo yes' 'allow-compression yes'
both 'compress' 900 'compress stub'

one() { # NAME WORDS SERVER-LINE [CLIENT-LINE]...
    local name=$1 words=$2 line=$3
    shift 3
    : >"$work/gateway.log"
    server_start tls-crypt "$line"
    profile client.ovpn tls-crypt "$@"
    gateway_start client.ovpn
    ok "$name: up" wait_for 10 gateway_up
    ok "$name: datagrams and TCP, both ways" passes
    ok "$name: said by the server" grep "$words" "$work/server.log"
    ok "$name: the client finds nothing wrong" client_finds_nothing
    gateway_stop
    server_stop
}
one 'the client alone' "has .fragment., this configuration has not; the server follows the client" 'verb 3' \
    'fragment 1200' 'mssfix 0'
one 'the server alone' "has no .fragment., this configuration has; the server follows the client" 'fragment 1300'
: >"$work/server.log"
remotes=('proto tcp4' "remote $server_address $server_port")
server_start tls-crypt 'fragment 1300'
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "a client that came by TCP: up" wait_for 10 gateway_up
ok "a client that came by TCP: datagrams and TCP, both ways" passes
ok "a client that came by TCP: nothing is said of it" not grep "fragment" "$work/server.log"
finish
