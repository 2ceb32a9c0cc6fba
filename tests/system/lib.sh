# shellcheck shell=bash
# The stage of the system tests, the demonstration and the measurements: a qube, a gateway VM and an internet as
# network namespaces, a real OpenVPN server, the program under test, and a capture of the outer link.
#
#   qube                         gateway                          internet
#   eth0 10.137.0.10/32  <TAP>   vpn-gateway
#   default route onlink         uplink 192.0.2.2/24  <veth>      wan 192.0.2.1/24, OpenVPN server, tunnel 10.8.0.0/24
#   resolv.conf 10.139.1.1                                        198.51.100.80 web and echo, 203.0.113.53 resolver
#
# Source it, say `begin SECONDS`, use the functions, and leave in whatever way: a guard that outlives even kill -9 takes
# down what was made here and nothing else. With SYSTEM_CLIENT=openvpn Debian's openvpn and the kernel's NAT stand in
# for the gateway, which shows whether a finding is ours; with SYSTEM_SERVER=gateway our own server for
# OpenVPN's. SYSTEM_NO_SANDBOX=1 is for a gateway built with sanitizers, which
# need more of the system than the program does.

set -euo pipefail

system=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${BUILD:-build}
[ "${build#/}" != "$build" ] || build=$PWD/$build
program=$build/vpn-gateway
client=${SYSTEM_CLIENT:-gateway}
server=${SYSTEM_SERVER:-openvpn}

prefix=vpngw$$
qube=$prefix-qube
gateway=$prefix-gateway
internet=$prefix-internet

qube_address=10.137.0.10
qube_router=10.138.0.1
gateway_address=192.0.2.2
server_address=192.0.2.1
gateway_ipv6=2001:db8::2
server_ipv6=2001:db8::1
server_port=1194
web_address=198.51.100.80
resolver_address=203.0.113.53
site=www.example.net # only the resolver behind the VPN knows it

# How the profile finds the server, where that listens, and what may be seen of it on the outer link.
remotes=('proto udp4' "remote $server_address $server_port")
listen=('proto udp4' "local $server_address")
flows=("udp/$gateway_address/$server_address/$server_port")
# The addresses that the server has and gives inside of the tunnel.
network=('server 10.8.0.0 255.255.255.0')
# More names that the resolver knows, as options of dnsmasq; and a command that starts a program that asks it outside of
# the tunnel.
names=()
outside=()

# The outer link is watched here; both its ends see the same.
capture_at=("$gateway" uplink)

# Limits are those of an idle machine; so many times slower a loaded one may be.
slowness=12

work=
client_pid=
server_pid=
capture_pid=

# --- Beginning and end ------------------------------------------------------------------------------------------------

begin() { # SECONDS: the longest that all of it may take on an idle machine
    [ "$(id -u)" = 0 ] || { echo "this needs root" >&2; exit 1; }
    work=$(mktemp -d "${TMPDIR:-/tmp}/vpn-gateway.XXXXXX")
    # Processes that give up their privileges read their files here.
    chmod 711 "$work"
    trap 'exit 130' INT TERM HUP
    trap 'tear_down' EXIT
    trap 'echo "line $LINENO of ${BASH_SOURCE[0]##*/} failed: $BASH_COMMAND" >&2' ERR
    set -o errtrace
    guard $$ $(($1 * slowness)) &
    : >"$work/gateway.log"
    : >"$work/server.log"
}

# Waits for the end of the script, or makes it end when its time is over, and cleans up behind it.
guard() { # PID SECONDS
    exec >/dev/null 2>&1 </dev/null
    trap '' INT TERM HUP
    trap - EXIT
    local deadline=$((SECONDS + $2))
    while kill -0 "$1" && [ $SECONDS -lt $deadline ]; do sleep 0.5; done
    if kill -TERM "$1"; then
        stop_processes
        sleep 2
        kill -KILL "$1"
    fi
    tear_down
}

namespaces() { ip netns list | sed -n "s/^\($prefix-[a-z0-9]*\).*/\1/p"; }

stop_processes() {
    local name pids
    for name in $(namespaces); do
        pids=$(ip netns pids "$name" 2>/dev/null) || true
        # shellcheck disable=SC2086 # several
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    done
}

tear_down() {
    local name
    stop_processes
    for name in $(namespaces); do ip netns del "$name" 2>/dev/null || true; done
    [ -n "$work" ] || return 0
    # The tests of systemd mount these.
    for name in root template layers; do umount -l "$work/$name" 2>/dev/null || true; done
    rm -rf --one-file-system "$work"
}

