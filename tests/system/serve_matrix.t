#!/bin/bash
# The matrix turned around: Debian's openvpn as the client of our server, in every way in which the two can agree, and
# everything that a server is asked to do with a client. A cell is a client that comes in, data both ways, compared, and
# what was agreed, read from the client's own log. The table is printed at the end.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 240
server=gateway
client=openvpn
kill_switch=true # or the end of a connection is said once more when the tunnel is gone
flows=("udp/$gateway_address/$server_address/$server_port" "tcp/$gateway_address/$server_address/$server_port")
listen=("local $server_address $server_port udp" "local $server_address $server_port tcp")
secrets=(correct-horse another-horse)

web_file file 200K
web_file big 30M
openvpn --genkey tls-auth "$work/tls-auth.key"
openvpn --genkey tls-crypt-v2-server "$work/v2-server.key"
openvpn --tls-crypt-v2 "$work/v2-server.key" --genkey tls-crypt-v2-client "$work/tls-crypt-v2.key"
openvpn --genkey auth-token "$work/auth-token.key"

# --- What must hold -----------------------------------------------------------------------------------------------------

said() { # PATTERN: in the client's log, since it was started
    tail -n "+$classic_mark" "$work/gateway.log" | grep -E -- "$1" >/dev/null ||
        { echo "the client's log lacks: $1"; return 1; }
}
server_has() { # PATTERN: in the server's log, since it was started
    tail -n "+$((server_mark + 1))" "$work/server.log" | grep -E -- "$1" >/dev/null ||
        { echo "the server's log lacks: $1"; return 1; }
}

serve() { # WRAP [LINE]...
    server_mark=$(wc -l <"$work/server.log")
    server_start "$@"
}

# The profile is for one transport and one version of TLS; further arguments are lines of it.
family=4
client_start() { # TRANSPORT TLS WRAP [LINE]...
    local transport=$1 tls=$2 wrap=$3 to=$server_address
    shift 3
    [ $family = 4 ] || to=$server_ipv6
    remotes=("proto $transport$family" "remote $to $server_port")
    profile client.ovpn "$wrap" "tls-version-max $tls" 'verb 4' 'connect-timeout 5' "$@"
    [ -z "${edit:-}" ] || $edit
    gateway_start client.ovpn
}

table=()
note() { # NAME
    table+=("$(printf '%-70s %s' "$1" "$([ "$cell_failed" = 0 ] && echo works || echo FAILS)")")
}

# A cell: a client with these lines is up, moves data, and agreed on what it was to agree on.
cell() { # NAME TRANSPORT TLS WRAP CIPHER [LINE]...
    local name=$1 transport=$2 tls=$3 wrap=$4 cipher=$5
    shift 5
    cell_failed=0
    client_start "$transport" "$tls" "$wrap" "data-ciphers $cipher" "$@"
    judge "$name: up" wait_for 10 gateway_up
    judge "$name: data" moves file
    judge "$name: as agreed" agreed "$transport" "$tls" "$cipher"
    gateway_stop
    note "$name"
}
judge() { # DESCRIPTION COMMAND...: as ok, and it counts for the cell
    local before=$test_failed
    test_failed=0
    ok "$@"
    [ $test_failed = 0 ] || cell_failed=1
    [ "$before" = 0 ] || test_failed=1
}
agreed() { # TRANSPORT TLS CIPHER
    said "Control Channel: TLSv$2," && said "Data Channel: [Cc]ipher '$3'" && said "PUSH_REPLY.*,cipher $3[,']" &&
        prints "$1" server_status clients.0.protocol && prints "$3" server_status clients.0.cipher
}

# --- Wrapping, transport, TLS --------------------------------------------------------------------------------------------

for wrap in none 'tls-auth 1' tls-auth tls-crypt tls-crypt-v2; do
    read -r kind direction <<<"$wrap"
    own=() theirs=() shared=$kind
    [ "$kind" != tls-crypt-v2 ] || { shared=none; own=("tls-crypt-v2 $work/v2-server.key"); }
    [ -z "$direction" ] || { own=('key-direction 0'); theirs=('key-direction 1'); }
    serve "$shared" "${own[@]}"
    for transport in udp tcp; do
        for tls in 1.2 1.3; do
            cell "$wrap, $transport, TLS $tls" $transport $tls "$kind" AES-256-GCM "${theirs[@]}"
        done
    done
    server_stop
