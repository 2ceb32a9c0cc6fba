#!/bin/bash
# Our own server: OpenVPN's client and ours reach it in every wrapping and move data both ways; what a person can ask
# of it; what a wrong configuration gets; and that nobody is bothered by strangers.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 180
server=gateway
secrets=(correct-horse wrong-donkey)
web_file big 30M
openvpn --genkey tls-auth "$work/tls-auth.key"
"$program" genkey tls-crypt-v2-server "$work/v2-server.key"
"$program" genkey tls-crypt-v2-client --server-key "$work/v2-server.key" "$work/tls-crypt-v2.key"

# --- A configuration that is none --------------------------------------------------------------------------------------

refused() { # PATTERN LINE...
    local pattern=$1 status=0
    shift
    printf '%s\n' "$@" >"$work/broken.conf"
    timeout 60 "$program" serve --config "$work/broken.conf" --control "$work/server.control" >"$work/broken.log" 2>&1 ||
        status=$?
    cat "$work/broken.log"
    [ $status = 2 ] && grep -q -- "$pattern" "$work/broken.log"
}
ok "an unknown option is named with its line" refused 'broken.conf:2: error: unknown option' 'port 1194' 'porrt 1194'
ok "a client's option is told apart" refused "broken.conf:1: error: .redirect-gateway. is a client's option" \
    'redirect-gateway def1'
ok "what is missing is named" refused 'broken.conf: error: .cert. is missing' 'server 10.8.0.0 255.255.255.0'

# --- Every wrapping, either client ---------------------------------------------------------------------------------------
moves_data() { # DESCRIPTION
    ok "$1: up" wait_for 10 gateway_up
    is "$1: 30 MB down" "$(checksum big)" file_down big
    is "$1: 30 MB up" "$(checksum big)" file_up big
    is "$1: 60 datagrams of all sizes" 60 in_qube timeout 300 perl "$system/udp" ask $web_address 7 60 1420
}

for wrap in none tls-auth tls-crypt tls-crypt-v2; do
    own=() theirs=() shared=$wrap
    # A client's own key is not the server's.
    [ $wrap != tls-crypt-v2 ] || { shared=none; own=("tls-crypt-v2 $work/v2-server.key"); }
    # tls-auth's two ends use the key in two directions.
    [ $wrap != tls-auth ] || { own=('key-direction 0'); theirs=('key-direction 1'); }
    server_start $shared "${own[@]}" 'explicit-exit-notify'
    profile client.ovpn $wrap "${theirs[@]}"
    for client in gateway openvpn; do
        gateway_start client.ovpn
        moves_data "$wrap, $client's client"
        gateway_stop
    done
    client=gateway
    server_stop
done

# --- TCP beside UDP ---------------------------------------------------------------------------------------------------

flows+=("tcp/$gateway_address/$server_address/$server_port")
listen=("local $server_address $server_port udp" "local $server_address $server_port tcp")
server_start tls-crypt
for protocol in udp4 tcp4; do
    remotes=("proto $protocol" "remote $server_address $server_port")
    profile client.ovpn tls-crypt
    for client in gateway openvpn; do
        gateway_start client.ovpn
        moves_data "$protocol, $client's client"
        is "the server knows the way" "${protocol%4}" server_status clients.0.protocol
        gateway_stop
    done
    client=gateway
done
no_client() { [ "$(server_status clients_up)" = 0 ]; }
ok "nobody is left" wait_for 15 no_client
server_stop
# Nothing but the end of its connection tells of a client's.
server_start tls-crypt 'keepalive 60 300'
# A client that dies takes its connection along, and one that is kicked comes again.
remotes=('proto tcp4' "remote $server_address $server_port")
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "up over TCP" wait_for 10 gateway_up
ok "kick" "$program" kick client --control "$work/server.control"
again() { [ "$(server_status logins)" = 2 ] && gateway_up; }
ok "who was kicked comes again" wait_for 10 again
gateway_kill
ok "who dies is forgotten with its connection" wait_for 5 no_client
# Connections that say nothing, or what is no packet.
# shellcheck disable=SC2016 # Perl's variables
spawn "$work/strangers.log" "$gateway" perl -MIO::Socket::INET -e '
    my @all = map { IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or die } 1 .. 100;
    print { $all[$_] } $_ % 2 ? "GET / HTTP/1.0\r\n\r\n" : "" for 0 .. $#all;
    $_->flush for @all;
    sleep 600' $server_address $server_port
visited() { [ "$(server_status tcp.accepted)" -ge 102 ]; }
ok "a hundred connections of strangers" wait_for 10 visited
bounded() { [ "$(server_status tcp.strangers)" -le 32 ]; }
ok "no more of them stay than one address may have" wait_for 5 bounded
gateway_start client.ovpn
ok "a client comes in all the same" wait_for 10 gateway_up
gateway_stop
server_stop
remotes=('proto udp4' "remote $server_address $server_port")
listen=('proto udp4' "local $server_address")

# --- Renegotiation, older TLS, an older client ----------------------------------------------------------------------------

server_start tls-crypt 'reneg-sec 3' 'hand-window 10'
negotiated_again() { [ "$(server_status negotiations)" -gt "$negotiations" ]; }
for client in gateway openvpn; do
    profile client.ovpn tls-crypt 'tls-version-max 1.2' 'data-ciphers CHACHA20-POLY1305'
    gateway_start client.ovpn
    ok "TLS 1.2, ChaCha20, new keys every 3 s, $client's client: up" wait_for 10 gateway_up
    negotiations=$(server_status negotiations)
    is "a trickle over several generations of keys" 400 in_qube timeout 300 perl "$system/udp" ask $web_address 7 400 1000
    ok "new keys there were" wait_for 10 negotiated_again
    is "30 MB down" "$(checksum big)" file_down big
    gateway_stop
