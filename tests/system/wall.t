#!/bin/bash
# The second wall: of the gateway VM only the gateway's user may send, nothing is forwarded, and the gateway refuses to
# start where the wall is not. What it holds back does leak without it.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
profile client.ovpn tls-crypt
server_start tls-crypt

user=4711
# The gateway's user, who has of root only what it takes to make a TAP device.
cp "$program" "$work/vpn-gateway"
chown $user "$work/client.ovpn"
program=$work/vpn-gateway
outside=(setpriv "--reuid=$user" "--regid=$user" --clear-groups "--inh-caps=-all,+net_admin,+dac_override"
    "--ambient-caps=+net_admin,+dac_override")

wall() { in_gateway env "QUBES_SERVICES=$work/services" rpm/wall $user; }
wall_gone() { in_gateway nft delete table inet vpn_gateway; }
# Exit code of a gateway that starts where it should not.
refusal() {
    local code=0
    in_gateway timeout 5 "$program" run --profile "$work/client.ovpn" --downstream "tap:qube0,ip=$qube_address" \
        --qubesdb none --control "$work/control" --require-wall 2>"$work/refusal" || code=$?
    cat "$work/refusal"
    return $((code != 1))
}
as() { in_gateway setpriv "--reuid=$1" "--regid=$1" --clear-groups "${@:2}"; }
page_of() { as "$1" curl -s --max-time 2 -o /dev/null "http://$web_address/"; }
question_of() { as "$1" busybox nslookup -type=a "$site" "$resolver_address"; }
# The verdict about what leaves during a command.
leaks() { # EXIT COMMAND...
    local code=0 expected=$1
    capture_start
    "${@:2}" >/dev/null 2>&1 || true
    capture_stop
    leak_check || code=$?
    [ $code = "$expected" ] || { echo "exit $code instead of $expected"; return 1; }
}
refused_packets() { in_gateway nft list chain inet vpn_gateway "$1" | grep 'counter packets [1-9]'; }

ok "without the wall the gateway refuses to start" refusal
ok "and says where to look" grep -q vpn-gateway-wall "$work/refusal"
ok "the wall is built" wall
kernel "$gateway" ipv4/ip_forward 1
ok "where the kernel forwards, the gateway refuses, too" refusal
ok "the wall is built again in place of the first, and forwarding is off" wall
is "there is one" 1 sh -c "ip netns exec $gateway nft list tables | grep -c vpn_gateway"

gateway_start client.ovpn --require-wall
ok "up, as a user of its own" wait_for 10 gateway_up
is "which it is" $user stat -c %u "$work/control"
is "a page through the tunnel" "You came through the tunnel." in_qube curl -s --max-time 10 http://$site/
for other in 0 65534; do
    ok "no page for user $other of the gateway VM" not page_of $other
    ok "no name for user $other" not question_of $other
done
ok "what was refused is counted" refused_packets output
finish_wall() {
    gateway_stop
    capture_stop
    leak_check
}
ok "the outer link carried only the VPN" finish_wall

# Forwarding, switched on by whoever: a packet from outside to somewhere else.
ip -n "$internet" route add 10.99.0.0/16 via $gateway_address
forwarded() {
    kernel "$gateway" ipv4/ip_forward 1
    spawn "$work/inner.log" "$gateway" tcpdump -i uplink -n -Z root -Q out --immediate-mode -U -w "$work/forwarded.pcap" \
        dst net 10.99.0.0/16
    local capture=$spawned
    wait_for 5 grep -q 'listening on' "$work/inner.log"
    in_internet busybox ping -c 2 -W 1 10.99.0.1 >/dev/null || true
    end_process TERM $capture
    rm "$work/inner.log"
    kernel "$gateway" ipv4/ip_forward 0
    tcpdump -n -Z root -r "$work/forwarded.pcap" 2>/dev/null | grep .
}
ok "nothing is forwarded" not forwarded
ok "it is counted" refused_packets forward

# The names: the gateway's user may ask, unless the qube has the service that forbids it.
mkdir "$work/services"
ip -n "$internet" address add 10.139.1.1/32 dev lo
spawn "$work/names.log" "$internet" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
    --bind-interfaces --listen-address=10.139.1.1 --user=root --pid-file= --address=/$site/$web_address
ask() { as "$1" busybox nslookup -type=a $site 10.139.1.1; }
ok "the gateway's user resolves names" wait_for 5 ask $user
ok "root does not" not ask 0
touch "$work/services/vpn-gateway-no-dns"
ok "with vpn-gateway-no-dns" wall
ok "the gateway's user does not, either" not ask $user
ok "but has its way to the server" page_of $user

# What all this is worth: the same without it.
ok "the wall is gone" wall_gone
ok "root's page leaks then" leaks 1 page_of 0
ok "so does a question" leaks 1 question_of 65534
ok "and the kernel forwards" forwarded
server_stop
[ $test_failed = 0 ] || logs
echo "1..$test_number"
exit $test_failed
