#!/bin/bash
# Qubes' demands on everything that provides network (core-admin, qubes/tests/integ/network.py and network_ipv6.py),
# test by test under the names it has there, with two qubes and the rules as dom0 writes them; then what kind of NAT it
# is, and a change of the tunnel's addresses.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1

# The second qube has an address of its user's choice.
second=$prefix-second
second_address=192.168.111.10
qube_ipv6=fd09:24ef:4179::a89:a
second_ipv6=fd42:1::77
web_ipv6=2001:db8:80::80
other_web=198.51.100.81
downstream="tap:qube0,ip=$qube_address,ip6=$qube_ipv6"
names=("--address=/six.example.net/$web_ipv6")
start 200

# --- The stage --------------------------------------------------------------------------------------------------------

ip netns add "$second"
ip -n "$second" link set lo up
kernel "$internet" ipv6/conf/default/disable_ipv6 0 # for the tunnel's interface, which is yet to come
kernel "$internet" ipv6/conf/lo/disable_ipv6 0
ip -n "$internet" address add $other_web/32 dev lo
ip -n "$internet" address add $web_ipv6/128 dev lo nodad
spawn "$work/web6.log" "$internet" busybox httpd -f -p "[$web_ipv6]:80" -h "$work/www"
spawn "$work/behaviour.log" "$internet" perl "$system/nat_behaviour" serve $web_address $other_web 3478 3479
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nwhile echo tick; do sleep 0.1; done\n' >"$work/www/cgi-bin/tick"
chmod 755 "$work/www/cgi-bin/tick"

# dom0, which writes into the gateway's QubesDB.
# It ends with what runs in that namespace.
coproc qubesdb { exec ip netns exec "$gateway" "$build/tests/system/qubesdb_daemon" "$work/qubesdb" 2>"$work/qubesdb.log"; }
exec {orders}>&"${qubesdb[1]}" {answers}<&"${qubesdb[0]}"
answer() { read -r -t 60 -u "$answers" said && echo "$said"; }
db() { echo "$*" >&"$orders" && answer; }
wait_for 5 test -S "$work/qubesdb"
answer >/dev/null

handled() { db read "/qubes-firewall-handled/$1" | tr -dc 0-9; }
handled_again() { [ "$(handled "$1")" != "$2" ]; }
rules() { # ADDRESS RULE...: all of them, and the gateway has them when this returns
    local source=$1 before number=0 rule
    before=$(handled "$source")
    shift
    db rm "/qubes-firewall/$source/" >/dev/null
    db write "/qubes-firewall/$source/policy" drop >/dev/null
    for rule in "$@"; do
        db write "/qubes-firewall/$source/$(printf %04d $number)" "$rule" >/dev/null
        number=$((number + 1))
    done
    db write "/qubes-firewall/$source" >/dev/null
    wait_for 5 handled_again "$source" "$before"
}