# A setting of a namespace's kernel, as a path below /proc/sys/net.
kernel() { # NAMESPACE PATH VALUE
    ip netns exec "$1" sh -c "echo $3 >/proc/sys/net/$2"
}

# A kernel says a few ICMP errors a second and swallows the others; how fast a test is must not matter. A namespace's
# own limits differ from kernel to kernel.
no_icmp_limits() { # NAMESPACE
    ip netns exec "$1" sh -c 'cd /proc/sys/net
        echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv4/icmp_ratemask
        [ ! -e ipv4/icmp_msgs_per_sec ] || echo 1000000 >ipv4/icmp_msgs_per_sec
        [ ! -e ipv4/icmp_msgs_burst ] || echo 1000000 >ipv4/icmp_msgs_burst
        echo 0 >ipv6/icmp/ratelimit
        [ ! -e ipv6/icmp/ratemask ] || echo >ipv6/icmp/ratemask'
}

in_gateway() { ip netns exec "$gateway" "$@"; }
in_internet() { ip netns exec "$internet" "$@"; }
# `ip netns exec` gives the command its own view of mounts, so nobody else sees this resolv.conf.
in_qube() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    ip netns exec "$qube" sh -c 'mount --bind "$0/resolv.conf" /etc/resolv.conf &&
        { [ ! -e /etc/nsswitch.conf ] || mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf; } && exec "$@"' "$work" "$@"
}

# True while the qube has a connection with the web server.
under_way() { in_qube ss -tnH state established dst "$web_address" | grep .; }

# True as soon as the command is; false when it is not in time.
wait_for() { # SECONDS COMMAND...: on an idle machine it is true by then
    local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * slowness * 1000000)) pause=2
    shift
    until "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/[.,]/}" -lt $deadline ] || return 1
        sleep "0.0$pause"
        # Asking too often would keep busy what is waited for.
        [ $pause = 9 ] || pause=$((pause + 1))
    done
}

milliseconds() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

gone() { ! kill -0 "$1"; }

# A process in the background, without the shell's notices about it; its id is in $spawned.
spawn() { # LOG NAMESPACE COMMAND...
    local log=$1 namespace=$2
    shift 2
    ip netns exec "$namespace" "$@" >>"$log" 2>&1 </dev/null &
    spawned=$!
    disown
}

end_process() { # SIGNAL PID
    [ -n "$2" ] || return 0
    kill "-$1" "$2" 2>/dev/null || true
    wait_for 5 gone "$2" || kill -KILL "$2" 2>/dev/null || true
}

# --- Namespaces and the services of the internet ----------------------------------------------------------------------

topology() {
    local name
    for name in "$qube" "$gateway" "$internet"; do
        ip netns add "$name"
        ip -n "$name" link set lo up
        # Nothing but the program may move a packet from one side to the other.
        kernel "$name" ipv4/ip_forward 0
        no_icmp_limits "$name"
    done
    # The outer link speaks IPv4 only: a multicast report of the kernel's own would be noise in the capture.
    for name in "$gateway" "$internet"; do
        kernel "$name" ipv6/conf/all/disable_ipv6 1
        kernel "$name" ipv6/conf/default/disable_ipv6 1
    done
    ip link add uplink netns "$gateway" type veth peer name wan netns "$internet"
    in_gateway ethtool -K uplink gro on
    in_internet ethtool -K wan gro on
    ip -n "$gateway" address add $gateway_address/24 dev uplink
    ip -n "$internet" address add $server_address/24 dev wan
    ip -n "$internet" address add $web_address/32 dev lo
    ip -n "$internet" address add $resolver_address/32 dev lo
    ip -n "$gateway" link set uplink up
    ip -n "$internet" link set wan up
    # A packet that leaks out of the gateway VM would arrive.
    ip -n "$gateway" route add default via $server_address
    printf 'nameserver 10.139.1.1\nnameserver 10.139.1.2\noptions timeout:1 attempts:5\n' >"$work/resolv.conf"
    echo 'hosts: files dns' >"$work/nsswitch.conf"
}

# The outer link speaks IPv6, too, with addresses ready at once.
outer_ipv6() {
    kernel "$gateway" ipv6/conf/all/disable_ipv6 0
    kernel "$internet" ipv6/conf/all/disable_ipv6 0
    ip -n "$gateway" address add $gateway_ipv6/64 dev uplink nodad
    ip -n "$internet" address add $server_ipv6/64 dev wan nodad
}

