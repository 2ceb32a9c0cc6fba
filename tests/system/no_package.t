#!/bin/bash
# A gateway qube that starts in a template without the package, which was erased there or never installed: Qubes'
# defaults would make it forward in clear. dom0's `qubes-network off` keeps it from that, and so does the script that an
# earlier start with the package left in the private volume, each by itself.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
begin 300
topology
services
outer_ipv6
web_ipv6=2001:db8:80::80
qube_ipv6=2001:db8:10::10
ip -n "$internet" address add $web_ipv6/128 dev lo nodad
spawn "$work/web6.log" "$internet" busybox httpd -f -p "[$web_ipv6]:80" -h "$work/www"
wait_for 10 in_internet curl -s -o /dev/null "http://[$web_ipv6]/"

# The qube behind a card of the kernel's, as vif-route-qubes leaves it; the gateway's base rules masquerade.
mac=fe:ff:ff:ff:ff:ff
ip link add vif netns "$gateway" address $mac type veth peer name eth0 netns "$qube"
ip -n "$gateway" link set vif up
ip -n "$gateway" address add $qube_router/32 dev vif
ip -n "$gateway" route add $qube_address/32 dev vif
ip -n "$gateway" -6 route add $qube_ipv6/128 dev vif
ip -n "$gateway" -6 route add default via $server_ipv6
qube_configure
ip -n "$qube" -6 address add $qube_ipv6/128 dev eth0 nodad
ip -n "$qube" -6 neighbour add fe80::1 lladdr $mac dev eth0 nud permanent
ip -n "$qube" -6 route add default via fe80::1 dev eth0
ip -n "$gateway" neighbour add $qube_address lladdr "$(ip netns exec "$qube" cat /sys/class/net/eth0/address)" dev vif
ip -n "$gateway" -6 neighbour add $qube_ipv6 lladdr "$(ip netns exec "$qube" cat /sys/class/net/eth0/address)" dev vif
in_gateway nft -f - <<END
table inet qubes {
    chain postrouting {
        type nat hook postrouting priority srcnat
        oifname uplink masquerade
    }
}
END

# --- The qube's private volume, and its start -------------------------------------------------------------------------

scripts=$work/rw/config/qubes-firewall.d
run=$work/run
mkdir -p "$run"

# The package does this at each start; here in a mount namespace where its user exists, whatever this machine's users
# are.
with_package() {
    printf 'root:x:0:\nvpn-gateway:x:4711:\n' >"$work/group"
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount sh -c 'mount --bind "$0/group" /etc/group && shift 0 && exec "$@"' "$work" \
        rpm/prepare "$work/rw/config/vpn-gateway" "$scripts"
}

