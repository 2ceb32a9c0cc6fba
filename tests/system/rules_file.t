#!/bin/bash
# Without QubesDB: firewall rules from a file, which is read again while the gateway runs, and what the command line says of
# the qube's gateway address.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
profile client.ovpn tls-crypt

rules=$work/rules
write_rules() { # RULE...: as a new file in place of the old one
    local number=0
    {
        echo "/qubes-firewall/$qube_address/policy drop"
        for rule; do
            printf '/qubes-firewall/%s/%04d %s\n' $qube_address $number "$rule"
            number=$((number + 1))
        done
    } >"$rules.new"
    mv "$rules.new" "$rules"
}
says() { grep -qE -- "$1" <<<"$(gateway_status)"; }
page() { in_qube curl -s --max-time 5 "http://$1/"; }
came() { [ "$(page $web_address)" = "You came through the tunnel." ]; }
refused() { ! page $web_address; }

write_rules action=accept action=accept
downstream=tap:qube0,ip=$qube_address,gw=$qube_router
gateway_start client.ovpn --rules "$rules"
ok "there is no tunnel: the gateway answers pings to its address all the same" in_qube busybox ping -c 1 -W 20 $qube_router
server_start tls-crypt
ok "up" wait_for 15 gateway_up
ok "the file's rules are in force" wait_for 10 came
packets() { gateway_field traffic.packets_up; }
before=$(packets)
ok "a ping to the gateway" in_qube busybox ping -c 3 -i 0.2 -W 20 $qube_router
is "did not leave through the tunnel" "$before" packets

# A datagram's flow stands; then its rule goes.
asks() { prints 1 in_qube timeout 60 perl "$system/udp" ask $web_address 7 1 100; }
ok "UDP" asks
flows() { gateway_field flows; }
some_flows() { [ "$(flows)" -gt 0 ]; }
ok "a flow stands" some_flows
write_rules 'action=accept specialtarget=dns'
kill -HUP "$client_pid"
ok "SIGHUP: the file is read again" wait_for 10 says "$qube_address +1 "
ok "flows are judged again" wait_for 10 prints 0 flows
ok "up again" wait_for 15 gateway_up
ok "and the page is refused" refused

echo "/qubes-firewall/$qube_address/0009 action=allow" >>"$rules"
kill -HUP "$client_pid"
ok "a broken file is named with its line" wait_for 10 says "problem .*/rules:3: error: $qube_address: rule 0009: bad value"
ok "in the log, too" grep -q "rules:3: error:" "$work/gateway.log"
ok "the rules are what they were" says "$qube_address +1 "
ok "up after it" wait_for 15 gateway_up
ok "and the page is still refused" refused

write_rules action=accept
kill -HUP "$client_pid"
ok "a better file is taken" wait_for 10 came
ok "and nothing is left of the problem" not says problem

# A rule that drops a host name.
unknown_name() { says 'rule 0000 refuses more than it says.*nobody\.example\.net.*no such name'; }
write_rules action=drop\ dsthost=nobody.example.net action=accept
kill -HUP "$client_pid"
ok "a name that does not exist is to be refused: status says that the rule is closed" wait_for 15 unknown_name
ok "up again with it" wait_for 15 gateway_up
ok "and the qube gets nowhere" refused
write_rules "action=drop dsthost=$site proto=tcp" action=accept
kill -HUP "$client_pid"
known_name() { says "$qube_address +2 " && not says 'refuses more' && gateway_up; }
ok "a name that exists: the rule is open once it is resolved" wait_for 15 known_name
ok "its address is refused" refused
ok "what the rule does not mean passes" asks

echo "nonsense" >>"$rules"
not_started() {
    ip netns exec "$gateway" timeout 20 "$program" run --profile "$work/client.ovpn" --qubesdb none --rules "$rules" \
        --downstream tap:qube1,ip=10.137.0.99 --control "$work/control2" >"$work/second.log" 2>&1 && return 1
    cat "$work/second.log"
    grep -q "/rules:[0-9]*: error: a line is" "$work/second.log"
}
ok "with a broken file it does not start, and says why" not_started
finish
