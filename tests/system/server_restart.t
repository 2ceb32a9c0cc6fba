#!/bin/bash
# The server dies and comes back while a file is on its way: the connection lives on, and the file is whole.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 90
web_file big 100M
profile client.ovpn tls-crypt
server_start tls-crypt 'explicit-exit-notify 1'
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up

download() { in_qube curl -sS --max-time 600 --limit-rate 25M http://$web_address/big | sha256sum >"$work/download"; }
downloaded() { [ -s "$work/download" ]; }

restart() { # VERB: how the server goes
    rm -f "$work/download"
    download 2>/dev/null &
    disown
    ok "$1: a file is on its way" wait_for 10 under_way
    "$1"
    ok "$1: noticed while the file is on its way" wait_for 15 not gateway_up
    ok "$1: the file is not there yet" not downloaded
    server_return
    ok "$1: up again" wait_for 15 gateway_up
    ok "$1: the file arrives" wait_for 40 downloaded
    is "$1: and is whole" "$(checksum big)" cut -d ' ' -f 1 "$work/download"
}
# Without a word, and with a word of farewell.
restart server_kill
restart server_stop

# It comes back and gives the gateway another address: a connection cannot live on, and is told so at once.
listener() {
    local code=0
    in_qube curl -s --max-time 600 --limit-rate 100K -o /dev/null http://$web_address/big || code=$?
    echo $code >"$work/listener"
}
listener 2>/dev/null &
disown
ok "another address: somebody listens" wait_for 10 under_way
server_kill
ok "another address: down" wait_for 15 not gateway_up
sed -i 's/10\.8\.0\.0/10.9.0.0/' "$work/server.conf"
server_return
ok "another address: up again" wait_for 15 gateway_up
is "another address: which is" '10.9.0.2/24' gateway_field tunnel.ipv4
was_reset() { [ "$(cat "$work/listener")" = 56 ]; }
ok "another address: what only listened is reset" wait_for 10 was_reset
is "another address: a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
finish
