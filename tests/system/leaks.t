#!/bin/bash
# The leaks of past VPN qubes, by name (boot race, stop, crash, a kill switch that does not see what is forwarded, tail
# packets, broken profile, second resolver, IPv6, own look-ups, resume). Each twice: with the gateway nothing leaves the
# VM but the VPN; with openvpn and the kernel's forwarding in its place, without a kill switch, the same deeds leak and
# the judge says so.
#
# leaks_inside.t has those that stay inside: flows that stand when their rule goes, rules that are rebuilt, questions
# and pings that no rule limits, qubes that talk to each other. wall.t shows what the wall holds back: the gateway VM's
# own look-ups, of any program. tests/xen/dom0/gateway shows what only Xen can: a NetVM that is not a qube's any more,
# whose card is taken away, or that ends. dom0 has to prevent that a qube has another NetVM than its user believes.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 300
profile client.ovpn tls-crypt
capture_stop
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nwhile echo tick; do sleep 0.1; done\n' >"$work/www/cgi-bin/tick"
chmod 755 "$work/www/cgi-bin/tick"

qube_ipv6=2001:db8:7::10
router_ipv6=fe80::fcff:ffff:feff:ffff

# All kinds of packets that a qube may send, at once.
noise() {
    local address pids=()
    for address in 10.139.1.1 10.139.1.2 $resolver_address; do
        in_qube timeout 2 busybox nslookup -type=a $site $address &
        pids+=($!)
    done
    in_qube timeout 2 busybox ping -c 3 -i 0.3 -W 1 $web_address &
    pids+=($!)
    in_qube curl -s --max-time 2 -o /dev/null http://$web_address/ &
    pids+=($!)
    in_qube timeout 2 perl "$system/udp" ask $web_address 7 10 500 &
    pids+=($!)
    wait "${pids[@]}" || true
} >/dev/null 2>&1 </dev/null
# Under way while something else happens; waits for it.
during_noise() { # COMMAND...
    noise &
    local pid=$!
    sleep 0.3
    "$@"
    wait "$pid" || true
}

judged() { # EXIT COMMAND...
    local code=0 expected=$1
    capture_start
    "${@:2}" || { echo "${*:2}: exit $?"; capture_stop; return 1; }
    capture_stop
    leak_check || code=$?
    [ $code = "$expected" ] || { echo "exit $code instead of $expected"; return 1; }
}

clean_up() {
    gateway_stop
    # A kernel's network card stays behind, ours went with the gateway.
    ip -n "$qube" link del eth0 2>/dev/null || true
    server_stop
    true
}

# NAME is a function that is told whether the stand-in is at work: in "$client".
row() { # DESCRIPTION NAME
    client=gateway
    verdict "$1: nothing leaks" 0 "$2"
    client=openvpn
    verdict "$1: planted, it is found" 1 "$2"
}

# Not in a subshell, which would forget what it started.
verdict() { # DESCRIPTION EXIT COMMAND
    local right=true
    judged "$2" "$3" >"$work/judged" 2>&1 || right=false
    ok "$1" eval 'cat "$work/judged"; '$right
    clean_up >/dev/null 2>&1
}

up() {
    server_start tls-crypt
    gateway_start client.ovpn
    wait_for 15 gateway_up || return
}

boot_race() {
    gateway_start client.ovpn
    noise
    server_start tls-crypt
    noise
    wait_for 15 gateway_up || return
    in_qube curl -s --max-time 60 http://$site/
}

stopped() {
    up
    during_noise end_process TERM "$client_pid"
    noise
}

killed() {
    up
    during_noise end_process KILL "$client_pid"
    noise
    [ "$client" = gateway ] || return 0
    gateway_start client.ovpn
    noise
    wait_for 15 gateway_up || return
}

# The kernel lets nobody of the VM send past the VPN, and the client dies: what is forwarded nobody of the VM sends.
kill_switch() {
    in_gateway nft -f - <<-END
	table ip switch {
	    chain output {
	        type filter hook output priority filter
	        policy drop
	        oifname { lo, tun0 } accept
	        ip daddr $server_address udp dport $server_port accept
	    }
	}
	END
    up
    during_noise end_process KILL "$client_pid"
    noise
    in_gateway nft delete table ip switch
}

