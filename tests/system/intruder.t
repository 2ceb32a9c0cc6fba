#!/bin/bash
# Somebody takes the gateway over and starts a program: the sandbox ends it, the service manager sees by what, the next
# one goes on, and nothing leaks meanwhile.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
[ -z "${SYSTEM_NO_SANDBOX:-}" ] || { echo "1..0 # SKIP it is the sandbox that is tested"; exit 0; }
start 60
profile client.ovpn tls-crypt
server_start tls-crypt

# Its exit code is written down; it is ended by its own id.
# shellcheck disable=SC2016 # expanded by the inner shell
taken_over=(sh -c '"$@" & echo $! >"$0/gateway.pid"; wait $!; echo $? >"$0/gateway.code"' "$work" env
    "LD_PRELOAD=$build/tests/system/preload/intruder.so" "INTRUDER_FILE=$work/now" "INTRUDER_TRACE=$work/trace")
end_code() { # CODE
    wait_for 10 test -s "$work/gateway.code" && prints "$1" cat "$work/gateway.code"
}
start_taken_over() {
    rm -f "$work/now" "$work/gateway.code"
    outside=("${taken_over[@]}")
    gateway_start client.ovpn
    client_pid=$(<"$work/gateway.pid")
    outside=()
}

start_taken_over
ok "up" wait_for 10 gateway_up
touch "$work/now"
ok "ended by SIGSYS, which systemd shows as status=31/SYS" end_code $((128 + 31))
ok "the program did not run" test ! -e "$work/trace"
ok "nothing passes" not in_qube curl -s --max-time 2 -o /dev/null http://$web_address/
client_pid=
rm "$work/now"
gateway_start client.ovpn
ok "the next one is up" wait_for 10 gateway_up
is "and serves" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
gateway_stop

# The proof that the sandbox did it: the same without it.
SYSTEM_NO_SANDBOX=1
start_taken_over
ok "the same without the sandbox: up" wait_for 10 gateway_up
touch "$work/now"
ok "ends as a program that did what it wanted" end_code 0
ok "it ran" test -e "$work/trace"
client_pid=
finish
