#!/bin/bash
# A server that wants a part of the traffic only: what its routes carry passes, what they leave out is refused with a
# word, and of neither anything leaves beside the tunnel.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
inside=198.51.100.81
left_out=198.51.100.82
elsewhere=203.0.113.80
for address in $inside $left_out $elsewhere; do
    ip -n "$internet" address add $address/32 dev lo
    spawn "$work/web-more.log" "$internet" busybox httpd -f -p $address:80 -h "$work/www"
done

page() { in_qube curl -s --max-time 60 "http://$1/"; }
refused() { # ADDRESS: nobody has to wait, by curl's "could not connect"
    local code=0
    in_qube curl -s --max-time 60 -o /dev/null "http://$1/" || code=$?
    echo "code $code"
    [ $code = 7 ]
}
# A kernel whose socket is just at work forgets the first ICMP error, and asks again.
no_route() { [ "$(gateway_field qubes.0.drops.NO_ROUTE)" -ge "$1" ]; }

server_start tls-crypt 'push "route 198.51.100.0 255.255.255.0"' \
    "push \"route $left_out 255.255.255.255 net_gateway\"" "push \"route $resolver_address 255.255.255.255\""
profile client.ovpn tls-crypt 'pull-filter ignore "redirect-gateway"'
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up
is "without the default route" false gateway_field tunnel.default_route_ipv4
is "what a route carries passes" "You came through the tunnel." page $inside
is "by name too" "You came through the tunnel." page $site
ok "what none carries is refused with a word" refused $elsewhere
ok "what a longer one leaves out as well" refused $left_out
ok "counted, both" no_route 2

# The same without the exception, and with the default route.
gateway_stop
profile client.ovpn tls-crypt 'pull-filter ignore "route 198.51.100.82"'
gateway_start client.ovpn
ok "up with the default route" wait_for 10 gateway_up
is "everything passes: elsewhere" "You came through the tunnel." page $elsewhere
is "everything passes: what was left out" "You came through the tunnel." page $left_out

# More routes than a server usually pushes; what the last of them carries passes.
gateway_stop
server_stop
many=()
for i in {1..1000}; do many+=("push \"route 10.$((64 + i / 256)).$((i % 256)).0 255.255.255.0\""); done
server_start tls-crypt "${many[@]}" "push \"route $inside 255.255.255.255\""
profile client.ovpn tls-crypt 'pull-filter ignore "redirect-gateway"'
gateway_start client.ovpn
ok "up with a thousand routes" wait_for 20 gateway_up
routes() { gateway_status --json | json tunnel.routes.1000.to; }
is "each is kept" $inside/32 routes
is "what the last carries passes" "You came through the tunnel." page $inside
finish