done

# --- What stands in a client's own key ----------------------------------------------------------------------------------

printf 'anna, laptop\nbert\n' >"$work/known-keys"
for name in 'anna, laptop' carl; do
    rm -f "$work/tls-crypt-v2.key"
    "$program" genkey tls-crypt-v2-client --server-key "$work/v2-server.key" --metadata "$name" "$work/tls-crypt-v2.key"
    serve none "tls-crypt-v2 $work/v2-server.key" "tls-crypt-v2-metadata $work/known-keys"
    if [ "$name" = carl ]; then
        cell_failed=0
        client_start udp 1.3 tls-crypt-v2
        refused_keys() { [ "$(server_status drops.CONTROL_AUTH)" -ge 2 ]; }
        judge "a key of whom nobody knows: dropped" wait_for 10 refused_keys
        judge "a key of whom nobody knows: not answered" prints 0 server_status first_answers
        gateway_stop
        note 'tls-crypt-v2-metadata: not on the list'
    else
        cell 'tls-crypt-v2-metadata: on the list' udp 1.3 tls-crypt-v2 AES-256-GCM
    fi
    server_stop
done

# --- Ciphers and digests -------------------------------------------------------------------------------------------------

all=AES-256-GCM:AES-192-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC:AES-128-CBC
serve tls-crypt "data-ciphers $all"
for cipher in AES-128-GCM AES-192-GCM CHACHA20-POLY1305; do
    cell "$cipher" udp 1.3 tls-crypt $cipher
done
cell "AES-256-CBC, SHA1" tcp 1.3 tls-crypt AES-256-CBC
server_stop
serve tls-auth "data-ciphers $all" 'auth SHA512'
cell "AES-128-CBC, SHA512, tls-auth" udp 1.2 tls-auth AES-128-CBC 'auth SHA512'
server_stop

# --- What older clients lack -------------------------------------------------------------------------------------------

# Its data says nothing of whose it is: that is who comes from there. 2.7 does not do so with its own data format.
serve tls-crypt 'data-ciphers AES-256-GCM:AES-256-CBC'
for transport in udp tcp; do
    [[ $(openvpn --version) == 'OpenVPN 2.'[456].* ]] || continue
    cell "no peer id, $transport" $transport 1.3 tls-crypt AES-256-GCM 'pull-filter ignore "peer-id"'
done
cell 'no peer id, AES-256-CBC' udp 1.2 tls-crypt AES-256-CBC 'pull-filter ignore "peer-id"'
server_stop

lines=()
for i in {0..1023}; do lines+=("push \"route 172.$((16 + i / 256)).$((i % 256)).0 255.255.255.0\""); done
serve tls-crypt "${lines[@]}"
cell_failed=0
client_start udp 1.3 tls-crypt
judge "1024 routes: up" wait_for 20 gateway_up
judge "1024 routes: all arrive" prints 1024 eval "ip -n $gateway route | grep -c '^172\.'"
judge "1024 routes: data" moves file
gateway_stop
note '1024 routes pushed'
server_stop

# --- New keys under load -------------------------------------------------------------------------------------------------

generations() { # NUMBER
    [ "$(server_status negotiations)" -ge "$1" ]
}
for who in server client; do
    lines=('reneg-sec 2' 'hand-window 8')
    cell_failed=0
    if [ $who = server ]; then
        serve tls-crypt "${lines[@]}"
        client_start udp 1.3 tls-crypt
    else
        serve tls-crypt
        client_start udp 1.3 tls-crypt "${lines[@]}"
    fi
    judge "the $who renegotiates: up" wait_for 10 gateway_up
    is "the $who renegotiates: 350 datagrams one after the other, none lost" 350 \
        in_qube timeout 300 perl "$system/udp" ask $web_address 7 350 1000
    judge "the $who renegotiates: 30 MB" prints "$(checksum big)" file_down big
    judge "the $who renegotiates: three generations of keys" wait_for 10 generations 3
    gateway_stop
    note "new keys every 2 s, by the $who"
    server_stop
done

# --- Names, passwords, tokens ---------------------------------------------------------------------------------------------

