# shellcheck shell=bash
# The life of the package with a user, from installing it to erasing it, on the root of $release.
# shellcheck source=tests/system/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/tap.sh" || exit 1
# shellcheck source=tests/systemd/container.sh
. "$(dirname "${BASH_SOURCE[0]}")/container.sh" || exit 1
[ -e "$base/made" ] || { echo "1..0 # SKIP there is no $base: 'make test-systemd' makes it"; exit 0; }

# Other tests' namespaces have no business here, nor ours there.
mkdir -p /run/netns
mount -t tmpfs netns /run/netns
begin 300
topology
services
keys
ip -n "$gateway" link set uplink name eth0
ip -n "$gateway" address flush dev eth0
capture_at=("$gateway" eth0)
# The server is looked up by the resolvers of Qubes.
flows+=("dns/$gateway_address/10.139.1.1/53" "dns/$gateway_address/10.139.1.2/53")
capture_start
profile client.ovpn tls-crypt
server_start tls-crypt

# Nothing can be tried without it.
must() { # DESCRIPTION COMMAND...
    local failed=$test_failed
    test_failed=0
    ok "$@"
    [ $test_failed = 0 ] && test_failed=$failed || { echo "Bail out!  $1: failed"; exit 1; }
}

# --- The template -----------------------------------------------------------------------------------------------------

stage_root
must "the programs, as Debian's $release has them" programs_made
must "what the package needs of Qubes is installed" qubes_packages
must "the package is made in the root" package_made
must "and installed, with all that it depends on" install_packages "$work/packages/ours.deb"
for unit in vpn-gateway.service vpn-gateway-wall.service vpn-gateway-announce.socket; do
    is "$unit is enabled" enabled in_template systemctl is-enabled $unit
done
# In the place of Xen's card a TAP device, which root makes and the gateway takes.
with_card() {
    local place=$work/template/etc/systemd/system/vpn-gateway.service.d
    mkdir -p "$place"
    {
        printf '%s\n' '[Service]' 'DeviceAllow=/dev/net/tun rw' \
            'ExecStartPre=+-/sbin/ip link delete qube0' \
            'ExecStartPre=+/sbin/ip tuntap add dev qube0 mode tap user vpn-gateway' 'ExecStart='
        sed -n "s/^ExecStart=.*/& --downstream tap:qube0,ip=$qube_address/p" "$work/template/usr/lib/systemd/system/vpn-gateway.service"
    } >"$place/card.conf"
}
with_card

# --- What is looked at ------------------------------------------------------------------------------------------------

profiles=$work/dom0/private/config/vpn-gateway
page() { in_qube curl -s --max-time 60 "http://$web_address/"; }
no_page() { ! in_qube curl -s --max-time 2 "http://$web_address/"; }
says() { gateway_status | grep -E -- "$1"; } # PATTERN
walled() { in_vm nft list chain inet vpn_gateway forward | grep 'policy drop'; }
forwarding() { in_vm cat /proc/sys/net/ipv4/ip_forward; }
no_failed_unit() { prints '' in_vm systemctl list-units --failed --no-legend --plain; }
skipped() { [ "$(property "$1" ConditionResult)" = no ] && ! is_active "$1"; } # UNIT

# A unit is there before another begins.
before() { # UNIT UNIT
    local first second
    first=$(property "$1" ActiveEnterTimestampMonotonic)
    second=$(property "$2" ExecMainStartTimestampMonotonic)
    echo "$1: there at $first; $2: begins at $second"
    [ "$first" -gt 0 ] && [ "$second" -gt 0 ] && [ "$first" -le "$second" ]
}

# Restarts the service and puts the qube's new card in.
again() { in_vm systemctl restart vpn-gateway.service && is_ready && plug; }
up_again() { plug && wait_for 20 gateway_up && prints "You came through the tunnel." page; }
signal() { in_vm sh -c "kill -$1 $2"; } # SIGNAL PID
another_process() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ] && is_ready; } # PID

# The qube behind with a card of the kernel's, as Qubes' scripts leave it.
kernel_card() {
    ip -n "$qube" link del eth0 2>/dev/null || true
    ip link add vif netns "$gateway" address fe:ff:ff:ff:ff:ff type veth peer name eth0 netns "$qube"
    ip -n "$gateway" address add $qube_router/32 dev vif
    ip -n "$gateway" link set vif up
    ip -n "$gateway" route add $qube_address/32 dev vif
    qube_configure
}
kernel_card_out() { ip -n "$gateway" link del vif; }

# --- A start ----------------------------------------------------------------------------------------------------------