done
client=gateway
server_stop

# --- Names and passwords, without certificates ----------------------------------------------------------------------------

printf 'anna:%s\n' "$(perl -e 'print crypt("correct-horse", q($6$saltsalt$))')" >"$work/users"
server_start tls-crypt 'verify-client-cert none' "user-pass-file $work/users"
with_password() { # PASSWORD
    profile client.ovpn tls-crypt
    sed -i -e '/^<cert>/,/^<\/cert>/d' -e '/^<key>/,/^<\/key>/d' "$work/client.ovpn"
    printf '%s\n' '<auth-user-pass>' anna "$1" '</auth-user-pass>' >>"$work/client.ovpn"
}
for client in gateway openvpn; do
    with_password correct-horse
    gateway_start client.ovpn
    ok "the right password, $client's client: up" wait_for 10 gateway_up
    is "30 MB down" "$(checksum big)" file_down big
    gateway_stop
done
client=gateway
with_password wrong-donkey
gateway_start client.ovpn
refusal() { grep -q 'anna.* is refused' "$work/server.log" && grep -qiE 'auth|password|refuses' "$work/gateway.log"; }
ok "a wrong password is refused" wait_for 10 refusal
ok "and stays out" not gateway_up
gateway_stop
server_stop

# --- A certificate is revoked while the server runs -----------------------------------------------------------------------

printf '[ca]\ndefault_ca = d\n[d]\ndatabase = %s/index\ndefault_md = sha256\ndefault_crl_days = 2\n' "$work" >"$work/ca.conf"
: >"$work/index"
authority_does() {
    openssl ca -config "$work/ca.conf" -keyfile "$work/authority.key" -cert "$work/authority.crt" "$@" 2>/dev/null
}
authority_does -gencrl -out "$work/crl.pem"
server_start tls-crypt "crl-verify $work/crl.pem"
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "with a list that it is not on a client comes in" wait_for 10 gateway_up
authority_does -revoke "$work/client.crt"
authority_does -gencrl -out "$work/crl.pem"
kill -HUP "$server_pid"
ok "the list is read again" wait_for 5 grep -q 'was read again' "$work/server.log"
is "nobody is dropped for it" 30000000 in_qube sh -c "curl -sS --max-time 300 -r 0-29999999 http://$web_address/big | wc -c"
"$program" reconnect --control "$work/control"
ok "who is on it does not come in again" wait_for 10 grep -q 'revoked' "$work/server.log"
ok "and stays out" not gateway_up
gateway_stop
server_stop

# --- What a person can ask ------------------------------------------------------------------------------------------------

# Nobody is forgotten for its silence.
server_start tls-crypt 'keepalive 60 300'
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up
is "status: one client" 1 server_status clients_up
is "status: its name" client server_status clients.0.name
is "status: its address" 10.8.0.2 server_status clients.0.ipv4
confined() {
    # shellcheck disable=SC2046 # three words
    set -- $(awk '/^(CapEff|NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$server_pid/status")
    [ "$*" = '0000000000000000 1 2' ] || { echo "$*"; return 1; }
}
[ -n "${SYSTEM_NO_SANDBOX:-}" ] || ok "the server has no capability, and the system calls of its list" confined
ok "kick" "$program" kick client --control "$work/server.control"
kicked() { [ "$(server_status logins)" = 2 ] && gateway_up; }
ok "who was kicked comes again" wait_for 10 kicked
is "and gets the same address" 10.8.0.2 server_status clients.0.ipv4
update() { "$program" update client "$@" --control "$work/server.control"; }
ok "another MTU for a client that is up" update 'tun-mtu 1400'
narrower() { [ "$(gateway_field tunnel.mtu)" = 1400 ] && gateway_up; }
ok "which it has without connecting anew" wait_for 5 narrower
is "no login more" 2 server_status logins
ok "its address is not changed that way" not update 'ifconfig 10.8.0.9 255.255.255.0'
ok "nobody can be kicked who is not there" not "$program" kick nobody --control "$work/server.control"

# --- Strangers ------------------------------------------------------------------------------------------------------------

resident() { awk '/^VmRSS/ { print $2 }' "/proc/$server_pid/status"; }
strangers() { # first packets, cookies that are none, data of nobody, rubbish; from many ports
    # shellcheck disable=SC2016 # Perl's variables
    in_gateway perl -MIO::Socket::INET -e '
        for my $port (1 .. 200) {
            my $socket = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Proto => "udp") or die;
            for my $n (1 .. 50) {
                my $sid = pack("NN", $port, $n);
                $socket->send("\x38$sid\0\0\0\0\0");
                $socket->send("\x20$sid\1\0\0\0\0$sid\0\0\0\1hello");
                $socket->send("\x48\0\0\0" . $sid x 20);
                $socket->send(pack("N*", map { rand(2**32) } 1 .. 20));
            }
        }' $server_address $server_port
}
capture_stop # what follows is no VPN
before=$(resident)
ok "40000 datagrams of strangers" strangers
grown() { echo "$before KiB before, $(resident) KiB after"; [ "$(resident)" -lt $((before + 512)) ]; }
ok "cost the server no memory" grown
is "30 MB down all the same" "$(checksum big)" file_down big
is "none of them is a client" 0 server_status clients_negotiating
gateway_stop
gone_again() { [ "$(server_status clients_up)" = 0 ]; }
ok "a client that stops says goodbye" wait_for 5 gone_again
finish
