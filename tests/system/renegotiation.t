#!/bin/bash
# New keys under load by time, bytes and packets, on the server's wish, on the client's, and on both: of a train of
# numbered datagrams none is lost and none comes twice, and a file that is on its way meanwhile arrives whole.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
flows=("udp/$gateway_address/$server_address/$server_port" "tcp/$gateway_address/$server_address/$server_port")
web_file big 12M
openvpn --genkey tls-crypt-v2-server "$work/v2-server.key"
openvpn --tls-crypt-v2 "$work/v2-server.key" --genkey tls-crypt-v2-client "$work/v2-client.key"
# The file comes in bursts; where the server's own queues are short they lose some of it and of the train.
patient=('verb 4' 'txqueuelen 10000' 'tcp-queue-limit 10000' 'keepalive 1 60')

enough() { # NUMBER: of negotiations, since the first
    echo "$(gateway_field negotiations) negotiations"
    [ "$(gateway_field negotiations)" -gt "$1" ]
}
download() {
    in_qube curl -sS --max-time 600 --limit-rate 4M http://$web_address/big | sha256sum | cut -d ' ' -f 1 >"$work/download"
}
downloaded() { [ -s "$work/download" ]; }

# Keys of the first negotiation wrap the later ones, whatever wrapped that (openvpn: tls_crypt.c); with PRF nothing does.
wrapped_anew() {
    tail -n "+$log_before" "$work/server.log" | grep 'Outgoing dynamic tls-crypt: Cipher'
}

load() { # NAME RENEGOTIATIONS
    rm -f "$work/download"
    log_before=$(wc -l <"$work/server.log")
    gateway_start client.ovpn -v
    ok "$1: up" wait_for 10 gateway_up
    download 2>/dev/null &
    disown
    # Four seconds of it.
    is "$1: 2000 datagrams and their answers, none lost, none doubled" "0 lost, 0 twice" \
        in_qube timeout 300 perl "$system/udp" train $web_address 7 2000 1200 500
    ok "$1: the file arrives" wait_for 20 downloaded
    is "$1: and is whole" "$(checksum big)" cat "$work/download"
    # The last may still be under way, or wait for what a queue of the server's lost.
    ok "$1: negotiated at least $2 times more" wait_for 10 enough "$2"
    ok "$1: the same tunnel" prints 0 gateway_field reconnects
    if [ -n "${server_protocol_bits:-}" ]; then
        ok "$1: the later ones are wrapped as the first" not wrapped_anew
    else
        ok "$1: the later ones are wrapped in keys of the first" wrapped_anew
    fi
    gateway_stop
    server_stop
}

# The server's seconds, the client's; 0 is never.
for side in '1 0' '0 1' '1 1'; do
    read -r theirs ours <<<"$side"
    profile client.ovpn tls-crypt "reneg-sec $ours"
    server_start tls-crypt "${patient[@]}" "reneg-sec $theirs"
    load "reneg-sec $theirs at the server, $ours at the client" 3
done

# By bytes and by packets, at the server and at the client, over other wrappings, ciphers and derivations of keys.
profile client.ovpn none 'reneg-sec 0' 'reneg-bytes 3000000' 'data-ciphers AES-256-CBC'
inline tls-crypt-v2 v2-client.key >>"$work/client.ovpn"
server_start none "${patient[@]}" "tls-crypt-v2 $work/v2-server.key force-cookie" 'reneg-sec 0' \
    'data-ciphers AES-256-CBC'
load "reneg-bytes at the client, tls-crypt-v2, AES-256-CBC" 3

server_protocol_bits=2
profile client.ovpn none 'reneg-sec 0' 'reneg-pkts 2000'
server_start none "${patient[@]}" 'reneg-sec 0' 'tls-version-max 1.2'
load "reneg-pkts at the client, TLS 1.2, PRF" 1
server_protocol_bits=

profile client.ovpn tls-crypt 'reneg-sec 0'
server_start tls-crypt "${patient[@]}" 'reneg-sec 0' 'reneg-pkts 2000'
load "reneg-pkts at the server" 1

remotes=('proto tcp4' "remote $server_address $server_port")
listen=('proto tcp4-server' "local $server_address")
profile client.ovpn tls-crypt 'reneg-sec 0'
server_start tls-crypt "${patient[@]}" 'reneg-sec 0' 'reneg-bytes 3000000'
load "reneg-bytes at the server, tcp" 3
finish
