#!/bin/bash
# A server whose certificate does not verify: one line that a person understands, closed, and tried again.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 90
authority stranger
certificate impostor authority clientAuth
server_start tls-crypt

# Each try has a socket of its own, and begins with a reset.
tries() {
    kill -USR2 "$capture_pid" # writes out what it has
    sleep 0.1
    tcpdump -n -Z root -r "$work/outer.pcap" "src host $gateway_address and udp[8] = 0x38" 2>/dev/null |
        awk '{ print $3 }' | sort -u | wc -l
}
tried_again() { [ "$(tries)" -ge $((tries_before + 2)) ]; }
# Between two tries there is one line, and it is the one.
said() { # PATTERN
    tail -n "+$((log_before + 1))" "$work/gateway.log" | grep -v 'MAC is' | grep -A 1 'connecting to' |
        sed '/^--$/d' | tee "$work/said"
    [ "$(grep -cE -- "$1" "$work/said")" -ge 2 ] && [ "$(grep -c 'connecting to' "$work/said")" -ge 2 ] &&
        [ "$(grep -cvE -- "$1|connecting to" "$work/said")" = 0 ]
}
why() { gateway_field last_error | tee "$work/why" && grep -E -- "$1" "$work/why"; }

turned_away() { # NAME PATTERN
    log_before=$(wc -l <"$work/gateway.log")
    tries_before=$(tries)
    gateway_start client.ovpn
    ok "$1: tried, and tried again" wait_for 20 tried_again
    ok "$1: one line about it for each try" wait_for 5 said "$2"
    ok "$1: status says why" wait_for 5 why "$2"
    ok "$1: closed" not gateway_up
    ok "$1: nothing passes" not in_qube curl -s --max-time 3 -o /dev/null http://$web_address/
    gateway_stop
}

profile_authority=stranger profile client.ovpn tls-crypt
turned_away "another authority" 'certificate comes from an authority that the profile does not trust: "CN=authority"'

profile client.ovpn tls-crypt
sed -i 's/^verify-x509-name .*/verify-x509-name other.example.net name/' "$work/client.ovpn"
turned_away "another name" 'name is "server.example.net", the profile wants "other.example.net"'

with_list() { # FILE
    profile client.ovpn tls-crypt
    { echo '<crl-verify>' && cat "$work/$1" && echo '</crl-verify>'; } >>"$work/client.ovpn"
}
revocations revoked.crl server.example.net.crt
with_list revoked.crl
turned_away "a revoked certificate" 'revoked'

revocations empty.crl
with_list empty.crl
gateway_start client.ovpn
ok "a list without the server on it: up" wait_for 10 gateway_up
gateway_stop

profile client.ovpn tls-crypt
sed -i '/^verify-x509-name/d' "$work/client.ovpn"
server_stop
sed -i "s|server.example.net|impostor|" "$work/server.conf"
server_return
turned_away "a client posing as the server" 'certificate is not one of a TLS server'
finish
