#!/bin/bash
# A bad path: one datagram of five is lost, each way, many come late and some twice. The tunnel comes up all the same, a
# file comes through whole, keys are changed meanwhile, and nothing gets to the qube twice.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 150
relay_port=1195
remotes=('proto udp4' "remote $server_address $relay_port")
flows=("udp/$gateway_address/$server_address/$relay_port")
web_file file 60K
openvpn --genkey tls-crypt-v2-server "$work/v2-server.key"
openvpn --tls-crypt-v2 "$work/v2-server.key" --genkey tls-crypt-v2-client "$work/v2-client.key"

relay_start() { # SEED LOSS DOUBLES LATE DELAY
    : >"$work/relay.log"
    spawn "$work/relay.log" "$internet" "$build/tests/system/relay" $server_address $relay_port $server_port "$@"
    relay_pid=$spawned
    wait_for 5 grep -q ready "$work/relay.log"
}
relay_stop() {
    end_process TERM "$relay_pid"
    tail -n 1 "$work/relay.log"
}
negotiated() { [ "$(gateway_field negotiations)" -gt "$1" ]; }

none_twice() {
    in_qube timeout 300 perl "$system/udp" train $web_address 7 300 1000 200 0.5 | tee "$work/train"
    grep -q ' 0 twice' "$work/train"
}

# The profile is there.
bad_path() { # NAME SEED [SERVER-LINE]...
    local name=$1 seed=$2 began
    shift 2
    relay_start "$seed" 20 5 20 40
    # Over such a path some of the server's own patience is needed.
    server_start none 'keepalive 2 60' "$@"
    began=$(milliseconds)
    gateway_start client.ovpn -v
    ok "$name: up" wait_for 30 gateway_up
    echo "# $name: up after $(($(milliseconds) - began)) ms"
    is "$name: a file" "$(checksum file)" file_down file
    ok "$name: new keys" wait_for 30 negotiated 1
    # The path loses datagrams; only we could send one twice.
    ok "$name: no datagram comes twice" none_twice
    ok "$name: the same tunnel" prints 0 gateway_field reconnects
    gateway_stop
    server_stop
    echo "# $name: $(relay_stop)"
}
profile client.ovpn tls-crypt 'reneg-sec 0'
bad_path "the server renegotiates" 3 "tls-crypt $work/tls-crypt.key" 'reneg-sec 2'
profile client.ovpn none 'reneg-sec 2'
inline tls-crypt-v2 v2-client.key >>"$work/client.ovpn"
bad_path "the client renegotiates, tls-crypt-v2 with a forced cookie" 4 "tls-crypt-v2 $work/v2-server.key force-cookie" \
    'reneg-sec 0'

# Otherwise good, but for eight seconds no renegotiation gets through. The keys before it last longer.
relay_start 5 0 0 0 0
profile client.ovpn tls-crypt 'reneg-sec 2' 'hand-window 2' 'tran-window 300'
server_start tls-crypt 'keepalive 1 60' 'reneg-sec 0' 'hand-window 2' 'tran-window 300'
gateway_start client.ovpn -v
ok "no new keys to be had: up" wait_for 10 gateway_up
kill -USR1 "$relay_pid"
is "no new keys to be had: the old ones go on, nothing is lost" '0 lost, 0 twice' \
    in_qube timeout 300 perl "$system/udp" train $web_address 7 1600 1000 200
ok "no new keys to be had: there were none" prints 1 gateway_field negotiations
kill -USR2 "$relay_pid"
ok "no new keys to be had: then there are" wait_for 15 negotiated 1
is "no new keys to be had: and they work" '0 lost, 0 twice' \
    in_qube timeout 300 perl "$system/udp" train $web_address 7 100 1000 200
gateway_stop
server_stop
relay_stop

# Both ends move while they are connected: the server knows the client by its peer-id, the client follows with `float'.
pages() { prints "You came through the tunnel." in_qube curl -s --max-time 60 http://$web_address/; }
moved() { [ "$(gateway_field server.address)" = "$server_address:$((relay_port + 1))" ]; }
relay_start 6 0 0 0 0
flows+=("udp/$gateway_address/$server_address/$((relay_port + 1))")
server_start tls-crypt 'keepalive 1 60' 'verb 4'
profile client.ovpn tls-crypt float
gateway_start client.ovpn -v
ok "moves: up" wait_for 10 gateway_up
kill -HUP "$relay_pid"
ok "the client moves: a page" pages
ok "the client moves: the server has noticed" wait_for 5 server_said 0 'peer 0 .*floated from'
kill -ALRM "$relay_pid"
ok "the server moves: followed" wait_for 3 moved
ok "the server moves: a page" pages
ok "moves: the same tunnel" prints 0 gateway_field reconnects
gateway_stop
server_stop
relay_stop
finish