# A connection of the qube's that was open when the tunnel went is closed: its last packets.
tail_packets() {
    up
    spawn "$work/page.log" "$qube" curl -sN -o /dev/null http://$web_address/cgi-bin/tick
    local page=$spawned
    wait_for 15 under_way || return
    server_kill
    wait_for 30 tunnel_gone || return
    end_process TERM "$page"
    # Long enough for the end of the connection to be said twice more.
    sleep 1
}
tunnel_gone() {
    if [ "$client" = gateway ]; then not gateway_up; else not ip -n "$gateway" link show tun0; fi
}

# The profile in use is replaced by rubbish, and read again.
broken_profile() {
    cp "$work/client.ovpn" "$work/broken.ovpn"
    server_start tls-crypt
    gateway_start broken.ovpn
    wait_for 15 gateway_up || return
    echo 'remote-cert-tls nonsense' >"$work/broken.ovpn"
    during_noise kill -HUP "$client_pid"
    # The session ends, and there is nothing to begin another with.
    server_kill
    wait_for 30 tunnel_gone || return
    noise
}

# The first resolver is taken care of, as in scripts of old; the others are asked as well.
second_resolver() {
    local address
    up
    if [ "$client" = openvpn ]; then
        in_gateway nft flush chain ip classic resolvers
        ip -n "$gateway" route add 10.139.1.2/32 via $server_address
    fi
    for address in 10.139.1.2 10.139.1.1; do
        if [ "$client" = openvpn ]; then
            in_qube timeout 3 busybox nslookup -type=a $site $address || true
        else
            wait_for 10 in_qube timeout 5 busybox nslookup -type=a $site $address || return
        fi
    done
}

# The tunnel is IPv4, the qube and the way out speak IPv6.
six() {
    outer_ipv6
    up
    ip -n "$qube" address add $qube_ipv6/128 dev eth0 nodad
    ip -n "$qube" neighbour add $router_ipv6 lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent
    ip -n "$qube" route add default via $router_ipv6 dev eth0
    if [ "$client" = openvpn ]; then
        kernel "$gateway" ipv6/conf/all/forwarding 1
        ip -n "$gateway" route add $qube_ipv6/128 dev vif
    fi
    in_qube busybox ping -6 -c 3 -i 0.3 -W 1 $server_ipv6 || true
    in_qube curl -s --max-time 2 "http://[$server_ipv6]/" || true
    noise
    kernel "$gateway" ipv6/conf/all/forwarding 0
}

# The machine sleeps, the server forgets, the qubes wake first.
resume() {
    up
    kill -STOP "$client_pid"
    sleep 6
    # The fate of the tunnel's routes in such cases.
    [ "$client" = gateway ] || ip -n "$gateway" link set tun0 down
    noise
    kill -CONT "$client_pid"
    noise
}

row "boot race" boot_race
row "stop" stopped
row "kill -9, and again" killed
row "a kill switch that does not see what is forwarded" kill_switch
row "tail packets" tail_packets
row "a profile that breaks while it is used" broken_profile
row "the second resolver" second_resolver
row "resume" resume
row "IPv6 past an IPv4 tunnel" six
for name in "$gateway" "$internet"; do kernel "$name" ipv6/conf/all/disable_ipv6 1; done

# The gateway's own look-ups: the server's name, once, to the VM's resolver; with an address none at all.
client=gateway
own_names() {
    server_start tls-crypt
    gateway_start named.ovpn
    wait_for 15 gateway_up || return
    noise
    gateway_stop
    gateway_start named.ovpn
    wait_for 15 gateway_up || return
}
remotes=('proto udp4' "remote vpn.example.net $server_port")
profile named.ovpn tls-crypt
outer_resolver
ip -n "$internet" address add 10.139.1.1/32 dev lo
spawn "$work/server-name.log" "$internet" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
    --bind-interfaces --listen-address=10.139.1.1 --user=root --pid-file= --address=/vpn.example.net/$server_address
echo 'nameserver 10.139.1.1' >"$work/outside.conf"
verdict "own look-ups: a name in the profile is asked for in clear: found" 1 own_names
flows+=("dns/$gateway_address/10.139.1.1/53")
verdict "own look-ups: nothing but that, and to that resolver" 0 own_names
echo "1..$test_number"
[ $test_failed = 0 ] || logs
exit $test_failed