user() { # NAME PASSWORD
    printf '%s:%s\n' "$1" "$(perl -e 'print crypt($ARGV[0], q($6$saltsalt$))' "$2")" >"$work/users"
}
with_password() { # in a file: openvpn 2.5 takes no block
    printf '%s\n' anna correct-horse >"$work/login"
    chmod 600 "$work/login"
    echo "auth-user-pass $work/login" >>"$work/client.ovpn"
}
without_certificate() {
    sed -i -e '/^<cert>/,/^<\/cert>/d' -e '/^<key>/,/^<\/key>/d' "$work/client.ovpn"
    with_password
}
remembering() { # openvpn forgets a password that it shall not keep, and asks
    sed -i '/^auth-nocache/d' "$work/client.ovpn"
    with_password
}
mkdir -m 755 "$work/clients"
echo 'ifconfig-push 10.8.0.66 255.255.255.0' >"$work/clients/anna"
user anna correct-horse
serve tls-crypt "user-pass-file $work/users" 'verify-client-cert optional' 'username-as-common-name' \
    "client-config-dir $work/clients"
edit=with_password
cell 'certificate, name and password' udp 1.3 tls-crypt AES-256-GCM
edit=without_certificate
cell 'name and password, no certificate' tcp 1.3 tls-crypt AES-256-GCM
cell_failed=0
client_start udp 1.2 tls-crypt
judge "by its user name: up" wait_for 10 gateway_up
judge "by its user name: the name's address" prints 10.8.0.66 server_status clients.0.ipv4
judge "by its user name: known as that" prints anna server_status clients.0.name
user anna another-horse
gateway_stop
note 'username-as-common-name, client-config-dir by user name'
cell_failed=0
client_start udp 1.3 tls-crypt
judge "a wrong password is told" wait_for 10 said 'AUTH_FAILED|AUTH: Received control message'
judge "a wrong password: the server says who" server_has 'anna.* is refused'
gateway_stop
note 'a wrong password'
server_stop

# Somebody else judges, with a challenge for one.
cat >"$work/judge" <<'END'
use IO::Socket::UNIX;
use JSON::PP;
my $listener = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die;
while (my $peer = $listener->accept) {
    my $question = decode_json(scalar <$peer>);
    my $good = $question->{name} eq "anna" && $question->{password} eq "correct-horse";
    print $peer encode_json({good => $good ? JSON::PP::true : JSON::PP::false, reason => "try another horse"}), "\n";
    close $peer;
}
END
spawn "$work/judge.log" "$internet" perl "$work/judge" "$work/judge.socket"
judge_pid=$spawned
wait_for 5 test -S "$work/judge.socket"
serve tls-crypt "user-pass-socket $work/judge.socket" 'verify-client-cert none'
edit=without_certificate
cell 'a helper judges passwords' udp 1.3 tls-crypt AES-256-GCM
edit=with_another_password
with_another_password() {
    without_certificate
    sed -i 's/^correct-horse$/another-horse/' "$work/login"
}
cell_failed=0
client_start udp 1.3 tls-crypt
judge "a helper refuses, and says why" wait_for 10 said 'AUTH_FAILED,try another horse'
gateway_stop
end_process KILL "$judge_pid"
edit=without_certificate
client_start udp 1.3 tls-crypt
judge "without an answer nobody comes in" wait_for 10 said 'AUTH_FAILED|reset command was pushed'
gateway_stop
note 'a helper refuses, or is not there'
server_stop

user anna correct-horse
serve tls-crypt "user-pass-file $work/users" 'auth-gen-token 0 60' "auth-gen-token-secret $work/auth-token.key" \
    'reneg-sec 2'
edit=remembering
cell_failed=0
client_start udp 1.3 tls-crypt
judge "a token: up" wait_for 10 gateway_up
judge "a token: given" said 'PUSH_REPLY.*,auth-token'
user anna another-horse
judge "a token stands for the password" wait_for 15 generations 4
judge "a token: data" moves file
server_kill
server_return
back() { [ "$(server_status logins)" = 1 ] && gateway_up; }
judge "a token is good for the server's next life, too" wait_for 20 back
gateway_stop
note 'auth-gen-token, auth-gen-token-secret'
server_stop
edit=

# --- Certificates -----------------------------------------------------------------------------------------------------------

