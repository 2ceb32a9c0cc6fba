#!/bin/bash
# Leaks of the past that stay inside of the tunnel, or of the gateway's VM, where leaks.t does not look: a flow that goes
# on when its rule is gone, a forbidden one that gets through while rules are rebuilt, pings and questions about names that
# no rule limits, and qubes that reach each other. Each twice, as there: with the gateway nothing is seen; with openvpn and
# the kernel in its place, and what was forgotten then, it is.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
# shellcheck source=tests/system/dom0.sh
. "$system/dom0.sh"
start 180
profile client.ovpn tls-crypt
server_start tls-crypt

second=$prefix-second
second_address=10.137.0.11
ip netns add "$second"
ip -n "$second" link set lo up

# --- The gateway, and what stands in for it ---------------------------------------------------------------------------

begin_gateway() {
    qubesdb_start
    set_rules action=accept
    gateway_of_dom0 --profile "$work/client.ovpn" --downstream "tap:qube1,ip=$second_address"
    wait_for 5 ip -n "$gateway" link show qube1
    ip -n "$gateway" link set qube1 netns "$second" name eth0
    second_configure
}
begin_openvpn() {
    classic_start client.ovpn
    ip link add vif2 netns "$gateway" address fe:ff:ff:ff:ff:ff type veth peer name eth0 netns "$second"
    ip -n "$gateway" link set vif2 up
    ip -n "$gateway" route add $second_address/32 dev vif2
    second_configure
    in_gateway nft -f - <<-END
	table ip guard {
	    chain forward {
	        type filter hook forward priority filter
	        iifname vif oifname != { tun0, vif2 } drop
	        ct state established accept
	        ip saddr $qube_address jump rules
	    }
	    chain rules {
	        accept
	    }
	}
	END
}
second_configure() { qube=$second qube_address=$second_address qube_configure; }
end_gateway() {
    gateway_stop
    qubesdb_kill
}
end_openvpn() {
    gateway_stop
    in_gateway nft delete table ip guard
    ip -n "$gateway" link del vif2
}

rules_in_force() { # RULE...
    local before
    before=$(times_handled)
    set_rules "$@"
    wait_for 5 handled_more_than "$before"
}
# A flow's packets on their way arrive before the answer to a later question.
forbid_gateway() { rules_in_force "action=drop dst4=$web_address/32" action=accept && wait_for 5 answered; }
answered() { in_qube timeout 5 busybox nslookup -type=a $site 10.139.1.1; }
# Open connections stay open: nobody clears the kernel's table of them.
forbid_openvpn() { in_gateway nft "flush chain ip guard rules; add rule ip guard rules ip daddr $web_address drop"; }

# dom0 writes the same rules again, ten times over.
rebuild_gateway() {
    local before
    before=$(times_handled)
    for _ in 1 2 3 4 5 6 7 8 9 10; do set_rules "action=drop dst4=$web_address/32" action=accept; done
    wait_for 5 handled_more_than "$before"
    sleep 0.5
}
# First the old rules go, then the new ones come.
rebuild_openvpn() {
    in_gateway nft flush chain ip guard rules
    sleep 0.5
    in_gateway nft add rule ip guard rules ip daddr $web_address drop
}

allow_all_gateway() { rules_in_force action=accept; }
allow_all_openvpn() { in_gateway nft flush chain ip guard rules; }
# A person forbids everything.
forbid_all_gateway() { rules_in_force; }
# It looked like that, and meant TCP and UDP but for names.
forbid_all_openvpn() {
    in_gateway nft "flush chain ip guard rules; add rule ip guard rules ip protocol icmp accept;
        add rule ip guard rules udp dport 53 accept; add rule ip guard rules drop"
}

# --- What is seen -----------------------------------------------------------------------------------------------------

# How many packets that match pass an interface while a command runs.
seen() { # NAMESPACE INTERFACE FILTER COMMAND...
    rm -f "$work/seen.log"
    spawn "$work/seen.log" "$1" tcpdump -i "$2" -n -Z root --immediate-mode -U -w "$work/seen.pcap" "$3"
    local watcher=$spawned
    wait_for 10 grep -q 'listening on' "$work/seen.log"
    "${@:4}" >/dev/null 2>&1 || true
    tcpdump_end "$watcher" "$work/seen.log"
    tcpdump -n -Z root -r "$work/seen.pcap" 2>/dev/null | wc -l
}
at_the_web() { seen "$internet" tun0 "udp and dst host $web_address" "$@"; }
at_the_tunnels_end() { seen "$internet" tun0 "(icmp[0] = 8 or port 53) and src net 10.8.0.0/24" "$@"; }
at_the_second() { seen "$second" eth0 "host $qube_address" "$@"; }
more_than() { # NUMBER COMMAND...
    local count
    count=$("${@:2}")
    echo "$count packets"
    [ "$count" -gt "$1" ]
}

# One flow of a datagram each 50 ms, whatever is said to it.
flow_begins() {
    spawn "$work/flow.log" "$qube" perl -MSocket -e '
        socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
        connect($s, pack_sockaddr_in(7, inet_aton(shift))) or die;
        send($s, "x", 0), select(undef, undef, undef, 0.05) for 1 .. 2000' $web_address
    flow=$spawned
}

visit() {
    in_qube busybox ping -c 2 -i 0.2 -W 1 $second_address
    in_qube curl -s --max-time 1 "http://$second_address/"
    in_qube perl "$system/udp" ask $second_address 7 1 10
}

ask_and_ping() {
    in_qube busybox ping -c 2 -i 0.2 -W 1 $web_address
    in_qube timeout 2 busybox nslookup -type=a $site 10.139.1.1
}

spawn "$work/second-web.log" "$second" busybox httpd -f -p 80 -h "$work/www"
for client in gateway openvpn; do
    begin_$client
    ok "$client: up" wait_for 15 gateway_up
    flow_begins
    ok "$client: a flow that is allowed" wait_for 5 more_than 0 at_the_web sleep 0.5
    ok "$client: its rule goes" forbid_$client
    if [ $client = gateway ]; then
        is "stale flow: nothing of it is seen any more" 0 at_the_web sleep 1.5
        is "inter-qube: nothing of one is seen at the other" 0 at_the_second visit
    else
        ok "stale flow: planted, it is found" more_than 0 at_the_web sleep 1.5
        ok "inter-qube: planted, it is found" more_than 0 at_the_second visit
    fi
    end_process TERM "$flow"
    wait_for 5 answered
    flow_begins
    is "$client: another flow is forbidden" 0 at_the_web sleep 0.5
    if [ $client = gateway ]; then
        is "rebuild: nothing gets through while rules are written anew" 0 at_the_web rebuild_gateway
    else
        ok "rebuild: planted, it is found" more_than 0 at_the_web rebuild_openvpn
    fi
    end_process TERM "$flow"
    ok "$client: everything is allowed" allow_all_$client
    ok "$client: pings and names pass" wait_for 10 more_than 2 at_the_tunnels_end ask_and_ping
    ok "$client: everything is forbidden" forbid_all_$client
    if [ $client = gateway ]; then
        is "pings and names: nothing of them is seen" 0 at_the_tunnels_end ask_and_ping
    else
        ok "pings and names: planted, it is found" wait_for 10 more_than 2 at_the_tunnels_end ask_and_ping
    fi
    end_$client
done
client=gateway
finish
