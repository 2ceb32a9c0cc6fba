#!/bin/bash
# Everything that dom0 says, as it says it: rules and settings written into QubesDB, changed, broken and taken away while
# packets flow; the gateway moved to another server; QubesDB dead and back.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 240

other_server=192.0.2.3
other_web=198.51.100.81
dead_port=1199
flows+=("udp/$gateway_address/$other_server/$server_port" "udp/$gateway_address/$server_address/$dead_port")

# shellcheck source=tests/system/dom0.sh
. "$(dirname "$0")/dom0.sh" || exit 1

# --- What it comes to -------------------------------------------------------------------------------------------------

field_is() { [ "$(gateway_field "$1")" = "$2" ]; }
no_problem() { [ "$(gateway_field problems)" = '[]' ]; }

page() { in_qube curl -s --max-time 60 "http://${1:-$web_address}/"; }
refused() { ! in_qube curl -s --max-time 5 "http://${1:-$web_address}/"; }
name() { in_qube timeout 5 getent ahostsv4 $site; }
setting() { # NAME: its value and origin
    "$program" settings --control "$work/control" | sed -n "s/^$1  *//p"
}

# --- The stage --------------------------------------------------------------------------------------------------------

ip -n "$internet" address add $other_server/24 dev wan
ip -n "$internet" address add $other_web/32 dev lo
spawn "$work/web.log" "$internet" busybox httpd -f -p $other_web:80 -h "$work/www"
web_file large 24M

profile client.ovpn tls-crypt
remotes=('proto udp4' "remote $other_server $server_port")
profile other.ovpn tls-crypt
remotes=('proto udp4' "remote $server_address $dead_port")
profile dead.ovpn tls-crypt 'connect-timeout 2'
mkdir "$work/profiles"
mv "$work"/*.ovpn "$work/profiles"
printf 'client\nremote\n' >"$work/profiles/broken.ovpn"

server_start tls-crypt 'keepalive 1 60' 'push "ifconfig-ipv6 fd00:8::2/64 fd00:8::1"'
sed -e 's/tun0/tun1/' -e 's/10\.8\./10.9./' -e "s/^local .*/local $other_server/" "$work/server.conf" >"$work/other.conf"
: >"$work/other.log"
spawn "$work/other.log" "$internet" openvpn --config "$work/other.conf"
wait_for 5 grep -q 'Initialization Sequence Completed' "$work/other.log"

# As its unit starts it: no profile, a QubesDB that is not there yet.
gateway_of_dom0 --profiles "$work/profiles"

# --- From nothing to a tunnel -----------------------------------------------------------------------------------------

ok "without a QubesDB it serves, and says what it waits for" wait_for 10 says 'QubesDB does not answer'
ok "nothing passes" refused
qubesdb_start
ok "QubesDB comes, and has nothing: status says what to do" wait_for 10 says 'vm-config\.vpn-profile'
feature vpn-profile client.ovpn
ok "a profile is named: up" wait_for 10 gateway_up
is "settings says who named it" 'client.ovpn  (vm-config)' setting vpn-profile
ok "no rules: nothing passes" refused
ok "and status says so" says 'drop \(no rules yet\)'
dom0 /connected-ips 10.137.0.99
ok "dom0 counts others among the qubes: status names the one that it does not" wait_for 5 says "$qube_address.*connected-ips"
dom0 /connected-ips "10.137.0.99 $qube_address"
ok "and does not when it does" wait_for 5 no_problem

# --- Rules ------------------------------------------------------------------------------------------------------------

accept_web="action=accept dst4=$web_address/32 proto=tcp dstports=80-80"
accept_other="action=accept dst4=$other_web/32 proto=tcp dstports=80-80"
set_rules "$accept_web" "$accept_other" 'action=accept specialtarget=dns'
ok "rules: counted as handled" wait_for 5 handled_more_than 0
is "what is allowed passes" "You came through the tunnel." page
is "so does the other" "You came through the tunnel." page $other_web
ok "names, as allowed" wait_for 5 name
is "what is not allowed does not" 0 in_qube perl "$system/udp" ask $web_address 7 1 10

