#!/bin/bash
# All questions that a server may ask a person before it lets the gateway in, and what stands for the answers
# afterwards: names and passwords, tokens, challenges of each kind, a browser, the password of the private key.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
# shellcheck source=tests/system/login.sh
. "$system/login.sh"
start 160
secrets=(correct-horse-battery wrong-donkey-charger 271828 tell-me-the-key)

login_scripts

server() { # [LINE]...
    : >"$work/asked"
    rm -f "$work/approved"
    server_start tls-crypt "${login_lines[@]}" "$@"
}
gateway_with() { # NAME PASSWORD [LINE]...
    local name=$1 password=$2
    shift 2
    profile client.ovpn tls-crypt "$@"
    [ -z "$name" ] || printf '%s\n' '<auth-user-pass>' "$name" "$password" '</auth-user-pass>' >>"$work/client.ovpn"
    gateway_start client.ovpn -v
}
asked() { wc -l <"$work/asked"; }
asks() { # NAME QUESTION WANTED
    ok "$1: asks" wait_for 10 question_is "$2"
    is "$1: for what is missing" "$3" gateway_field wanted
}
page() { prints "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/; }
is_up() { # NAME
    ok "$1: up" wait_for 10 gateway_up
    ok "$1: a page" page
}
finished() { gateway_stop; server_stop; }

server
gateway_with '' '' auth-user-pass
asks "name and password" 'User name and password' '["username","password"]'
login plain wrong-donkey-charger
is "a wrong one: login says so" 1 echo $login_code
asks "a wrong one" 'User name and password; the server refuses those it got' '["username","password"]'
ok "a wrong one: nothing passes" not in_qube curl -s --max-time 3 -o /dev/null http://$web_address/
login '' correct-horse-battery
is "the name stays, another password: login says that it worked" 0 echo $login_code
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
is "browser: waits meanwhile" 'waiting for login' gateway_field state
touch "$work/approved"
is_up "browser"
finished

# It would wait a minute for what nobody pushes any more.
server
gateway_with patient correct-horse-battery
held_back() { prints connecting gateway_field state && gateway_field tls | grep -q TLS; }
refused() { gateway_field last_error | grep -qE 'is closed, says ICMP|ICMP says that nobody listens'; }
ok "a server that lets nobody in yet" wait_for 10 held_back
server_kill
ok "it dies, and its host refuses: left" wait_for 40 refused
gateway_stop

server
gateway_with busy correct-horse-battery
ok "told to come back: does, and is let in" wait_for 10 gateway_up
is "told to come back: was asked twice" 2 asked
finished

# In a file, which another profile names as well: read in the sandbox.
server
printf '%s\n' plain correct-horse-battery >"$work/login.pass"
profile other.ovpn tls-crypt 'auth-user-pass login.pass'
gateway_with '' '' 'auth-user-pass ./login.pass'
is_up "a file"
ok "a file: the log says where its content goes" grep 'login.pass. is read .*sent to the server' "$work/gateway.log"
ok "a file: and who else uses it" grep 'is used by the profile .other.ovpn. as well' "$work/gateway.log"
rm "$work/other.ovpn"
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
replaced() { [ "$(asked)" -ge 2 ] && gateway_up; }
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
is "encrypted key, a wrong password: login says so" 1 echo $login_code
asks "encrypted key, a wrong password" 'The password of the private key; the one it got is wrong' '["password"]'
login tell-me-the-key
is_up "encrypted key"
finish
