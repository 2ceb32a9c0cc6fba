# shellcheck shell=bash
# What a user of the package meets between installing it and erasing it, on the root of $release.
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
capture_start
profile client.ovpn tls-crypt
server_start tls-crypt

# A unit is there before another: both are, and it was first.
before() { # UNIT UNIT
    local first second
    first=$(property "$1" ActiveEnterTimestampMonotonic)
    second=$(property "$2" ExecMainStartTimestampMonotonic)
    echo "$1: there at $first; $2: begins at $second"
    [ "$first" -gt 0 ] && [ "$second" -gt 0 ] && [ "$first" -le "$second" ]
}
profiles=$work/dom0/private/config/vpn-gateway
page() { in_qube curl -s --max-time 60 "http://$web_address/"; }
no_failed_unit() { prints '' in_vm systemctl list-units --failed --no-legend --plain; }
# Nothing can be tried without it.
must() { # DESCRIPTION COMMAND...
    ok "$@"
    [ $test_failed = 0 ] || { echo "Bail out!  $1: failed"; exit 1; }
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
ok "the qube ends in order" qube_off

server_stop
capture_stop
ok "the outer link carried only the VPN" leak_check
echo "1..$test_number"
exit $test_failed