# The gateway VM and the internet's machines ask the internet's resolver.
outer_resolver() {
    echo "nameserver $resolver_address" >"$work/outside.conf"
    # shellcheck disable=SC2016 # expanded by the inner shell
    outside=(sh -c 'mount --bind "$0/outside.conf" /etc/resolv.conf &&
        { [ ! -e /etc/nsswitch.conf ] || mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf; } && exec "$@"' "$work")
}

# The services behind the VPN.
services() {
    mkdir -p "$work/www/cgi-bin"
    chmod 755 "$work/www" "$work/www/cgi-bin"
    echo 'You came through the tunnel.' >"$work/www/index.html"
    cat >"$work/www/cgi-bin/sha256" <<-'END'
	#!/bin/sh
	printf 'Content-Type: text/plain\r\n\r\n'
	head -c "$CONTENT_LENGTH" | sha256sum | cut -d ' ' -f 1
	END
    chmod 755 "$work/www/cgi-bin/sha256"
    spawn "$work/web.log" "$internet" busybox httpd -f -p $web_address:80 -h "$work/www"
    spawn "$work/echo.log" "$internet" perl "$system/udp" serve $web_address 7
    spawn "$work/resolver.log" "$internet" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
        --bind-interfaces --listen-address=$resolver_address --user=root --pid-file= \
        --local=/example.net/ --address=/$site/$web_address --no-round-robin "${names[@]}"
    wait_for 5 in_internet curl -s -o /dev/null http://$web_address/
    wait_for 5 in_internet busybox nslookup -type=a $site $resolver_address
}

# A file on the web server, of random bytes.
web_file() { # NAME SIZE, as head takes it, with a unit
    [[ $2 == *[KM] ]] || { echo "web_file: $2 of what?" >&2; return 1; }
    head -c "$2" /dev/urandom >"$work/www/$1"
    sha256sum <"$work/www/$1" | cut -d ' ' -f 1 >"$work/$1.sha256"
}
checksum() { cat "$work/$1.sha256"; } # NAME

# The checksum of such a file as it arrives, at the qube or at the web server.
file_down() { # NAME [HOST]
    in_qube curl -sS --max-time 600 "http://${2:-$web_address}/$1" | sha256sum | cut -d ' ' -f 1
}
file_up() { # NAME [HOST]
    in_qube curl -sS --max-time 600 -H Expect: --data-binary @"$work/www/$1" "http://${2:-$web_address}/cgi-bin/sha256"
}

# --- Keys and profiles ------------------------------------------------------------------------------------------------

authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null
}

certificate() { # NAME AUTHORITY PURPOSE
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -CA "$work/$2.crt" -CAkey "$work/$2.key" -addext basicConstraints=critical,CA:FALSE \
        -addext keyUsage=critical,digitalSignature -addext "extendedKeyUsage=$3" \
        -keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null
}

# A list of the authority's, with or without a certificate on it.
revocations() { # FILE [CERTIFICATE]
    : >"$work/index"
    printf '%s\n' '[ca]' 'default_ca = list' '[list]' "database = $work/index" 'default_md = sha256' \
        'default_crl_days = 2' "certificate = $work/authority.crt" "private_key = $work/authority.key" >"$work/ca.conf"
    [ -z "${2:-}" ] || openssl ca -config "$work/ca.conf" -revoke "$work/$2" 2>/dev/null
    openssl ca -config "$work/ca.conf" -gencrl -out "$work/$1" 2>/dev/null
}

keys() {
    authority authority
    certificate server.example.net authority serverAuth
    certificate client authority clientAuth
    openvpn --genkey tls-crypt "$work/tls-crypt.key"
}

# An inline profile as a provider hands it out. WRAP is tls-crypt or none; further arguments are lines of their own.
profile() { # FILE WRAP [LINE]...
    local file=$1 wrap=$2
    shift 2
    {
        printf '%s\n' client 'dev tun' "${remotes[@]}" nobind \
            'remote-cert-tls server' 'verify-x509-name server.example.net name' \
            'connect-retry 1 2' 'auth-nocache' "$@"
        inline ca "${profile_authority:-authority}.crt"
        inline cert client.crt
        inline key client.key
        [ "$wrap" = none ] || inline "$wrap" "$wrap.key"
    } >"$work/$file"
    chmod 600 "$work/$file"
}

