#!/bin/bash
# A qube goes through WireGuard, whose server is Debian's wireguard-go: what it does all day, keys that differ, a server
# that goes and comes back. All that leaves is the tunnel's own flow.
# shellcheck source=tests/system/wireguard.sh
. "$(dirname "$0")/wireguard.sh" || exit 1
wireguard_begin 120
web_file big 50M
wireguard_profile work.conf "PresharedKey = $(cat "$work/wireguard.psk")"

ok "check takes the profile" "$program" check "$work/work.conf"
wireguard_start "preshared_key=$(hex wireguard.psk)"
gateway_start work.conf
ok "the tunnel comes up" wait_for 10 gateway_up
ok "and is connected: the server's resolver answered" wait_for 10 prints connected gateway_field state
is "the address is the profile's" 10.8.0.2/32 gateway_field tunnel.ipv4

ok "ping" in_qube busybox ping -c 3 -W 60 $web_address
is "200 datagrams of all sizes up to the MTU come back" 200 in_qube timeout 300 perl "$system/udp" ask $web_address 7 200 1400
name() { in_qube env "$@" timeout 60 getent ahostsv4 $site | awk '{ print $1; exit }'; }
is "a name over UDP" $web_address name
is "a page by its name" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
is "50 MB down" "$(checksum big)" file_down big
is "50 MB up" "$(checksum big)" file_up big

wireguard_stop
in_qube busybox ping -c 1 -W 1 $web_address >/dev/null || true
ok "a server that is gone is noticed" wait_for 30 not gateway_up
wireguard_start "preshared_key=$(hex wireguard.psk)"
ok "and one that is back, too" wait_for 20 gateway_up
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$web_address/

waits_for() { gateway_status | grep -q "$1"; }
wireguard_configure
"$program" reconnect --control "$work/control"
ok "another preshared key is told" wait_for 20 waits_for 'its preshared key is another'
wireguard_configure "preshared_key=$(hex wireguard.psk)"
ok "and the right one is taken" wait_for 20 gateway_up
finish
