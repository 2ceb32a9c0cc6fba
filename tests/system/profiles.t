#!/bin/bash
# Several profiles in turn, profiles that give up, files that change; and a profile of the command line without a QubesDB.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 180
# shellcheck source=tests/system/dom0.sh
. "$(dirname "$0")/dom0.sh" || exit 1

other_server=192.0.2.3
dead_port=1199
flows+=("udp/$gateway_address/$other_server/$server_port" "udp/$gateway_address/$server_address/$dead_port")
ip -n "$internet" address add $other_server/24 dev wan

profile client.ovpn tls-crypt 'connect-timeout 4'
remotes=('proto udp4' "remote $other_server $server_port")
profile other.ovpn tls-crypt 'connect-timeout 4'
remotes=('proto udp4' "remote $server_address $dead_port")
profile once.ovpn tls-crypt 'connect-timeout 2' 'connect-retry-max 1'
mkdir "$work/profiles"
mv "$work"/*.ovpn "$work/profiles"

server_start tls-crypt
sed -e 's/tun0/tun1/' -e 's/10\.8\./10.9./' -e "s/^local .*/local $other_server/" "$work/server.conf" >"$work/other.conf"
: >"$work/other.log"
other_start() {
    spawn "$work/other.log" "$internet" openvpn --config "$work/other.conf"
    other_pid=$spawned
}
other_start

page() { in_qube curl -s --max-time 60 http://$web_address/; }
nothing_passes() { not in_qube curl -s --max-time 5 http://$web_address/; }

# --- Of several the next ----------------------------------------------------------------------------------------------

qubesdb_start '/vm-config/vpn-profile client.ovpn other.ovpn' "$rules/policy drop" "$rules/0000 action=accept" "$rules"
gateway_of_dom0 --profiles "$work/profiles"
ok "the first of two: up" wait_for 10 up_at $server_address
is "a page" "You came through the tunnel." page
server_kill
ok "its server dies: up at the second's" wait_for 25 up_at $other_server
is "a page" "You came through the tunnel." page
ok "the log names both" grep -qx 'tunnel: client.ovpn: all servers failed, trying other.ovpn' "$work/gateway.log"
ok "status names the first" says 'problem .*client\.ovpn: '
end_process KILL "$other_pid"
ok "the second's dies, too: down" wait_for 15 not gateway_up
ok "nothing passes" nothing_passes
both_tried() { # since that line of the log
    [ "$(tail -n "+$1" "$work/gateway.log" | grep -c '^tunnel: the active profile is .*client\.ovpn')" -ge 2 ] &&
        [ "$(tail -n "+$1" "$work/gateway.log" | grep -c '^tunnel: the active profile is .*other\.ovpn')" -ge 2 ]
}
ok "both are tried in turn" wait_for 40 both_tried "$(wc -l <"$work/gateway.log")"
other_start
ok "one is back: up" wait_for 20 up_at $other_server
is "a page" "You came through the tunnel." page
server_return
sleep 2
ok "and the tunnel stays where it is" up_at $other_server

# --- Files that change ------------------------------------------------------------------------------------------------

feature vpn-profile client.ovpn
ok "one profile: up" wait_for 10 up_at $server_address
cp "$work/profiles/client.ovpn" "$work/profiles/good"
echo 'remote' >>"$work/profiles/client.ovpn"
kill -HUP "$client_pid"
ok "the file is broken, SIGHUP: it is named" wait_for 5 says 'problem .*client\.ovpn:[0-9]+: error'
ok "what was read before is in force" wait_for 10 up_at $server_address
sed "s/^remote .*/remote $other_server $server_port/" "$work/profiles/good" >"$work/profiles/fresh"
mv "$work/profiles/fresh" "$work/profiles/client.ovpn"
ok "it is put right: taken by itself" wait_for 10 up_at $other_server
is "a page" "You came through the tunnel." page

# --- A profile that gives up ------------------------------------------------------------------------------------------

feature vpn-profile once.ovpn
ok "connect-retry-max is over: the gateway goes on serving" wait_for 15 says '^VPN +stopped'
ok "and says why" says 'reason .*last attempt'
ok "nothing passes" nothing_passes
connected=$(connections)
"$program" reconnect --control "$work/control"
anew() { [ "$(connections)" -gt "$connected" ]; }
ok "reconnect tries once more" wait_for 5 anew
ok "in vain" wait_for 15 says '^VPN +stopped'
feature vpn-profile 'once.ovpn other.ovpn'
ok "with another one behind it: up there" wait_for 25 up_at $other_server
is "a page" "You came through the tunnel." page
qubesdb_kill
gateway_stop

# --- The command line's, and no QubesDB -------------------------------------------------------------------------------

ok "its card is gone with it" wait_for 5 not ip -n "$qube" link show eth0
gateway_of_dom0 --profile "$work/profiles/other.ovpn"
ok "it serves" wait_for 5 says 'reason .*waiting for the settings of dom0'
ok "after some seconds it connects" wait_for 15 up_at $other_server
ok "without rules nothing passes" nothing_passes
qubesdb_start '/vm-config/vpn-profile client.ovpn' "$rules/policy drop" "$rules/0000 action=accept" "$rules"
ok "they come: it does" wait_for 10 page
ok "the command line's profile stays" up_at $other_server
qubesdb_kill
end_process TERM "$other_pid"
finish
