#!/bin/bash
# Somebody sends a first packet in the name of a client of our server, or that client's own of an earlier session once
# more. Debian's openvpn is a client that believes the answer to be a server that began anew: it keeps its tunnel.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
server=gateway
client=openvpn
kill_switch=true
web_file file 200K
openvpn --genkey tls-auth "$work/tls-auth.key"
client_port=5194

with_fixed_port() { sed -i "s/^nobind$/lport $client_port/" "$work/client.ovpn"; }

# Its first packet is kept: it is what is sent once more while the next session stands.
capture_first() {
    rm -f "$work/first.log" "$work/first.pcap"
    spawn "$work/first.log" "$gateway" tcpdump -i "${capture_at[1]}" -n -Z root --immediate-mode -c 1 -w "$work/first.pcap" \
        "udp src port $client_port and udp dst port $server_port and udp[8] = 0x38"
    wait_for 5 grep -q 'listening on' "$work/first.log"
}
send_first() {
    in_gateway perl "$system/udp" replay "$work/first.pcap"
}
dropped() { # NUMBER
    [ "$(server_status drops.SERVER_IN_USE)" -ge "$1" ]
}
answered_more_than() { [ "$(server_status first_answers)" -gt "$1" ]; }
logins() { [ "$(server_status logins)" -ge "$1" ]; }

for wrap in none tls-auth; do
    own=() theirs=()
    [ $wrap = none ] || { own=('key-direction 0'); theirs=('key-direction 1'); }
    server_start $wrap "${own[@]}" 'keepalive 5 20'
    profile client.ovpn $wrap "${theirs[@]}" 'explicit-exit-notify 1'
    with_fixed_port
    capture_first
    gateway_start client.ovpn
    ok "$wrap: up" wait_for 20 gateway_up
    gateway_stop
    ok "$wrap: the first packet was kept" wait_for 5 grep -q '1 packet captured' "$work/first.log"
    gateway_start client.ovpn
    ok "$wrap: up again" wait_for 20 gateway_up
    ok "$wrap: data" moves file

    # While it is heard nobody answers, and it notices nothing.
    answers=$(server_status first_answers)
    for _ in 1 2 3 4 5; do
        in_qube perl "$system/udp" ask $web_address 7 2 100 >/dev/null && send_first >/dev/null
    done
    ok "$wrap: a first packet where a session is in use is dropped" wait_for 5 dropped 5
    is "$wrap: and not answered" "$answers" server_status first_answers
    ok "$wrap: data goes on" moves file

    # Between two pings nobody can tell. It begins anew, and keeps what it was told to call itself.
    try_until_answered() {
        send_first
        answered_more_than "$answers"
    }
    ok "$wrap: an idle one's is answered" wait_for 30 try_until_answered
    ok "$wrap: the client negotiates once more" wait_for 30 logins 3
    ok "$wrap: data at once" moves file
    ok "$wrap: and after its pings" eval 'sleep 6; moves file'
    is "$wrap: one client" 1 server_status clients_up
    gateway_stop
    server_stop
done
finish
