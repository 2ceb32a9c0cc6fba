#!/bin/bash
# The second wall: of the gateway VM only the gateway's user may send, nothing is forwarded, and the gateway refuses to
# start where the wall is not. The same packets do leak without it.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 300
profile client.ovpn tls-crypt
server_start tls-crypt

user=4711
# The gateway's user, who has of root only what it takes to make a TAP device.
cp "$program" "$work/vpn-gateway"
chown $user "$work/client.ovpn"
program=$work/vpn-gateway
outside=(setpriv "--reuid=$user" "--regid=$user" --clear-groups "--inh-caps=-all,+net_admin,+dac_override"
    "--ambient-caps=+net_admin,+dac_override")

wall() { in_gateway env "QUBES_SERVICES=$work/services" rpm/wall $user uplink; }
wall_gone() {
    in_gateway nft delete table inet vpn_gateway
    in_gateway nft delete table netdev vpn_gateway 2>/dev/null || true
}
# Exit code of a gateway that starts where it should not.
refusal() {
    local code=0
    in_gateway timeout 60 "$program" run --profile "$work/client.ovpn" --downstream "tap:qube0,ip=$qube_address" \
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
is "there is one" 1 sh -c "ip netns exec $gateway nft list tables inet | grep -c vpn_gateway"

gateway_start client.ovpn --require-wall
ok "up, as a user of its own" wait_for 10 gateway_up
is "which it is" $user stat -c %u "$work/control"
is "a page through the tunnel" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
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
ok "but has its way to the server" wait_for 5 page_of $user

# --- Strangers --------------------------------------------------------------------------------------------------------

# Probes of which the kernel would tell a stranger something: a port that nobody listens at, a ping, an IP option that is
# none. Each is sent and waited for: an answer would come at once.
# shellcheck disable=SC2016 # Perl's variables
probe_sources='use Socket;
    my ($to, $to6) = @ARGV;
    sub socket_to { my ($family, $type, $protocol) = @_; socket(my $s, $family, $type, $protocol) or die "socket: $!"; $s }
    my $s = socket_to(AF_INET, SOCK_DGRAM, 17);
    send($s, "probe", 0, pack_sockaddr_in(99, inet_aton($to))) or die "udp: $!";
    my $s6 = socket_to(AF_INET6, SOCK_DGRAM, 17);
    send($s6, "probe", 0, Socket::pack_sockaddr_in6(99, Socket::inet_pton(AF_INET6, $to6))) or die "udp6: $!";
    my $ping = pack("C C n n n a*", 8, 0, 0, 1, 1, "probe");
    my $sum = unpack("%32n*", length($ping) & 1 ? "$ping\0" : $ping);
    $sum = ($sum >> 16) + ($sum & 0xffff) while $sum >> 16;
    substr($ping, 2, 2) = pack("n", ~$sum & 0xffff);
    my $raw = socket_to(AF_INET, SOCK_RAW, 1);
    send($raw, $ping, 0, pack_sockaddr_in(0, inet_aton($to))) or die "ping: $!";
    my $wrong = socket_to(AF_INET, SOCK_RAW, 255);
    my $packet = pack("C C n n n C C n a4 a4 C C C C a*", 0x46, 0, 24 + 8, 7, 0, 64, 17, 0, inet_aton("192.0.2.1"),
        inet_aton($to), 0x83, 3, 4, 0, "datagram");
    send($wrong, $packet, 0, pack_sockaddr_in(0, inet_aton($to))) or die "option: $!";'
# The gateway VM's answers to them, which are all that leaves meanwhile but for neighbours.
answers_to_probes() {
    spawn "$work/answers.log" "$gateway" tcpdump -i uplink -n -Z root -Q out --immediate-mode -U -w "$work/answers.pcap" \
        'not arp and not (icmp6 and ip6[40] >= 133 and ip6[40] <= 137)'
    local capture=$spawned
    wait_for 10 grep -q 'listening on' "$work/answers.log"
    in_internet perl -e "$probe_sources" "$gateway_address" "$gateway_ipv6"
    # A connection's refusal takes no longer than this; without one it is given up.
    ! in_internet curl -s --max-time 2 "http://$gateway_address:99/"
    end_process TERM "$capture"
    rm "$work/answers.log"
    tcpdump -n -Z root -r "$work/answers.pcap" 2>/dev/null
}
# Until then the server writes to the gateway's port, which is closed now: an error about the gateway's own flow may leave.
ok "the server is done with the gateway" wait_for 20 server_said 0 'client-instance exiting'
outer_ipv6
ok "strangers' probes come in" wait_for 10 in_internet busybox ping6 -c 1 -W 1 $server_ipv6
is "and are not answered" "" answers_to_probes
ok "they are counted" refused_packets input
is "a silent tunnel stays the gateway's own flow for long" "300 3600" in_gateway sh -c \
    'cd /proc/sys/net/netfilter && echo $(cat nf_conntrack_udp_timeout nf_conntrack_udp_timeout_stream)'
neighbours_found() {
    in_internet ip neighbour flush dev wan
    in_internet busybox ping6 -c 1 -W 1 $gateway_ipv6 >/dev/null || true
    in_internet ip -6 neighbour show $gateway_ipv6 dev wan | grep -E 'REACHABLE|STALE|DELAY'
}
ok "a neighbour finds the gateway VM over IPv6" wait_for 10 neighbours_found

# --- Root's packet sockets --------------------------------------------------------------------------------------------

# shellcheck disable=SC2016 # Perl's variables
packet_sender='use Socket; socket(my $s, 17, SOCK_RAW, 0) or die "socket: $!";
    my $to = pack("S n i S C C a8", 17, 0x0800, shift, 0, 0, 6, "\xff" x 6);
    send($s, "\xff" x 12 . "\x08\x00" . "leak" x 15, 0, $to);'
raw_frames() { # CARD: how many of two root can send
    local index
    index=$(in_gateway sh -c "ip -o link show $1 | cut -d : -f 1")
    spawn "$work/raw.log" "$gateway" tcpdump -i "$1" -n -Z root -Q out --immediate-mode -U -w "$work/raw.pcap" \
        'ether dst ff:ff:ff:ff:ff:ff and not arp'
    local capture=$spawned
    wait_for 10 grep -q 'listening on' "$work/raw.log"
    in_gateway perl -e "$packet_sender" "$index"
    in_gateway perl -e "$packet_sender" "$index"
    end_process TERM "$capture"
    rm "$work/raw.log"
    tcpdump -n -Z root -r "$work/raw.pcap" 2>/dev/null | wc -l
}
# As Qubes takes a card away and gives another of the same name when the NetVM changes.
new_card() {
    in_gateway ip link del card0 2>/dev/null || true
    ip link add card0 netns "$gateway" type veth peer name card1 netns "$internet"
    ip -n "$gateway" link set card0 up
    ip -n "$internet" link set card1 up
}
if in_gateway nft -c -D gateway=1 -D resolver=1 -D card=absent0 -f rpm/wall-egress.nft 2>/dev/null; then
    is "root's packet sockets send nothing" 0 raw_frames uplink
    ok "they are counted" eval 'in_gateway nft list chain netdev vpn_gateway egress | grep "counter packets [1-9]"'
    ok "the wall of a card that is not there yet" in_gateway env "QUBES_SERVICES=$work/services" rpm/wall $user card0
    new_card
    is "root's packet sockets send nothing through it" 0 raw_frames card0
    new_card
    is "nor through the next, after the first was taken away" 0 raw_frames card0
    in_gateway nft delete table netdev vpn_gateway
    is "without the wall they do" 2 raw_frames card0
    in_gateway ip link del card0
fi

# The proof that the wall did it: the same without it.
in_gateway nft delete chain inet vpn_gateway input
ok "without the chain for what comes in strangers are answered" eval 'answers_to_probes >"$work/told"; grep "ICMP .*unreachable" "$work/told"'
ok "over IPv6, too" grep "ICMP6.*unreachable" "$work/told"
ok "the wall is gone" wall_gone
ok "root's page leaks then" leaks 1 page_of 0
ok "so does a question" leaks 1 question_of 65534
ok "and the kernel forwards" forwarded
server_stop
[ $test_failed = 0 ] || logs
echo "1..$test_number"
exit $test_failed