mkdir -p "$profiles"
cp "$work/client.ovpn" "$profiles/"
dom0_keys '/qubes-service/vpn-gateway 1' '/qubes-service/qubes-network 0' '/vm-config/vpn-profile client.ovpn'
must "the qube starts" qube_on
ok "the service is ready" is_ready
ok "no unit has failed" no_failed_unit
ok "and no order is left out for a circle" not grep 'ordering cycle' <(journal)
ok "the wall stands before there is a way out" before vpn-gateway-wall.service qubes-network-uplink@eth0.service
ok "and before the service begins" before vpn-gateway-wall.service vpn-gateway.service
ok "which is ready before the agent begins" before vpn-gateway.service qubes-qrexec-agent.service
plug
ok "the tunnel is up" wait_for 20 gateway_up
is "a page through it" "You came through the tunnel." page

# --- What is ready although something is missing ----------------------------------------------------------------------

ok "without QubesDB" in_vm systemctl stop qubes-db.service
ok "it is ready" again
ok "and says what it misses" wait_for 10 says 'QubesDB does not answer'
ok "nothing passes" no_page
ok "QubesDB again" in_vm systemctl start qubes-db.service
ok "a page passes" wait_for 20 prints "You came through the tunnel." page
db rm /vm-config/vpn-profile >/dev/null
ok "without a profile it is ready" again
ok "and says so" wait_for 10 says 'there is no profile'
remotes=('proto udp4' "remote vpn.example.net $server_port")
profile named.ovpn tls-crypt
install -m 600 "$work/named.ovpn" "$profiles/"
db write /vm-config/vpn-profile named.ovpn >/dev/null
ok "with a resolver that is silent it is ready" again
ok "and says what it waits for" wait_for 20 says 'vpn\.example\.net.*10\.139\.1\.1'
db write /vm-config/vpn-profile client.ovpn >/dev/null
ok "with another profile the tunnel is up" wait_for 20 gateway_up

# --- Neighbours, and death --------------------------------------------------------------------------------------------

pid=$(main_pid)
for unit in qubes-db qubes-sysinit qubes-iptables qubes-bind-dirs qubes-network-uplink@eth0 qubes-qrexec-agent; do
    ok "$unit starts again" in_vm systemctl restart $unit.service
    is "the gateway runs on" "$pid" main_pid
    ok "behind its wall" walled
    is "and a page passes" "You came through the tunnel." page
done
for unit in qubes-network qubes-firewall qubes-updates-proxy xendriverdomain; do
    ok "$unit is asked for" in_vm systemctl start $unit.service
    ok "and stays off" skipped $unit.service
done
is "nothing is forwarded" 0 forwarding

# shellcheck disable=SC2016 # Perl's variables
asks_agent() { # USER
    in_vm setpriv --reuid="$1" --regid="$1" --init-groups perl -MIO::Socket::UNIX -e \
        'IO::Socket::UNIX->new(Peer => "/run/qubes/qrexec-agent") or die "$!\n"'
}
ok "the user of the qube reaches qrexec's agent" asks_agent user
ok "the gateway does not" not asks_agent vpn-gateway

ok "the wall's unit starts again" in_vm systemctl restart vpn-gateway-wall.service
ok "and the service with it" wait_for 10 another_process "$pid"
ok "the tunnel is up, a page passes" up_again
pid=$(main_pid)
signal KILL "$pid"
ok "killed" wait_for 10 another_process "$pid"
ok "behind its wall" walled
ok "it is up again, a page passes" up_again

in_vm mkdir -p /run/systemd/system/vpn-gateway.service.d
in_vm sh -c 'printf "[Service]\nWatchdogSec=2\nTimeoutStopSec=2\n" >/run/systemd/system/vpn-gateway.service.d/soon.conf'
in_vm systemctl daemon-reload
ok "with a watchdog that is sooner" again
pid=$(main_pid)
signal STOP "$pid"
ok "it hangs, and is ended" wait_for 20 another_process "$pid"
ok "by the watchdog" eval "journal -u vpn-gateway | grep -i 'watchdog timeout'"
ok "it is up again, a page passes" up_again
in_vm rm /run/systemd/system/vpn-gateway.service.d/soon.conf
in_vm systemctl daemon-reload

# How often it has connected so far, whichever process.
connections() { journal -u vpn-gateway | grep -c 'tunnel: connecting to '; }
reconnected() { [ "$(connections)" -gt "$connected" ] && gateway_up; }
connected=$(connections)
ok "asked to read its profile again" in_vm systemctl reload vpn-gateway.service
ok "it connects anew" wait_for 20 reconnected
connected=$(connections)
ok "after a suspend Qubes runs what the package left" in_vm /etc/qubes/suspend-post.d/20-vpn-gateway.sh
ok "and it connects anew" wait_for 20 reconnected

# --- systemd's own judgement ------------------------------------------------------------------------------------------