printf '[ca]\ndefault_ca = d\n[d]\ndatabase = %s/index\ndefault_md = sha256\ndefault_crl_days = 2\n' "$work" >"$work/ca.conf"
: >"$work/index"
authority_does() {
    openssl ca -config "$work/ca.conf" -keyfile "$work/authority.key" -cert "$work/authority.crt" "$@" 2>/dev/null
}
authority_does -gencrl -out "$work/crl.pem"
serve tls-crypt "crl-verify $work/crl.pem"
certificate twin authority clientAuth
as_twin() {
    sed -i -e '/^<cert>/,/^<\/cert>/d' -e '/^<key>/,/^<\/key>/d' "$work/client.ovpn"
    { inline cert twin.crt && inline key twin.key; } >>"$work/client.ovpn"
}
edit=as_twin
cell 'on no list' udp 1.3 tls-crypt AES-256-GCM
authority_does -revoke "$work/twin.crt"
authority_does -gencrl -out "$work/crl.pem"
cell_failed=0
judge "the list is read again, unasked" wait_for 15 server_has 'was read again'
client_start udp 1.3 tls-crypt
judge "who is revoked does not come in" wait_for 10 server_has 'revoked'
judge "and stays out" not gateway_up
gateway_stop
note 'crl-verify, read again'
server_stop
edit=

# --- Of one client, and what outlives the server ---------------------------------------------------------------------------

cat >"$work/clients/client" <<END
ifconfig-push 10.8.0.77 255.255.255.0
iroute 10.137.0.0 255.255.255.0
push-remove "dhcp-option DNS"
push "dhcp-option DOMAIN example.net"
END
serve tls-crypt "client-config-dir $work/clients" 'ccd-exclusive' 'route 10.137.0.0 255.255.255.0' \
    "ifconfig-pool-persist $work/leases" "status $work/status.txt 1" 'status-version 2'
cell_failed=0
client_start udp 1.3 tls-crypt
judge "client-config-dir: up" wait_for 10 gateway_up
judge "client-config-dir: its address" prints 10.8.0.77 server_status clients.0.ipv4
judge "client-config-dir: its pushes" said 'PUSH_REPLY.*dhcp-option DOMAIN example.net'
judge "client-config-dir: without what is removed" not said 'PUSH_REPLY.*dhcp-option DNS'
judge "client-config-dir: data" moves file
# The networks behind it are reached, and may speak, without any translation of addresses.
in_gateway nft flush chain ip classic sources
judge "iroute: the qube's own address" prints 20 in_qube timeout 300 perl "$system/udp" ask $web_address 7 20 1400
judge "iroute: reached from the server" in_internet busybox ping -c 2 -W 60 -q $qube_address
in_status() { grep -E -- "$1" "$work/status.txt"; }
judge "status: the client" wait_for 5 in_status "^CLIENT_LIST,client,$gateway_address:[0-9]+,10.8.0.77,"
judge "status: what lies behind it" wait_for 5 in_status '^ROUTING_TABLE,10.137.0.0/24,client,'
gateway_stop
note 'client-config-dir: ifconfig-push, iroute, push, push-remove; status'
server_stop

echo disable >"$work/clients/client"
serve tls-crypt "client-config-dir $work/clients"
cell_failed=0
client_start tcp 1.3 tls-crypt
judge "who is disabled does not come in" wait_for 10 server_has 'is refused: it is disabled'
gateway_stop
note 'client-config-dir: disable'
server_stop

echo client,10.8.0.42 >"$work/leases"
serve tls-crypt "ifconfig-pool-persist $work/leases"
cell_failed=0
client_start udp 1.3 tls-crypt
judge "who had an address has it again" wait_for 10 gateway_up
judge "the address of the file" prints 10.8.0.42 server_status clients.0.ipv4
gateway_stop
edit=as_twin
client_start udp 1.3 tls-crypt
judge "another one gets another one" wait_for 10 gateway_up
gateway_stop
edit=
server_stop
judge "the file has both" prints 'client,10.8.0.42, twin,10.8.0.2, ' eval "sort $work/leases | tr '\n' ' '"
note 'ifconfig-pool-persist'

# --- IPv6, outside and inside -----------------------------------------------------------------------------------------------

