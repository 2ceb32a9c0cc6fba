#!/bin/bash
# Whatever a server may want to know of a person before it lets the gateway in, and what stands for it afterwards: names
# and passwords, tokens, challenges of each kind, a browser, the password of the private key.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
secrets=(correct-horse-battery wrong-donkey-charger 271828 tell-me-the-key)

# The name says how the server deals with it. What it was asked is kept.
cat >"$work/verify" <<END
#!/bin/bash
{ read -r name && read -r password; } <"\$1"
echo "\$name \$password" >>"$work/asked"
encoded() { printf %s "\$1" | base64; }
pending() { # METHOD TEXT
    printf '20\n%s\n%s\n' "\$1" "\$2" >"\$auth_pending_file"
    for ((turn = 0; turn < 100; turn++)); do
        [ ! -e "$work/approved" ] || { echo 1 >"\$auth_control_file" && exit; }
        sleep 0.1
    done >/dev/null 2>&1 &
    exit 2
}
case \$name in
plain) [ "\$password" = correct-horse-battery ] ;;
static) [ "\$password" = "SCRV1:\$(encoded correct-horse-battery):\$(encoded 271828)" ] ;;
dynamic)
    [ "\$password" != CRV1::state-77::blue ] || exit 0
    [ "\$password" != correct-horse-battery ] ||
        printf 'CRV1:R,E:state-77:%s:Favourite colour?' "\$(encoded dynamic)" >"\$auth_failed_reason_file"
    exit 1
    ;;
busy)
    [ -e "$work/busy" ] && exit 0
    touch "$work/busy"
    printf 'TEMP[backoff 1,advance no]:come back soon' >"\$auth_failed_reason_file"
    exit 1
    ;;
browser) pending webauth WEB_AUTH::https://login.example.net/q ;;
text) pending crtext 'CR_TEXT:R,E:The number on your card?' ;;
*) exit 1 ;;
esac
END
# The answer to CR_TEXT.
cat >"$work/answered" <<END
#!/bin/bash
[ "\$(base64 -d "\$1")" != 4711 ] || touch "$work/approved"
END
chmod 755 "$work/verify" "$work/answered"

server() { # [LINE]...
    : >"$work/asked"
    rm -f "$work/approved"
    server_start tls-crypt 'script-security 2' "auth-user-pass-verify $work/verify via-file" \
        "client-crresponse $work/answered" "$@"
}
gateway_with() { # NAME PASSWORD [LINE]...
    local name=$1 password=$2
    shift 2
    profile client.ovpn tls-crypt "$@"
    [ -z "$name" ] || printf '%s\n' '<auth-user-pass>' "$name" "$password" '</auth-user-pass>' >>"$work/client.ovpn"
    gateway_start client.ovpn -v
}
asked() { wc -l <"$work/asked"; }
question_is() { [ "$(gateway_field question)" = "$1" ]; }
asks() { # NAME QUESTION WANTED
    ok "$1: asks" wait_for 10 question_is "$2"
    is "$1: for what is missing" "$3" gateway_field wanted
}
login() { printf '%s\n' "$@" | "$program" login --control "$work/control"; }
page() { prints "You came through the tunnel." in_qube curl -s --max-time 10 http://$site/; }
is_up() { # NAME
    ok "$1: up" wait_for 10 gateway_up
    ok "$1: a page" page
}
finished() { gateway_stop; server_stop; }

server
gateway_with '' '' auth-user-pass
asks "name and password" 'User name and password' '["username","password"]'
login plain wrong-donkey-charger
asks "a wrong one" 'User name and password; the server refuses those it got' '["username","password"]'
ok "a wrong one: nothing passes" not in_qube curl -s --max-time 3 -o /dev/null http://$web_address/
login '' correct-horse-battery
is_up "the name stays, another password"
finished

server
gateway_with static correct-horse-battery 'static-challenge "Code of the day" 1'
asks "static challenge" 'Code of the day' '["response"]'
login 271828
is_up "static challenge"
finished

server
gateway_with dynamic correct-horse-battery
asks "dynamic challenge" 'Favourite colour?' '["response"]'
login green
asks "dynamic challenge, a wrong answer, and the question comes again" 'Favourite colour?' '["response"]'
login blue
is_up "dynamic challenge"
finished

server
gateway_with text correct-horse-battery
asks "a question while the server holds back its push" 'The number on your card?' '["response"]'
login 4711
is_up "a question while the server holds back its push"
finished

server
gateway_with browser correct-horse-battery
asks "browser" 'Log in with a browser: https://login.example.net/q' '[]'
ok "browser: waits meanwhile" prints 'awaiting push reply' gateway_field state
touch "$work/approved"
is_up "browser"
finished

server
gateway_with busy correct-horse-battery
ok "told to come back: does, and is let in" wait_for 10 gateway_up
is "told to come back: was asked twice" 2 asked
finished

server 'auth-gen-token'
gateway_with plain correct-horse-battery 'reneg-sec 1'
is_up "token"
twice() { [ "$(gateway_field negotiations)" -ge 3 ]; }
ok "token: negotiates twice more" wait_for 5 twice
is "token: the password was asked for once" 1 asked
"$program" reconnect --control "$work/control"
again() { [ "$(gateway_field reconnects)" = 1 ] && gateway_up; }
ok "token: connects again" wait_for 10 again
is "token: and still once" 1 asked
finished

server 'auth-gen-token 3'
gateway_with plain correct-horse-battery 'reneg-sec 1'
is_up "token for three seconds"
replaced() { [ "$(asked)" = 2 ] && gateway_up; }
ok "token for three seconds: expires, the password is asked for and the tunnel comes again" wait_for 15 replaced
finished

# A person's password is not kept, but the token is there.
server 'auth-gen-token'
gateway_with '' '' auth-user-pass 'reneg-sec 1'
asks "a person's password and a token" 'User name and password' '["username","password"]'
login plain correct-horse-battery
is_up "a person's password and a token"
ok "a person's password and a token: negotiates twice more" wait_for 5 twice
is "a person's password and a token: nothing is asked again" null gateway_field question
finished

openssl pkey -in "$work/client.key" -aes256 -passout pass:tell-me-the-key -out "$work/locked.key"
server_start tls-crypt
profile client.ovpn tls-crypt
sed -i '/^<key>/,/^<\/key>/d' "$work/client.ovpn"
inline key locked.key >>"$work/client.ovpn"
gateway_start client.ovpn -v
asks "encrypted key" 'The password of the private key' '["password"]'
login wrong-donkey-charger
asks "encrypted key, a wrong password" 'The password of the private key' '["password"]'
login tell-me-the-key
is_up "encrypted key"
finish