inline() { # TAG FILE
    echo "<$1>"
    grep -v '^#' "$work/$2"
    echo "</$1>"
}

# --- The OpenVPN server -----------------------------------------------------------------------------------------------

# WRAP as above; further arguments are lines of its configuration. With server_protocol_bits set, the server sees only
# those bits of what the client says it can do, as an older server would.
server_start() { # WRAP [LINE]...
    local wrap=$1
    shift
    server_preload=()
    {
        printf '%s\n' "${network[@]}" 'topology subnet' "${listen[@]}" \
            "port $server_port" 'dev tun0' 'setenv opt disable-dco' 'keepalive 1 4' 'dh none' 'verb 3' \
            "ca $work/authority.crt" "cert $work/server.example.net.crt" "key $work/server.example.net.key" \
            'push "redirect-gateway def1"' "push \"dhcp-option DNS $resolver_address\"" "$@"
        [ "$wrap" = none ] || echo "$wrap $work/$wrap.key"
    } >"$work/server.conf"
    if [ -n "${server_protocol_bits:-}" ]; then
        server_preload=(env "LD_PRELOAD=$build/tests/system/preload/old_server.so"
            "SERVER_PROTOCOL_BITS=$server_protocol_bits")
    fi
    server_return
}

# The same server again, after server_kill.
server_return() {
    local mark
    mark=$(wc -l <"$work/server.log")
    if [ "$server" = gateway ]; then
        spawn "$work/server.log" "$internet" "$program" serve --config "$work/server.conf" \
            --control "$work/server.control" ${SYSTEM_NO_SANDBOX:+--no-sandbox} -v
        server_pid=$spawned
        wait_for 5 server_said "$mark" 'serve: .*device'
        return
    fi
    spawn "$work/server.log" "$internet" "${server_preload[@]}" openvpn --config "$work/server.conf"
    server_pid=$spawned
    wait_for 5 server_began "$mark" || return
    server_said "$mark" 'Initialization Sequence Completed'
}
# The server is ready, or has ended: then there is nothing to wait for.
server_began() { server_said "$1" 'Initialization Sequence Completed' || gone "$server_pid"; } # LINE

server_said() { # LINE PATTERN: since that line of its log
    tail -n "+$(($1 + 1))" "$work/server.log" | grep -- "$2" >/dev/null
}

# One member of our own server's status, as gateway_field says it.
server_status() { timeout 60 "$program" status --control "$work/server.control" --json | json "$1"; }

server_stop() {
    end_process TERM "$server_pid"
    server_pid=
}

# Dies without a word to its clients.
server_kill() {
    end_process KILL "$server_pid"
    server_pid=
}

# --- The gateway ------------------------------------------------------------------------------------------------------

gateway_start() { # PROFILE [OPTION]...
    local file=$1
    shift
    if [ "$client" = openvpn ]; then
        classic_start "$file"
        return
    fi
    spawn "$work/gateway.log" "$gateway" "${outside[@]}" "$program" run --profile "$work/$file" \
        --downstream "${downstream:-tap:qube0,ip=$qube_address}" --qubesdb none --control "$work/control" \
        ${SYSTEM_NO_SANDBOX:+--no-sandbox} "$@"
    client_pid=$spawned
    wait_for 10 ip -n "$gateway" link show qube0
    ip -n "$gateway" link set qube0 netns "$qube" name eth0
    qube_configure
}

# As a Qubes AppVM sets up its network card.
qube_configure() {
    ip -n "$qube" address add $qube_address/32 dev eth0
    ip -n "$qube" link set eth0 up
    ip -n "$qube" neighbour add $qube_router lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent
    ip -n "$qube" route add default via $qube_router dev eth0 onlink
}

gateway_up() { [ "$(gateway_field up)" = true ]; }

# One member of `status --json`: names and indices joined by dots. "null" when there is no such member.
gateway_field() { # NAME
    if [ "$client" = openvpn ]; then
        tail -n "+$classic_mark" "$work/gateway.log" | grep -q 'Initialization Sequence Completed' && echo true
        return
    fi
    gateway_status --json | json "$1"
}

gateway_status() { timeout 60 "$program" status --control "$work/control" "$@"; }

json() { # NAME
    # shellcheck disable=SC2016 # Perl's variables
    perl -MJSON::PP -0777 -e '
        my $value = decode_json(<STDIN>);
        $value = ref $value eq "ARRAY" ? $value->[$_] : ref $value eq "HASH" ? $value->{$_} : undef
            for split /\./, shift;
        print defined $value && !ref $value ? $value : JSON::PP->new->allow_nonref->encode($value), "\n";' "$1"
}

