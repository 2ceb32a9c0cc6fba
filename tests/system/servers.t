#!/bin/bash
# Finding a server: over IPv6, among several remotes, among several addresses of a name.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
dead=198.51.100.66   # takes everything and says nothing
closed=198.51.100.77 # nobody listens there
names=("--host-record=vpn.example.net,$closed" "--host-record=vpn.example.net,$server_address")
start 150
outer_ipv6
ip -n "$internet" address add $dead/32 dev lo
ip -n "$internet" address add $closed/32 dev lo
in_internet nft "add table inet silence; add chain inet silence in { type filter hook input priority 0; }
    add rule inet silence in ip daddr $dead drop"

page() { in_qube curl -s --max-time 60 http://$site/; }

connect() { # PROFILE-LINE...
    remotes=("$@")
    profile client.ovpn tls-crypt
    server_start tls-crypt
    gateway_start client.ovpn
}

arrived() { # NAME SERVER SECONDS
    ok "$1: up" wait_for "$3" gateway_up
    is "$1: at the right place" "$2:$server_port" gateway_field server.address
    is "$1: a page" "You came through the tunnel." page
}

tried_in_vain() { grep -E 'refused|no answer' "$work/gateway.log"; }
anew() { [ "$(gateway_field negotiations)" = 2 ] && gateway_up; }

leave() {
    gateway_stop
    server_stop
}

flows=()
for transport in udp tcp; do
    case $transport in
    udp) from=udp to=udp ;;
    tcp) from=tcp-client to=tcp-server ;;
    esac
    # One capture holds the flows of all parts.
    flows+=("$transport/$gateway_ipv6/$server_ipv6/$server_port")
    for address in $server_address $dead $closed; do flows+=("$transport/$gateway_address/$address/$server_port"); done

    listen=("proto ${to/p/p6}" 'local ::')
    connect "proto $from" "remote $server_ipv6 $server_port"
    arrived "$transport, IPv6" "[$server_ipv6]" 10
    leave

    listen=("proto ${to/p/p4}" "local $server_address")
    connect "proto $from" 'connect-timeout 4' "remote $dead $server_port" "remote $closed $server_port" \
        "remote $server_address $server_port"
    arrived "$transport, two of three are dead" $server_address 20
    leave

    outer_resolver
    : >"$work/gateway.log"
    connect "proto $from" 'connect-timeout 4' "remote vpn.example.net $server_port"
    arrived "$transport, the name's first address is dead" $server_address 20
    ok "$transport, the name's first address is dead: it was tried" tried_in_vain
    # The address that answered is tried first again, and nobody waits for the dead one.
    : >"$work/gateway.log"
    "$program" reconnect --control "$work/control"
    ok "$transport, once more: up" wait_for 10 anew
    ok "$transport, once more: the dead one was not tried" not tried_in_vain
    arrived "$transport, once more" $server_address 2
    leave
    outside=()
done
flows+=("dns/$gateway_address/$resolver_address/53")
only_the_servers_name() {
    local questions
    questions=$(tcpdump -n -r "$work/outer.pcap" "src host $gateway_address and udp port 53" 2>/dev/null)
    grep -q vpn.example.net <<<"$questions" && not grep -v vpn.example.net <<<"$questions"
}
capture_stop
ok "nothing but the server's name was asked for outside" only_the_servers_name
finish