# Two downloads; the rules change under them.
# Those that are to break off are slow: on a busy machine, too, they run when the rules change.
download() { # NAME HOST [RATE]: in the background; its exit code and the file's digest are left in files
    in_qube sh -c 'curl -s --limit-rate "$3" --speed-limit 1000 --speed-time 3 -o "$1.got" "http://$2/large"
        echo $? >"$1.code"' sh "$work/$1" "$2" "${3:-3M}" >/dev/null 2>&1 </dev/null &
    disown
}
received() { stat -c %s "$work/$1.got" 2>/dev/null || echo 0; }
receives() { [ "$(received "$1")" -gt 2000000 ]; }
ended_with() {
    cat "$work/$1.code"
    [ "$(cat "$work/$1.code")" = "$2" ]
}
failed() { [ -s "$work/$1.code" ] && not ended_with "$1" 0; }
whole() { [ "$(sha256sum <"$work/$1.got" | cut -d ' ' -f 1)" = "$(checksum large)" ]; }
download allowed $web_address
download forbidden $other_web 1M
ok "two downloads run" wait_for 5 receives forbidden
before=$(times_handled)
set_rules "$accept_web"
ok "one of them is forbidden" wait_for 5 handled_more_than "$before"
ok "it ends for want of bytes" wait_for 40 failed forbidden
ok "far from its end" test "$(received forbidden)" -lt 24000000
ok "the other one goes on to its end" wait_for 40 ended_with allowed 0
ok "and is whole" whole allowed
ok "and the forbidden one may not begin again" refused $other_web
ok "nor are names asked for" not name

download broken $web_address 1M
ok "a download runs" wait_for 5 receives broken
before=$(times_handled)
set_rules "$accept_web" 'action=accept dst4=everywhere'
ok "a rule that is none: handled" wait_for 5 handled_more_than "$before"
ok "everything is dropped" refused
ok "the download, too" wait_for 40 failed broken
ok "and status names it" says 'rules .*everywhere|rules .*dst4'
set_rules "$accept_web"
ok "put right: it passes again" wait_for 5 page
download removed $web_address 1M
ok "a download runs" wait_for 5 receives removed
db rm "$rules/" >/dev/null
db rm "$rules" >/dev/null
ok "rules taken away: nothing passes" wait_for 5 refused
ok "the download ends, too" wait_for 40 failed removed
set_rules 'action=accept'
ok "and again" wait_for 5 page

# --- Settings ---------------------------------------------------------------------------------------------------------

granted=$(gateway_field tunnel.mtu)
connected=$(connections)
feature vpn-mtu 1300
ok "a smaller MTU" wait_for 5 field_is tunnel.mtu 1300
feature vpn-mtu enormous
ok "a wrong one is named" wait_for 5 says 'problem .*vpn-mtu.* 576 to 9000'
is "the one before stays active" 1300 gateway_field tunnel.mtu
is "and is shown as such" "1300  (vm-config)" setting vpn-mtu
feature vpn-mtu 9000
ok "a larger one than the tunnel's opens nothing" wait_for 5 field_is tunnel.mtu "$granted"
ok "and is not wrong" no_problem
feature vpn-mtu
ok "without it the server's" wait_for 5 prints "1500  (server; $granted in use, all the path to the server carries)" setting vpn-mtu

feature vpn-dns 203.0.113.99
ok "another resolver" wait_for 5 field_is tunnel.resolvers.0 203.0.113.99
ok "which has no answer" not name
feature vpn-dns 'not an address'
ok "a wrong one is named" wait_for 5 says 'problem .*vpn-dns'
is "the one before stays" 203.0.113.99 gateway_field tunnel.resolvers.0
feature vpn-dns
ok "without it the server's" wait_for 5 field_is tunnel.resolvers.0 $resolver_address
ok "which answers" wait_for 5 name
feature vpn-dns "203.0.113.99 $resolver_address"
ok "two, of which the first is silent" wait_for 5 field_is tunnel.resolvers.1 $resolver_address
asks_first() { in_qube timeout 3 busybox nslookup -type=a $site 10.139.1.1; }
ok "the second answers for it" wait_for 15 asks_first
feature vpn-dns pushed
ok "the server's, by that word" wait_for 5 field_is tunnel.resolvers.0 $resolver_address
ok "which is shown as such" wait_for 5 prints 'pushed  (vm-config)' setting vpn-dns
ok "and they answer" wait_for 5 name
feature vpn-dns
ok "and without it" wait_for 5 field_is tunnel.resolvers.0 $resolver_address
feature vpn-dns 'not an address'
ok "a wrong one with none before: no resolver" wait_for 5 field_is tunnel.resolvers '[]'
feature vpn-dns
ok "taken back" wait_for 5 no_problem

ok "IPv6, as the server gives it" field_is tunnel.ipv6 fd00:8::2/64
feature vpn-ipv6 ''
ok "IPv6 off, as Qubes' tools write it" wait_for 5 field_is tunnel.ipv6 null
feature vpn-ipv6 perhaps
ok "a wrong value is named" wait_for 5 says 'problem .*vpn-ipv6'
is "it stays off" null gateway_field tunnel.ipv6
feature vpn-ipv6 on
ok "on" wait_for 5 field_is tunnel.ipv6 fd00:8::2/64
feature vpn-ipv6

