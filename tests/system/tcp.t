#!/bin/bash
# The VPN over TCP: as fast and as whole as over UDP, and back again after the server was gone.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 150
web_file big 100M
remotes=('proto tcp4-client' "remote $server_address $server_port")
listen=('proto tcp4-server' "local $server_address")
flows=("tcp/$gateway_address/$server_address/$server_port")
answers() { in_qube timeout 300 perl "$system/udp" ask $web_address 7 200 1472; }
parallel() {
    local turn parts=()
    for turn in 1 2 3 4 5 6; do
        in_qube curl -sS --max-time 600 -r "0-$((turn * 1000000 - 1))" http://$web_address/big | wc -c >"$work/part$turn" &
        parts+=($!)
    done
    wait "${parts[@]}"
    cat "$work"/part? | paste -sd +
}

for version in 1.3 1.2; do
    wrap=tls-crypt
    [ $version = 1.3 ] || wrap=none
    profile client.ovpn $wrap
    : >"$work/server.log"
    server_start $wrap "tls-version-max $version" 'verb 4'
    gateway_start client.ovpn
    ok "TLS $version, $wrap: up" wait_for 10 gateway_up
    is "TLS $version, $wrap: status knows the transport" tcp gateway_field server.protocol
    is "TLS $version, $wrap: 100 MB down" "$(checksum big)" file_down big $site
    is "TLS $version, $wrap: 100 MB up" "$(checksum big)" file_up big $site
    is "TLS $version, $wrap: 200 datagrams of all sizes come back" 200 answers
    is "TLS $version, $wrap: six connections at once" "$(seq 1000000 1000000 6000000 | paste -sd +)" parallel
    # The two ends must agree on what fits into a segment: 1492 - 42 outside - 24 - 40.
    ok "TLS $version, $wrap: the server counts the overhead as we do" grep -q 'mss_fix:1386' "$work/server.log"
    ok "TLS $version, $wrap: the options agree" not grep -q 'used inconsistently' "$work/server.log"
    gateway_stop
    server_stop
done

# Nothing but the end of its connection tells it of the server's.
profile client.ovpn tls-crypt
server_start tls-crypt 'keepalive 60 300'
gateway_start client.ovpn
ok "up once more" wait_for 10 gateway_up

slowly() { in_qube curl -sS --max-time 600 --limit-rate 25M http://$web_address/big | sha256sum >"$work/download"; }
downloaded() { [ -s "$work/download" ]; }
restart() { # VERB: how the server goes
    rm -f "$work/download"
    slowly 2>/dev/null &
    disown
    ok "$1: a file is on its way" wait_for 10 under_way
    "$1"
    ok "$1: noticed" wait_for 3 not gateway_up
    ok "$1: a refused connection is said" wait_for 5 refused
    ok "$1: the file is not there yet" not downloaded
    server_return
    ok "$1: up again" wait_for 15 gateway_up
    ok "$1: the file arrives" wait_for 40 downloaded
    is "$1: and is whole" "$(checksum big)" cut -d ' ' -f 1 "$work/download"
}
refused() { gateway_field last_error | grep 'tcp: Connection refused'; }
restart server_kill
restart server_stop
server_stop
wait_for 10 not gateway_up
server_start tls-crypt
ok "up with pings each second" wait_for 15 gateway_up

# Nobody answers, not even with a refusal: the connection's own keepalive has to find out.
silence() { in_internet nft "add table inet silence; add chain inet silence in { type filter hook input priority 0; }
    add rule inet silence in tcp dport $server_port drop"; }
silence
ok "silence is noticed" wait_for 15 not gateway_up
in_internet nft delete table inet silence
ok "and its end as well" wait_for 30 gateway_up
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
finish
