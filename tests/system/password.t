#!/bin/bash
# A server that asks for a name and a password. Neither the right nor a wrong one is ever in a log.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
secrets=(correct-horse-battery wrong-donkey-charger)
cat >"$work/verify" <<'END'
#!/bin/sh
{ read -r name && read -r password; } <"$1" && [ "$name" = qube-user ] && [ "$password" = correct-horse-battery ]
END
chmod 755 "$work/verify"
server_start tls-crypt 'script-security 2' "auth-user-pass-verify $work/verify via-file"

with_password() { # PASSWORD
    profile client.ovpn tls-crypt
    printf '%s\n' '<auth-user-pass>' qube-user "$1" '</auth-user-pass>' >>"$work/client.ovpn"
}

with_password correct-horse-battery
gateway_start client.ovpn -v
ok "the right password: up" wait_for 10 gateway_up
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/
gateway_stop

with_password wrong-donkey-charger
gateway_start client.ovpn -v
refusal() { grep -q 'AUTH_FAILED' "$work/server.log" && grep -qiE 'auth|password' "$work/gateway.log"; }
ok "a wrong password: refused" wait_for 10 refusal
sleep 1
ok "and it stays closed" not gateway_up
ok "nothing passes" not in_qube curl -s --max-time 3 -o /dev/null http://$web_address/
finish
