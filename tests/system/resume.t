#!/bin/bash
# The machine slept: the server has forgotten us, and nobody waits until that shows.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
profile client.ovpn tls-crypt
# Nothing would be noticed by missing pings for the length of this test.
server_start tls-crypt 'keepalive 60 300'

sleep_for() { # SECONDS [SECONDS]: of sleep so far, and of the wall clock put forward
    perl -e 'print pack "q<2", @ARGV' "$1" "${2:-0}" | dd of="$work/sleeper" conv=notrunc status=none
}
head -c 16 /dev/zero >"$work/sleeper"
outside=(env "LD_PRELOAD=$build/tests/system/preload/sleeper.so" "SLEEPER_FILE=$work/sleeper")
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/

up_anew() { [ "$(gateway_field reconnects)" = "$1" ] && gateway_up; }
log_says() { grep -q "$1" "$work/gateway.log"; }
sleep_for 3
sleep 1.5
gateway_up
sleep 0.5
ok "a nap is no reason to connect anew" prints 0 gateway_field reconnects
sleep_for 7200
ok "two hours are: up anew" wait_for 10 up_anew 1
ok "the log says why" log_says 'slept for 7[12][0-9][0-9] s: reconnecting'
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
sleep_for 7200 600
ok "a wall clock put forward ten minutes is, too" wait_for 10 up_anew 2
ok "the log says why" log_says 'slept for [56][0-9][0-9] s: reconnecting'
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
finish