in_second() { qube=$second in_qube "$@"; }
ping_ip() { in_qube busybox ping -c 1 -W 60 "${1:-$web_address}"; }
no_ping_ip() { not in_qube busybox ping -c 1 -W 1 "${1:-$web_address}"; }
page() { in_qube curl -s --max-time 60 "http://${1:-$web_address}/"; }
name() { in_qube timeout 60 getent ahosts "${1:-$site}"; }
datagram() { [ "$(in_qube perl "$system/udp" ask "${1:-$web_address}" 7 1 10)" = 1 ]; }
# Refused with a word, so that nobody has to wait: by curl's "could not connect". Without a word the kernel goes on asking
# for two minutes.
refused() { # [IN_QUBE] URL
    local runner=in_qube code=0
    [ $# = 1 ] || { runner=$1; shift; }
    "$runner" curl -gs --max-time 60 -o /dev/null "$1" || code=$?
    echo "code $code"
    [ $code = 7 ]
}
drops() { # QUBE REASON: how many
    local count
    count=$(gateway_field "qubes.$1.drops.$2")
    [ "$count" = null ] && echo 0 || echo "$count"
}

server_start tls-crypt 'server-ipv6 fd08:8::/64' 'push "redirect-gateway ipv6"' 'push "route-ipv6 2000::/3"'
profile client.ovpn tls-crypt
gateway_start client.ovpn --qubesdb "$work/qubesdb" --downstream "tap:qube1,ip=$second_address,ip6=$second_ipv6"
wait_for 5 ip -n "$gateway" link show qube1
ip -n "$gateway" link set qube1 netns "$second" name eth0
qube=$second qube_address=$second_address qube_configure
ipv6_configure() { # NAMESPACE ADDRESS
    ip -n "$1" address add "$2/128" dev eth0 nodad
    ip -n "$1" neighbour replace fe80::fcff:ffff:feff:ffff lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent
    ip -n "$1" route add default via fe80::fcff:ffff:feff:ffff dev eth0 onlink
}
ipv6_configure "$qube" $qube_ipv6
ipv6_configure "$second" $second_ipv6
ok "up" wait_for 10 gateway_up

# --- IPv4 -------------------------------------------------------------------------------------------------------------

ok "before rules come nothing passes" no_ping_ip
for address in $qube_address $qube_ipv6 $second_address $second_ipv6; do rules $address action=accept; done

ok "simple_proxyvm: ping by address" ping_ip
ok "simple_proxyvm: ping by name" ping_ip $site
is "simple_proxyvm: a page by name" "You came through the tunnel." page $site
hops() { in_qube busybox traceroute -n -q 1 -w 60 -m 2 "$@" $web_address 2>/dev/null | awk '/^ *[12] / { print $2 }'; }
is "traceroute shows the gateway, and what is behind the tunnel" "10.139.1.1
$web_address" hops
is "by ICMP too" "10.139.1.1
$web_address" hops -I
ok "the gateway answers ping" ping_ip 10.139.1.1

rules $qube_address action=drop
ok "firewallvm_firewall: all is blocked: ping" no_ping_ip
ok "firewallvm_firewall: all is blocked: names" not name
ok "firewallvm_firewall: all is blocked: TCP, with a word" refused "http://$web_address/"
rules $qube_address 'action=accept proto=icmp'
ok "firewallvm_firewall: only ICMP: ping" ping_ip
ok "firewallvm_firewall: only ICMP: no names" not name
ok "firewallvm_firewall: only ICMP: no TCP" refused "http://$web_address/"
rules $qube_address 'action=accept proto=icmp icmptype=3'
ok "firewallvm_firewall: another ICMP type is another" no_ping_ip
rules $qube_address 'action=accept specialtarget=dns'
ok "firewallvm_firewall: only DNS: names" name
ok "firewallvm_firewall: only DNS: no ping" no_ping_ip
ok "firewallvm_firewall: only DNS: no UDP" not datagram
rules $qube_address "action=accept dst4=$web_address/32 proto=tcp dstports=80-80"
is "firewallvm_firewall: all but the target is blocked: the target" "You came through the tunnel." page
ok "firewallvm_firewall: all but the target is blocked: another" refused "http://$other_web/"
ok "firewallvm_firewall: all but the target is blocked: another port" refused "http://$web_address:81/"
ok "firewallvm_firewall: all but the target is blocked: another protocol" not datagram
rules $qube_address "action=drop dst4=$web_address/32 proto=tcp dstports=80-80" action=accept
ok "firewallvm_firewall: only the target is blocked: the target" refused "http://$web_address/"
ok "firewallvm_firewall: only the target is blocked: its other services" datagram
ok "firewallvm_firewall: only the target is blocked: ping" ping_ip
rules $qube_address "action=accept dsthost=$site proto=tcp dstports=80-80" 'action=accept specialtarget=dns'
ok "firewallvm_firewall: a host's name in a rule" wait_for 5 page $site
ok "firewallvm_firewall: a host's name in a rule: no other host" refused "http://$other_web/"
rules $qube_address 'action=accept proto=tcp dstport=80'
ok "firewallvm_firewall: a rule with a mistake blocks all" refused "http://$web_address/"
bad_rules_named() { gateway_status | grep -q 'dstport'; }
ok "firewallvm_firewall: and is named" bad_rules_named
is "firewallvm_firewall: the other qube has its own rules" "You came through the tunnel." \
    in_second curl -s --max-time 60 http://$site/

rules $qube_address action=accept
ticks() { # RUNNER FILE: counts for ever, in the background
    "$1" sh -c 'curl -sN -o "$1" http://'$web_address'/cgi-bin/tick; echo $? >"$1.code"' sh "$work/$2" >/dev/null 2>&1 </dev/null &
    disown
    wait_for 5 test -s "$work/$2"
}
size() { stat -c %s "$work/$1"; }
larger() { [ "$(size "$1")" -gt "$2" ]; }
grows() { wait_for 5 larger "$1" "$(size "$1")"; } # FILE
stands_still() { # FILE
    local before
    before=$(size "$1")
    sleep 0.7
    not larger "$1" "$before"
}
ticks in_qube blocked
ok "firewall_dynamic_block: a connection stands" grows blocked
rules $qube_address "action=drop dst4=$web_address/32" action=accept
ok "firewall_dynamic_block: it ends with the rule" wait_for 5 stands_still blocked
rules $qube_address action=accept
ok "firewall_dynamic_block: and is not back with the next" stands_still blocked
is "firewall_dynamic_block: new ones are" "You came through the tunnel." page

spawn "$work/second-web.log" "$second" busybox httpd -f -p 80 -h "$work/www"
ok "inter_vm: no ping from one to the other" no_ping_ip $second_address
ok "inter_vm: nor back" not in_second busybox ping -c 1 -W 1 $qube_address
ok "inter_vm: TCP is refused with a word" refused "http://$second_address/"
ok "inter_vm: IPv6 too" refused "http://[$second_ipv6]/"
ok "inter_vm: counted" test "$(drops 0 QUBE_TO_QUBE)" -ge 3

spoofed_before=$(drops 0 SPOOFED)
ip -n "$qube" address add $second_address/32 dev eth0
ok "spoof_ip: the other qube's address gets nothing" not in_qube busybox ping -c 2 -W 1 -I $second_address $web_address
ip -n "$qube" address del $second_address/32 dev eth0
ok "spoof_ip: counted, each, and nothing else" wait_for 5 prints $((spoofed_before + 2)) drops 0 SPOOFED
is "spoof_ip: what qubes say to their links by themselves was not" 0 echo "$spoofed_before"
ok "spoof_ip: that has a reason of its own" test "$(drops 0 LINK_LOCAL)" -ge 1
ok "spoof_ip: the qube itself is still served" ping_ip

ok "custom_ip_simple: ping" in_second busybox ping -c 1 -W 60 $web_address
is "custom_ip_simple: a page by name" "You came through the tunnel." in_second curl -s --max-time 60 http://$site/
rules $second_address "action=accept dst4=$web_address/32" 'action=accept specialtarget=dns'
is "custom_ip_firewall: its rules go by it: allowed" "You came through the tunnel." \
    in_second curl -s --max-time 60 http://$site/
ok "custom_ip_firewall: its rules go by it: not allowed" refused in_second "http://$other_web/"
rules $second_address action=accept

# The second qube is shown an address that it does not have (net.fake-ip), and a gateway that is none.
fake=192.168.1.128
fake_router=192.168.1.1
shows() { # VISIBLE GATEWAY: the qube takes them, and the gateway knows; an empty gateway is the real one
    is_shown() { [ "$(gateway_field qubes.1.visible_ipv4)" = "$1" ]; }
    db rm "/mapped-ip/$second_address/" >/dev/null
    [ "$1" = $second_address ] || db write "/mapped-ip/$second_address/visible-ip" "$1" >/dev/null
    [ -z "$2" ] || db write "/mapped-ip/$second_address/visible-gateway" "$2" >/dev/null
    ip -n "$second" neighbour replace "${2:-$qube_router}" lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent
    ip -n "$second" -4 address flush dev eth0
    ip -n "$second" address add "$1/32" dev eth0
    ip -n "$second" route replace default via "${2:-$qube_router}" dev eth0 onlink
    wait_for 5 is_shown "$1"
}
first_hop() { in_second busybox traceroute -n -m 1 -q 1 -w 60 $web_address 2>/dev/null | awk '/^ *1 / { print $2 }'; }
ok "fake_ip_simple: the qube is shown $fake" shows $fake $fake_router
ok "fake_ip_simple: ping" in_second busybox ping -c 1 -W 60 $web_address
is "fake_ip_simple: a page by name" "You came through the tunnel." in_second curl -s --max-time 60 http://$site/
ok "fake_ip_simple: the gateway that it knows answers" in_second busybox ping -c 1 -W 60 $fake_router
is "fake_ip_simple: and is the first hop" $fake_router first_hop
ok "fake_ip_simple: its real address is none" not in_second busybox ping -c 1 -W 1 $second_address
ok "fake_ip_simple: IPv6 would show more, and is refused with a word" refused in_second "http://[$web_ipv6]/"
rules $second_address "action=accept dst4=$web_address/32" 'action=accept specialtarget=dns'
is "fake_ip_firewall: its rules go by the real one: allowed" "You came through the tunnel." \
    in_second curl -s --max-time 60 http://$site/
ok "fake_ip_firewall: its rules go by the real one: not allowed" refused in_second "http://$other_web/"
rules $second_address action=accept
ok "fake_ip_inter_vm: no ping to it" no_ping_ip $second_address
ok "fake_ip_inter_vm: nor by what it is shown" no_ping_ip $fake
ok "fake_ip_inter_vm: nor from it" not in_second busybox ping -c 1 -W 1 $qube_address
ok "fake_ip_without_gw: the qube is shown $fake" shows $fake ''
is "fake_ip_without_gw: a page by name" "You came through the tunnel." in_second curl -s --max-time 60 http://$site/
ok "and sees its real address again" shows $second_address ''
is "with which it is served" "You came through the tunnel." in_second curl -s --max-time 60 http://$site/

# --- IPv6 -------------------------------------------------------------------------------------------------------------

ok "ipv6 simple_proxyvm: ping by address" in_qube busybox ping -6 -c 1 -W 60 $web_ipv6
is "ipv6 simple_proxyvm: a page by name" "You came through the tunnel." page six.example.net
rules $qube_ipv6 action=drop
ok "ipv6 firewallvm_firewall: all is blocked" refused "http://[$web_ipv6]/"
is "ipv6 firewallvm_firewall: IPv4 has rules of its own" "You came through the tunnel." page
rules $qube_ipv6 "action=accept dst6=$web_ipv6/128 proto=tcp dstports=80-80"
is "ipv6 firewallvm_firewall: all but the target is blocked: the target" "You came through the tunnel." \
    page six.example.net
ok "ipv6 firewallvm_firewall: all but the target is blocked: ping" not in_qube busybox ping -6 -c 1 -W 1 $web_ipv6
rules $qube_ipv6 'action=accept proto=icmp'
ok "ipv6 firewallvm_firewall: only ICMP: ping" in_qube busybox ping -6 -c 1 -W 60 $web_ipv6
ok "ipv6 firewallvm_firewall: only ICMP: no TCP" refused "http://[$web_ipv6]/"
rules $qube_ipv6 action=accept
spoofed_before=$(drops 0 SPOOFED)
ip -n "$qube" address add $second_ipv6/128 dev eth0 nodad
ok "ipv6 spoof_ip: the other qube's address gets nothing" \
    not in_qube busybox ping -6 -c 2 -W 1 -I $second_ipv6 $web_ipv6
ip -n "$qube" address del $second_ipv6/128 dev eth0
ok "ipv6 spoof_ip: counted, each, and nothing else" wait_for 5 prints $((spoofed_before + 2)) drops 0 SPOOFED
is "ipv6 custom_ip_simple: a page by name" "You came through the tunnel." \
    in_second curl -s --max-time 60 http://six.example.net/

# --- NAT --------------------------------------------------------------------------------------------------------------

is "the NAT's behaviour, measured as RFC 5780 says" "mapping: endpoint-independent
port: kept
filtering: address-and-port-dependent
permission: by sending
hairpin: refused" in_qube timeout 300 perl "$system/nat_behaviour" measure $web_address $other_web 3478 3479

ticks in_second neighbour
flood() { # 65 536 flows
    in_qube perl -MSocket -e '
        for my $local (1 .. 4) {
            socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die;
            send($socket, "x", 0, pack_sockaddr_in(10000 + $_, inet_aton($ARGV[0]))) for 1 .. 16384;
        }' $other_web
}
share() { # of a table of 65 536
    local flows
    flows=$(gateway_field qubes.0.flows)
    echo "$flows flows"
    [ "$flows" -ge 4000 ] && [ "$flows" -le 32768 ]
}
# The qube's kernel drops packets that a busy gateway does not fetch in time.
flooded() { flood && share; }
ok "65 536 new flows of one qube at once" wait_for 10 flooded
ok "fill only its own share" share
ok "and leave the other's connection alone" grows neighbour
ok "which opens new ones, too" in_second curl -s --max-time 60 -o /dev/null http://$site/

# --- Another address --------------------------------------------------------------------------------------------------

server_kill
sed -i -e 's/10\.8\.0\.0/10.9.0.0/' -e '/ipv6/d' "$work/server.conf"
server_return
new_address() { gateway_field tunnel.ipv4 | grep -q '^10\.9\.'; }
ok "the server is back and grants another address" wait_for 15 new_address
was_reset() { [ "$(cat "$work/neighbour.code")" = 56 ]; }
ok "a connection through the old one is reset, though it only listens" wait_for 10 was_reset
is "a new one passes" "You came through the tunnel." page
ok "without IPv6 in the tunnel it is refused with a word" refused "http://[$web_ipv6]/"
ok "and counted" test "$(drops 0 NO_IPV6)" -ge 1
finish