outer_ipv6
kernel "$gateway" ipv6/conf/default/disable_ipv6 0
kernel "$internet" ipv6/conf/default/disable_ipv6 0
flows+=("udp/$gateway_ipv6/$server_ipv6/$server_port" "tcp/$gateway_ipv6/$server_ipv6/$server_port")
listen=("local * $server_port udp" "local * $server_port tcp")
serve tls-crypt 'server-ipv6 fd00:8::/64'
for transport in udp tcp; do
    for family in 6 4; do
        cell_failed=0
        client_start $transport 1.3 tls-crypt
        judge "IPv$family, $transport: up" wait_for 10 gateway_up
        judge "IPv$family, $transport: data" moves file
        judge "IPv$family, $transport: IPv6 inside" wait_for 5 in_gateway busybox ping -6 -c 1 -W 1 fd00:8::1
        gateway_stop
        note "outside IPv$family, $transport; IPv4 and IPv6 inside; one socket for both families"
    done
done
family=4
server_stop
listen=("local $server_address $server_port udp" "local $server_address $server_port tcp")

# --- Goodbyes ----------------------------------------------------------------------------------------------------------------

serve tls-crypt 'explicit-exit-notify 1' 'keepalive 10 60'
cell_failed=0
client_start udp 1.3 tls-crypt 'explicit-exit-notify 1'
judge "goodbyes: up" wait_for 10 gateway_up
gateway_stop
nobody() { [ "$(server_status clients_up)" = 0 ]; }
judge "who says goodbye is forgotten at once" wait_for 3 nobody
client_start udp 1.3 tls-crypt
judge "goodbyes: up again" wait_for 10 gateway_up
server_stop
judge "the server's goodbye is heard" wait_for 5 said 'RESTART|restarting'
server_return
returned() { [ "$(server_status clients_up)" = 1 ]; }
judge "and the client comes again" wait_for 15 returned
gateway_stop
note 'explicit-exit-notify of either end'
server_stop

# --- Client to client ----------------------------------------------------------------------------------------------------------

other=$prefix-other
ip netns add "$other"
ip link add uplink netns "$other" type veth peer name wan2 netns "$internet"
ip -n "$other" address add 192.0.3.2/24 dev uplink
ip -n "$internet" address add 192.0.3.1/24 dev wan2
ip -n "$other" link set lo up
ip -n "$other" link set uplink up
ip -n "$internet" link set wan2 up
ip -n "$other" route add $server_address via 192.0.3.1
other_start() {
    as_twin
    : >"$work/other.log"
    spawn "$work/other.log" "$other" openvpn --config "$work/client.ovpn" --dev tun0 --setenv opt disable-dco --route-nopull
    other_pid=$spawned
    judge "another client: up" wait_for 10 grep 'Initialization Sequence Completed' "$work/other.log"
}
meets() { ip netns exec "$other" busybox ping -c 2 -W 1 -q 10.8.0.2; }
# `kernel': what they send to each other is forwarded by the host, whose rules say who may.
kernel "$internet" ipv4/ip_forward 1
in_internet nft 'add table inet between; add chain inet between clients { type filter hook forward priority 0; policy accept; }'
strict() { in_internet nft 'add rule inet between clients iifname tun0 oifname tun0 ip daddr 10.8.0.2 counter drop'; }
for together in '' client-to-client 'client-to-client kernel'; do
    lines=()
    [ -z "$together" ] || lines=("$together")
    serve tls-crypt "${lines[@]}"
    cell_failed=0
    client_start udp 1.3 tls-crypt
    judge "${together:-no client-to-client}: up" wait_for 10 gateway_up
    other_start
    if [ -z "$together" ]; then
        judge "clients do not meet" not meets
    else
        judge "$together: clients meet" wait_for 10 meets
        judge "$together: a rule of the host's" strict
        met=(wait_for 10 meets)
        [ "$together" = client-to-client ] || met=(not meets)
        judge "$together: and whom it concerns" "${met[@]}"
        in_internet nft flush chain inet between clients
    fi
    end_process TERM "$other_pid"
    gateway_stop
    note "${together:-no client-to-client}"
    server_stop
done
kernel "$internet" ipv4/ip_forward 0

echo "# against $(openvpn --version | head -n 1)"
for line in "${table[@]}"; do echo "# $line"; done
finish