ours=(vpn-gateway.service vpn-gateway-wall.service vpn-gateway-announce.service)
verified() { prints '' in_vm systemd-analyze verify --man=no "${ours[@]}" vpn-gateway-announce.socket; }
exposure() { # UNIT LIMIT: at most ten times this
    in_vm systemd-analyze security --no-pager --offline=yes --threshold="$2" "/usr/lib/systemd/system/$1"
}
ok "systemd-analyze verify has nothing to say" verified
ok "systemd-analyze security: the service has 1.7 or less" exposure vpn-gateway.service 17
ok "the wall 2.5 or less" exposure vpn-gateway-wall.service 25

# --- An end, and what the journal has ---------------------------------------------------------------------------------

told=$(wc -l <"$work/server.log")
ok "the service is stopped" in_vm systemctl stop vpn-gateway.service
ok "the server was told" wait_for 5 server_said "$told" 'client/.*exit message received by peer'
ok "the service starts" again
# Nothing orders the service and the card when the qube ends: the server may be told, or not.
ok "the qube ends in order" qube_off
left_in_order() { # the last journal
    grep 'vpn-gateway.service: Deactivated successfully' "$work/last.log" &&
        not grep -E 'vpn-gateway.*(SIGKILL|timed out)' "$work/last.log"
}
ok "the service ended by itself" left_in_order
server_stop

# --- Upgrade, removal -------------------------------------------------------------------------------------------------

# Dom0's defaults, this time: without the package the kernel would forward.
dom0_keys '/qubes-service/vpn-gateway 1' '/vm-config/vpn-profile client.ovpn'
must "another start" qube_on
is "nothing is forwarded" 0 forwarding
plug
server_return
ok "the tunnel is up" wait_for 20 gateway_up
pid=$(main_pid)
newer() {
    dpkg-deb -R "$work/packages/ours.deb" "$work/packages/newer"
    sed -i 's/^Version: .*/&.1/' "$work/packages/newer/DEBIAN/control"
    dpkg-deb -Znone --build "$work/packages/newer" "$work/dom0/newer.deb"
}
ok "a newer package is made" newer
ok "and installed while the service runs" in_vm dpkg --install /dom0/newer.deb
ok "which is of the new one then" wait_for 10 another_process "$pid"
ok "the tunnel is up, a page passes" up_again
ok "the package is removed" in_vm dpkg --remove qubes-vpn-gateway
ok "the wall stays" walled
is "no unit of it is left" '' in_vm sh -c 'ls -d /usr/lib/systemd/system/vpn-gateway* /etc/systemd/system/*/vpn-gateway* \
    2>/dev/null || :'
kernel_card
ok "systemd reads its units again" in_vm systemctl daemon-reload
ok "Qubes' network starts" in_vm systemctl start qubes-network.service
is "which forwards" 1 forwarding
ok "and the wall holds it" no_page
ok "the package is purged" in_vm dpkg --purge qubes-vpn-gateway
is "nothing is left in /etc" '' in_vm find /etc -name '*vpn-gateway*' ! -path '/etc/systemd/*card.conf' ! -name vpn-gateway.service.d
ok "but the profile is the user's" test -e "$profiles/client.ovpn"
ok "the wall still stands" no_page
capture_stop
ok "until here the outer link carried only the VPN" leak_check
in_vm nft delete table inet vpn_gateway
in_vm nft delete table netdev vpn_gateway 2>/dev/null || true
ok "without it the qube would be in clear" page
kernel_card_out
ok "the qube ends" qube_off

# --- Without the package, without the service -------------------------------------------------------------------------

service_off() {
    dom0_keys
    qube_on && kernel_card
}
must "a qube of this template that is to be no VPN gateway starts" service_off
for unit in vpn-gateway.service vpn-gateway-wall.service vpn-gateway-announce.socket; do ok "$unit stays off" skipped $unit; done
is "the kernel forwards" 1 forwarding
ok "a page passes, as Qubes has it" page
ok "no unit has failed" no_failed_unit
kernel_card_out
ok "the qube ends" qube_off

ok "the package is erased in the template" in_template dpkg --purge qubes-vpn-gateway
dom0_keys '/qubes-service/vpn-gateway 1'
must "the gateway qube starts without it" qube_on
kernel_card
is "nothing is forwarded, though dom0's defaults want it" 0 forwarding
ok "nothing passes" no_page
ok "the journal says why" eval "journal | grep 'does not have the package'"
kernel_card_out
ok "the qube ends" qube_off
rm "$work/dom0/private/config/qubes-firewall.d/90-vpn-gateway-closed"
must "a start without what the package left in the private volume" qube_on
kernel_card
ok "forwards in clear: this is what that is for" page
kernel_card_out
ok "the qube ends" qube_off

# The journals of all starts.
killed() { grep -nE 'status=31/SYS|SIGSYS|core-dump|dumped core|ordering cycle' "$work/gateway.log"; }
ok "no system call was refused with a signal, no process dumped core, no order was left out" not killed
finish true
