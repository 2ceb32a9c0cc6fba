#!/bin/bash
# Keys that change and keys that end while Debian's openvpn is a client of our server and moves data: new ones by time,
# bytes and packets, of which no datagram is lost; lists of revoked certificates; clients' own keys that are too old.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 150
server=gateway
client=openvpn
kill_switch=true # as in serve_matrix.t
flows=("udp/$gateway_address/$server_address/$server_port" "tcp/$gateway_address/$server_address/$server_port")
web_file big 12M
# A file comes in bursts; longer ones than this are lost in openvpn's socket, with or without new keys.
kernel "$qube" ipv4/tcp_rmem '4096 65536 65536'

download() {
    rm -f "$work/download"
    in_qube curl -sS --max-time 600 --limit-rate 4M http://$web_address/big | sha256sum | cut -d ' ' -f 1 >"$work/download"
}
start_download() {
    download 2>/dev/null &
    disown
    wait_for 10 under_way
}
downloaded() { [ -s "$work/download" ]; }
arrives() { # NAME: what start_download began
    ok "$1: the file arrives" wait_for 20 downloaded
    is "$1: and is whole" "$(checksum big)" cat "$work/download"
}
said() { # FILE PATTERN: since the last log_mark
    tail -n "+$(cat "$work/$1.mark")" "$work/$1.log" | grep -E -- "$2" >/dev/null
}
log_mark() {
    local name
    for name in gateway server; do echo $(($(wc -l <"$work/$name.log") + 1)) >"$work/$name.mark"; done
}
negotiated() { # NUMBER: times, at least
    echo "$(server_status negotiations) negotiations"
    [ "$(server_status negotiations)" -ge "$1" ]
}

# --- New keys under load -------------------------------------------------------------------------------------------------

renegotiates() { # NUMBER TRANSPORT WRAP LINE...: so often at least, in the four seconds of the train
    local number=$1 transport=$2 wrap=$3 name="${*:2}"
    shift 3
    listen=("proto $transport" "local $server_address")
    remotes=("proto ${transport}4" "remote $server_address $server_port")
    profile client.ovpn "$wrap" 'reneg-sec 0'
    server_start "$wrap" 'keepalive 1 60' "$@"
    gateway_start client.ovpn
    ok "$name: up" wait_for 10 gateway_up
    start_download
    is "$name: 2000 datagrams and their answers, none lost, none doubled" '0 lost, 0 twice' \
        in_qube timeout 300 perl "$system/udp" train $web_address 7 2000 1200 500
    arrives "$name"
    ok "$name: $number generations of keys" wait_for 5 negotiated "$number"
    is "$name: in one session" 1 server_status logins
    gateway_stop
    server_stop
}
renegotiates 4 udp tls-crypt 'reneg-sec 1' 'hand-window 8'
renegotiates 3 udp tls-crypt 'reneg-sec 0' 'reneg-bytes 3000000' 'hand-window 2'
renegotiates 3 udp none 'reneg-sec 0' 'reneg-pkts 3000' 'hand-window 2' 'tls-version-max 1.2'
renegotiates 3 tcp tls-crypt 'reneg-sec 0' 'reneg-bytes 3000000' 'hand-window 2'

# --- A certificate is revoked while data moves ---------------------------------------------------------------------------

listen=('proto udp4' "local $server_address")
remotes=('proto udp4' "remote $server_address $server_port")
revocations crl.pem
log_mark
server_start tls-crypt "crl-verify $work/crl.pem" 'reneg-sec 0'
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "on no list: up" wait_for 10 gateway_up
start_download
revocations crl.pem client.crt
ok "the list is read again while a file is on its way" wait_for 15 said server 'was read again'
arrives "its certificate is on the list now"
is "nobody was dropped for it" '1 1' eval 'echo $(server_status clients_up) $(server_status logins)'
gateway_stop
log_mark
gateway_start client.ovpn
ok "who is on the list does not come in again" wait_for 10 said server 'revoked'
is "and stays out" 1 server_status logins
gateway_stop
server_stop
# Nor does it get new keys: that is when its session ends.
revocations crl.pem
log_mark
server_start tls-crypt "crl-verify $work/crl.pem" 'reneg-sec 5'
gateway_start client.ovpn
ok "once more on no list: up" wait_for 10 gateway_up
revocations crl.pem client.crt
kill -HUP "$server_pid"
ok "the list is read again on SIGHUP" wait_for 5 said server 'was read again'
ok "its session ends when it wants new keys" wait_for 20 said server "client \\(.*revoked"
is "and there is no other" '0 1' eval 'echo $(server_status clients_up) $(server_status logins)'
gateway_stop
# One that is not on it comes in, on the same list.
certificate client authority clientAuth
profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "another certificate: up" wait_for 10 gateway_up
start_download
arrives "another certificate"
gateway_stop
server_stop

# --- Clients' own keys get too old -----------------------------------------------------------------------------------------

openvpn --genkey tls-crypt-v2-server "$work/v2-server.key"
openvpn --tls-crypt-v2 "$work/v2-server.key" --genkey tls-crypt-v2-client "$work/tls-crypt-v2.key"
# Wraps the same key once more, as if it had been made so many days ago (openvpn: doc/tls-crypt-v2.txt).
aged() { # DAYS
    perl -MDigest::SHA=hmac_sha256 -MMIME::Base64 -e '
        my ($days, $server, $client) = @ARGV;
        my ($ours, $theirs) = map {
            open my $file, "<", $_ or die "$_: $!";
            decode_base64(join "", grep { !/^-/ } <$file>) } $server, $client;
        my $plain = substr($theirs, 0, 256) . pack "C Q>", 1, time - 86400 * $days;
        my $size = pack "n", 32 + length($plain) + 2;
        my $tag = hmac_sha256($size . $plain, substr $ours, 64, 32);
        my ($key, $start) = map { unpack "H*", $_ } substr($ours, 0, 32), substr($tag, 0, 16);
        open my $out, ">", "$client.plain" or die $!;
        print $out $plain;
        close $out;
        my $sealed = `openssl enc -aes-256-ctr -K $key -iv $start -in $client.plain`;
        print "-----BEGIN OpenVPN tls-crypt-v2 client key-----\n",
            encode_base64(substr($theirs, 0, 256) . $tag . $sealed . $size),
            "-----END OpenVPN tls-crypt-v2 client key-----\n";
    ' "$1" "$work/v2-server.key" "$work/tls-crypt-v2.key" >"$work/aged.key"
    mv "$work/aged.key" "$work/tls-crypt-v2.key"
}
server_start none "tls-crypt-v2 $work/v2-server.key" 'tls-crypt-v2-max-age 30'
for days in 29 31; do
    aged $days
    profile client.ovpn tls-crypt-v2
    gateway_start client.ovpn
    if [ $days = 29 ]; then
        ok "a key of $days days, of 30: up" wait_for 10 gateway_up
        start_download
        arrives "a key of $days days"
    else
        refused() { [ "$(server_status drops.CONTROL_AUTH)" -ge 2 ]; }
        ok "a key of $days days is not answered" wait_for 10 refused
        is "and its client stays out" 1 server_status logins
    fi
    gateway_stop
done
server_stop
finish