feature vpn-log-level debug
ok "log level" wait_for 5 prints 'debug  (vm-config)' setting vpn-log-level
"$program" log-level warn --control "$work/control"
is "the order is above it" 'warn  (log-level command)' setting vpn-log-level
"$program" log-level default --control "$work/control"
ok "until it is taken back" wait_for 5 prints 'debug  (vm-config)' setting vpn-log-level
feature vpn-log-level
is "no setting made a new connection" "$connected" connections

# --- Another server ---------------------------------------------------------------------------------------------------

feature vpn-profile other.ovpn
ok "another profile: up at the other server" wait_for 10 up_at $other_server
is "with its address" 10.9.0.2/24 gateway_field tunnel.ipv4
ok "the first one was told" wait_for 3 server_said 0 'client/.*exit message received by peer'
is "a page through it" "You came through the tunnel." page
connected=$(connections)
feature vpn-profile broken.ovpn
ok "a broken profile is named" wait_for 5 says 'problem .*broken\.ovpn:2: error'
feature vpn-profile absent.ovpn
ok "an absent one is" wait_for 5 says 'problem .*absent\.ovpn: error: there is no such file'
feature vpn-profile ../client.ovpn
ok "one outside of the directory is" wait_for 5 says 'problem .*vpn-profile: a profile is the name of a file'
is "the good one stays in force all the time" "$connected" connections
is "and works" "You came through the tunnel." page
feature vpn-profile absent.ovpn
ok "the absent one once more" wait_for 5 says 'problem .*absent'
cp "$work/profiles/client.ovpn" "$work/profiles/absent.ovpn"
ok "comes into being: up at its server" wait_for 10 up_at $server_address
ok "nothing is wrong any more" no_problem
is "a page through it" "You came through the tunnel." page

connected=$(connections)
feature vpn-profile 'absent.ovpn other.ovpn'
ok "a longer list" wait_for 5 prints 'absent.ovpn other.ovpn  (vm-config)' setting vpn-profile
is "is no reason to connect anew" "$connected" connections
feature vpn-profile 'dead.ovpn broken.ovpn other.ovpn'
ok "the first of several is dead, the second broken: up at the third" wait_for 20 up_at $other_server
ok "and the dead one is named" says 'problem .*dead\.ovpn: no answer'
feature vpn-profile client.ovpn
ok "back to the first server" wait_for 10 up_at $server_address

feature vpn-remote "$other_server:$server_port/udp"
ok "the server alone is another" wait_for 10 up_at $other_server
feature vpn-remote 'nonsense://'
ok "a wrong one is named" wait_for 5 says 'problem .*vpn-remote'
ok "the one before stays" up_at $other_server
feature vpn-remote
ok "without it the profile's" wait_for 10 up_at $server_address

feature vpn-proxy 'http://192.0.2.9:3128'
ok "a proxy that the profile cannot use: nothing is connected to" wait_for 5 says '^reason .*HTTP proxy'
ok "nothing passes" refused
feature vpn-proxy
ok "without it: up" wait_for 10 gateway_up
feature vpn-proxy 'nonsense'
ok "a wrong proxy with none before: nothing is connected to" wait_for 5 says '^reason .*vpn-proxy'
feature vpn-proxy
ok "taken back: up" wait_for 10 gateway_up

connected=$(connections)
kill -HUP "$client_pid"
anew() { [ "$(connections)" -gt "$connected" ] && gateway_up; }
ok "SIGHUP: up with the profile read again" wait_for 10 anew

# --- QubesDB dies -----------------------------------------------------------------------------------------------------

rm -f "$work"/allowed.*
download allowed $web_address
ok "a download runs" wait_for 5 receives allowed
qubesdb_kill
connected=$(connections)
ok "QubesDB is killed: status says so" wait_for 10 says 'QubesDB does not answer'
ok "rules stay" page
qubesdb_start '/vm-config/vpn-profile client.ovpn' '/vm-config/vpn-mtu 1250' "$rules/policy drop" \
    "$rules/0000 $accept_web" "$rules"
ok "it is there again, with another setting: in force" wait_for 15 field_is tunnel.mtu 1250
ok "the download went on all the time" wait_for 40 ended_with allowed 0
ok "and is whole" whole allowed
ok "rules of the time between are in force" refused $other_web
is "and what they allow passes" "You came through the tunnel." page
is "the tunnel stood all the time" "$connected" connections

feature vpn-profile
ok "no profile any more: nothing is connected to" wait_for 5 says 'there is no profile'
ok "nothing passes" refused
feature vpn-profile client.ovpn
ok "and again" wait_for 10 gateway_up
ok "stop" "$program" stop --control "$work/control"
ok "it ends" wait_for 5 gone "$client_pid"
client_pid=
qubesdb_kill
finish