gateway_stop() { gateway_end TERM; }
gateway_kill() { gateway_end KILL; }

gateway_end() { # SIGNAL
    [ -n "$client_pid" ] || return 0
    end_process "$1" "$client_pid"
    client_pid=
    [ "$client" != openvpn ] || classic_clear
}

# --- Debian's openvpn client with the kernel's forwarding and NAT, as a Qubes network VM does it today ----------------

# It leaks when the tunnel goes, unless $kill_switch is set.
classic_start() { # PROFILE
    classic_mark=$(($(wc -l <"$work/gateway.log") + 1))
    ip link add vif netns "$gateway" address fe:ff:ff:ff:ff:ff type veth peer name eth0 netns "$qube"
    ip -n "$gateway" address add $qube_router/32 dev vif
    ip -n "$gateway" link set vif up
    ip -n "$gateway" route add $qube_address/32 dev vif
    qube_configure
    in_gateway nft -f - <<-END
	table ip classic {
	    chain resolvers {
	        type nat hook prerouting priority dstnat
	        ip daddr { 10.139.1.1, 10.139.1.2 } dnat to $resolver_address
	    }
	    chain sources {
	        type nat hook postrouting priority srcnat
	        oifname tun0 masquerade
	    }
	    chain segments {
	        type filter hook forward priority filter
	        tcp flags syn tcp option maxseg size set rt mtu
	    }
	    chain guard {
	        type filter hook forward priority filter
	        ${kill_switch:+iifname vif oifname != tun0 drop}
	    }
	}
	END
    kernel "$gateway" ipv4/ip_forward 1
    spawn "$work/gateway.log" "$gateway" openvpn --config "$work/$1" --dev tun0 --setenv opt disable-dco
    client_pid=$spawned
}

classic_clear() {
    kernel "$gateway" ipv4/ip_forward 0
    in_gateway nft delete table ip classic
    ip -n "$gateway" link del vif
    # openvpn leaves this when it is killed.
    ip -n "$gateway" route flush table main proto boot via "$server_address" to root 192.0.2.1/32 2>/dev/null || true
}

# --- The outer link ---------------------------------------------------------------------------------------------------

# Headers of all that passes between the gateway VM and the outside.
capture_start() {
    rm -f "$work/capture.log" "$work/outer.pcap"
    spawn "$work/capture.log" "${capture_at[0]}" tcpdump -i "${capture_at[1]}" -n -Z root -s 96 -B 32768 --immediate-mode \
        -w "$work/outer.pcap"
    capture_pid=$spawned
    wait_for 5 grep -q 'listening on' "$work/capture.log"
}

capture_stop() {
    [ -n "$capture_pid" ] || return 0
    tcpdump_end "$capture_pid" "$work/capture.log"
    capture_pid=
}

# Ends a tcpdump that writes into a file, as soon as all is in it that the kernel has seen so far.
tcpdump_end() { # PID LOG
    local seen
    seen=$(tcpdump_count "$1" "$2" received) && wait_for 5 tcpdump_has "$1" "$2" "$seen" || echo 'not all of it' >>"$2"
    end_process TERM "$1"
}
tcpdump_has() { [ "$(tcpdump_count "$1" "$2" captured)" -ge "$3" ]; } # PID LOG NUMBER

# Asks a running tcpdump, which answers with a line in its log.
tcpdump_count() { # PID LOG captured|received
    local before
    before=$(tcpdump_answers "$2")
    kill -USR1 "$1" && wait_for 5 tcpdump_answered "$2" "$before" &&
        sed -nE "s/^tcpdump: .*\\b([0-9]+) packets? $3.*/\\1/p" "$2" | tail -n 1
}
tcpdump_answers() { grep -c '^tcpdump: .* dropped by kernel$' "$1" || true; }
tcpdump_answered() { [ "$(tcpdump_answers "$1")" -gt "$2" ]; } # LOG NUMBER

# Prints what was seen by kind and every frame that should not be; true if there is none, and the capture is whole:
# the kernel dropped nothing of it.
leak_check() {
    if grep -q 'not all of it' "$work/capture.log" || ! grep -qx '0 packets dropped by kernel' "$work/capture.log"; then
        cat "$work/capture.log"
        return 3
    fi
    "$system/leakcheck" "$work/outer.pcap" "${flows[@]}"
}