# The order of Qubes' units, as far as it matters here: qubes-sysinit's marks (defaults first, then what dom0 says), the
# scripts of qubes-firewall, and behind it qubes-network.
boot() { # SERVICE=0|1...
    local service
    kernel "$gateway" ipv4/ip_forward 0
    kernel "$gateway" ipv6/conf/all/forwarding 0
    in_gateway nft delete table inet vpn_gateway_closed 2>/dev/null || true
    rm -rf "$run/qubes-service"
    mkdir -p "$run/qubes-service"
    touch "$run/qubes-service/qubes-network" "$run/qubes-service/qubes-firewall"
    for service; do
        case $service in
        *=1) touch "$run/qubes-service/${service%=*}" ;;
        *=0) rm -f "$run/qubes-service/${service%=*}" ;;
        esac
    done
    firewall_scripts 2>>"$work/journal"
    [ ! -e "$run/qubes-service/qubes-network" ] || forwarding_on
}
firewall_scripts() {
    local script
    [ -e "$run/qubes-service/qubes-firewall" ] || return 0
    for script in "$scripts"/*; do
        [ ! -x "$script" ] || in_run "$script"
    done
}
# shellcheck disable=SC2016 # expanded by the inner shell
in_run() { in_gateway unshare --mount sh -c 'mount --bind "$0" /run && exec "$@"' "$run" "$@"; }
forwarding_on() {
    kernel "$gateway" ipv4/ip_forward 1
    kernel "$gateway" ipv6/conf/all/forwarding 1
}
forwards() { in_gateway cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | paste -sd ' '; }

page4() { in_qube curl -s --max-time 2 http://$web_address/; }
page6() { in_qube curl -s --max-time 2 "http://[$web_ipv6]/"; }
both_pages() { page4 && page6; }
no_page() { not page4 && not page6; }
# The qube's packets that left by the gateway's card meanwhile: the kernel's masquerading hides the address.
nothing_left() { # COMMAND...
    spawn "$work/out.log" "$gateway" tcpdump -i uplink -n -Z root -Q out --immediate-mode -U -w "$work/out.pcap" tcp or udp
    local capture=$spawned
    wait_for 10 grep -q 'listening on' "$work/out.log"
    "$@"
    end_process TERM "$capture"
    rm "$work/out.log"
    not grep . <(tcpdump -n -Z root -r "$work/out.pcap" 2>/dev/null)
}

# --- Without either ---------------------------------------------------------------------------------------------------

ok "a start with dom0's defaults" boot vpn-gateway=1
ok "forwards in clear: this is what is to be prevented" both_pages
ok "which a capture shows" not nothing_left both_pages

# --- What dom0 says ---------------------------------------------------------------------------------------------------

ok "a start with 'qubes-network off'" boot vpn-gateway=1 qubes-network=0
is "has forwarding off" "0 0" forwards
ok "and fetches nothing" nothing_left no_page

# --- What the package left --------------------------------------------------------------------------------------------

ok "a start with the package" with_package
ok "leaves one script" test "$(ls "$scripts")" = 90-vpn-gateway-closed
is "which root alone may write" "755 root" stat -c '%a %U' "$scripts/90-vpn-gateway-closed"
before=$(cd "$scripts" && sha256sum ./*)
ok "another start" with_package
is "leaves the same" "$before" sh -c "cd $scripts && sha256sum ./*"

ok "without the package the script runs at the next start" boot vpn-gateway=1
is "forwarding is off, although dom0's defaults want it" "0 0" forwards
ok "nothing is fetched" nothing_left no_page
forwarding_on
is "somebody switches it on" "1 1" forwards
ok "and still nothing is fetched" nothing_left no_page
ok "the journal says what was closed" grep "^<3>.*does not have the package: nothing is forwarded" "$work/journal"
ok "and how to undo it" grep "^<5>.*vpn-gateway off.*remove $scripts/90-vpn-gateway-closed" "$work/journal"

ok "to which dom0's 'qubes-network off' belongs" grep "^<5>.*qubes-network on" "$work/journal"

rm "$work/journal"
ok "a start of a qube that is to be no VPN gateway" boot
ok "forwards, as Qubes has it" both_pages
ok "in a gateway qube with the wall the script does nothing" in_gateway nft add table inet vpn_gateway
ok "at its start" boot vpn-gateway=1
is "not even to the mark of qubes-network" "1 1" forwards
is "neither says anything" "" cat "$work/journal"
in_gateway nft delete table inet vpn_gateway

# A volume that takes nothing, which keeps no gateway from its start.
mkdir "$work/full"
touch "$work/full/qubes-firewall.d"
cannot_write() {
    scripts=$work/full/qubes-firewall.d with_package 2>"$work/complaint"
    grep "was not written" "$work/complaint"
}
ok "a script that cannot be written is told, and the service starts" cannot_write

# Profiles that lie elsewhere, behind a link.
mkdir "$work/elsewhere"
touch "$work/elsewhere/work.ovpn"
rm -rf "$work/rw/config/vpn-gateway"
ln -s "$work/elsewhere" "$work/rw/config/vpn-gateway"
ok "a start where the directory of profiles is a link" with_package
is "gives them to the service's user" "640 4711 750 4711" sh -c "cd $work/elsewhere && stat -c '%a %g' work.ovpn . | paste -sd ' '"
echo "1..$test_number"
exit $test_failed
