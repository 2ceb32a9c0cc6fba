#!/bin/bash
# The interop matrix: every way in which the two ends can agree on wrapping, transport, TLS, cipher, digest, derivation
# of keys and framing, against the real server. A cell is a server, a gateway and data both ways, compared; what was
# agreed is read from the server's own log. The table is printed at the end.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
# shellcheck source=tests/system/login.sh
. "$system/login.sh"
start 600
outer_ipv6
silent=198.51.100.66 # nobody has this address
closed_port=1199
flows=()
for flow in udp tcp; do
    for to in $server_address/$server_port $server_address/$closed_port $silent/$server_port; do
        flows+=("$flow/$gateway_address/$to")
    done
    flows+=("$flow/$gateway_ipv6/$server_ipv6/$server_port")
done
# With a static key the size shows what it is: SHA1 at one port, digests of whole blocks at the other.
flows+=("static+4/$gateway_address/$server_address/1195" "static+16/$gateway_address/$server_address/1196")

web_file file 200K
openvpn --genkey tls-auth "$work/tls-auth.key"
openvpn --genkey tls-crypt-v2-server "$work/v2-server.key"
openvpn --tls-crypt-v2 "$work/v2-server.key" --genkey tls-crypt-v2-client "$work/v2-client.key"
openvpn --genkey secret "$work/static.key"
for wrap in tls-auth tls-crypt; do "$program" genkey $wrap "$work/our-$wrap.key"; done
"$program" genkey tls-crypt-v2-server "$work/our-v2-server.key"
"$program" genkey tls-crypt-v2-client --server-key "$work/our-v2-server.key" "$work/our-v2-client.key"

# OpenVPN 2.4 and 2.5 do not export keys and do not negotiate a cipher between equal ends, and their logs say less.
older=no
[[ $(openvpn --version) != 'OpenVPN 2.'[45].* ]] || older=yes

# The settings of a cell, and their values if the cell does not set them.
defaults() {
    transport=udp       # udp, tcp
    wrap=none           # none, tls-auth, tls-crypt, tls-crypt-v2
    cookie=             # of tls-crypt-v2: force-cookie, allow-noncookie
    keys=openvpn        # which program made the wrapping's keys: openvpn, ours
    direction=          # of tls-auth: empty is bidirectional, 1 is the client's
    tls=1.3             # 1.2, 1.3
    cipher=AES-256-GCM  # of the data channel
    digest=SHA256       # `auth'
    derivation=ekm      # ekm, prf
    peer_id=yes         # no: packets without, as servers of 2.3
    kind=server         # p2p: two equal ends; static: and a key instead of TLS
    static=both         # with a static key, or the client's direction, 0 or 1
    server_port=1194
    family=4            # of the server's address
    dead=no             # yes: two remotes before the server's are dead
    meanwhile=true      # a command that runs while it connects
    edit=true           # a command that changes the profile
    extra=true          # what else must hold: a command
    client_lines=()     # client=LINE: more of the profile
    server_lines=()     # server=LINE: more of the server's configuration
}

set_up() { # [SETTING]...
    local setting
    defaults
    for setting in "$@"; do
        case $setting in
        client=*) client_lines+=("${setting#*=}") ;;
        server=*) server_lines+=("${setting#*=}") ;;
        *) declare -g "$setting" ;;
        esac
    done
}

wrap_server() { # PREFIX
    case $wrap in
    none) ;;
    tls-auth) echo "tls-auth $work/${1}tls-auth.key ${direction:+0}" ;;
    tls-crypt) echo "tls-crypt $work/${1}tls-crypt.key" ;;
    tls-crypt-v2) echo "tls-crypt-v2 $work/${1}v2-server.key $cookie" ;;
    esac
}

wrap_client() { # PREFIX
    [ -z "$direction" ] || echo "key-direction $direction"
    case $wrap in
    none) ;;
    tls-crypt-v2) inline tls-crypt-v2 "${1}v2-client.key" ;;
    *) inline "$wrap" "$1$wrap.key" ;;
    esac
}

# Two equal ends, of which one waits for the other: nothing is pushed.
ours=('ifconfig 10.8.0.2 10.8.0.1' 'redirect-gateway def1' "dhcp-option DNS $resolver_address" 'keepalive 1 4')
theirs=('dev tun0' 'setenv opt disable-dco' 'setenv opt allow-deprecated-insecure-static-crypto' 'verb 4'
    'ifconfig 10.8.0.1 10.8.0.2' 'keepalive 1 4')

start_equal() { # [LINE]...
    printf '%s\n' "${theirs[@]}" "${listen[@]}" "port $server_port" "auth $digest" "${server_lines[@]}" "$@" \
        >"$work/server.conf"
    : >"$work/server.log"
    spawn "$work/server.log" "$internet" openvpn --config "$work/server.conf"
    server_pid=$spawned
    wait_for 5 said 'UDPv4 link local|Listening for incoming TCP'
}

write_static() {
    local half=() key="secret $work/static.key"
    case $transport,$digest in
    udp,SHA1) server_port=1195 ;;
    udp,*) server_port=1196 ;;
    esac
    remotes[1]="remote $server_address $server_port"
    if [ "$static" != both ]; then
        half=("key-direction $static")
        key+=" $((1 - static))"
    fi
    {
        printf '%s\n' 'dev tun' "${remotes[@]}" nobind "cipher $cipher" "auth $digest" "${ours[@]}" "${half[@]}" \
            "${client_lines[@]}"
        inline secret static.key
    } >"$work/client.ovpn"
    start_equal "cipher $cipher" "$key"
}

write_p2p() {
    profile client.ovpn none "data-ciphers $cipher" "auth $digest" "${ours[@]}" "${client_lines[@]}"
    sed -i 's/^client$/tls-client/' "$work/client.ovpn"
    wrap_client '' >>"$work/client.ovpn"
    start_equal tls-server 'dh none' "data-ciphers AES-192-GCM:$cipher" "tls-version-max $tls" \
        "ca $work/authority.crt" "cert $work/server.example.net.crt" "key $work/server.example.net.key" "$(wrap_server '')"
}

write_both() {
    local made='' lines=("data-ciphers $cipher" "auth $digest" "tls-version-max $tls" "verb 4" "${server_lines[@]}")
    [ $keys = openvpn ] || made=our-
    local address=$server_address
    [ $family = 4 ] || address=$server_ipv6
    remotes=("proto $transport$family")
    [ $dead = no ] ||
        remotes+=('connect-timeout 2' "remote $silent $server_port" "remote $server_address $closed_port")
    remotes+=("remote $address $server_port")
    listen=("proto udp$family" "local $address")
    [ "$transport" = udp ] || listen=("proto tcp$family-server" "local $address")
    case $kind in
    static) write_static; return ;;
    p2p) write_p2p; return ;;
    esac
    server_protocol_bits=
    [ $derivation = ekm ] || server_protocol_bits=2
    [ $peer_id = yes ] || server_protocol_bits=0
    profile client.ovpn none "data-ciphers $cipher" "auth $digest" "${client_lines[@]}"
    wrap_client "$made" >>"$work/client.ovpn"
    mapfile -t -O ${#lines[@]} lines < <(wrap_server "$made")
    $edit
    : >"$work/server.log"
    server_start none "${lines[@]}"
}

# --- What must hold ---------------------------------------------------------------------------------------------------

said() { # PATTERN: in the server's log
    grep -qE -- "$1" "$work/server.log" || { echo "the server's log lacks: $1"; return 1; }
}

agreed() {
    if [ $kind != server ]; then
        "agreed_$kind" && not said 'packet error|bad packet ID|used inconsistently'
        return
    fi
    said "Control Channel: TLSv$tls," && said "SENT CONTROL.*,cipher ${cipher}[,']" &&
        agreed_wrapping && agreed_derivation && agreed_cipher
}

agreed_static() {
    said "Outgoing Static Key Encryption: Cipher '$cipher'" && said 'Peer Connection Initiated' &&
        said "Outgoing Static Key Encryption: Using $(bits "$digest") bit message hash '$digest'"
}

agreed_p2p() {
    said "P2P mode NCP negotiation result: TLS_export=1, DATA_v2=1, peer-id [0-9]+,.* cipher=$cipher" &&
        agreed_wrapping && agreed_cipher
}

bits() { # DIGEST
    case $1 in
    MD5) echo 128 ;;
    SHA1) echo 160 ;;
    *) echo "${1#SHA}" ;;
    esac
}

agreed_wrapping() {
    case $wrap in
    none) said "." && not said "Control Channel (Authentication|Encryption): " ;;
    tls-auth)
        said "Outgoing Control Channel Authentication: Using $(bits "$digest") bit message hash '$digest'"
        ;;
    *) said "Control Channel Encryption: Cipher 'AES-256-CTR'" ;;
    esac
}

agreed_derivation() {
    if [ $peer_id = yes ]; then said 'SENT CONTROL.*,peer-id '; else not said 'SENT CONTROL.*,peer-id '; fi &&
        if [ $derivation = ekm ] && [ $peer_id = yes ] && [ "$older" = no ]; then
            said 'SENT CONTROL.*protocol-flags[a-z -]* tls-ekm'
        else
            not said 'SENT CONTROL.*(protocol-flags|key-derivation)'
        fi
}

agreed_cipher() {
    local line="Data Channel: cipher '$cipher'"
    [[ $cipher != *-CBC ]] || line+=", auth '$digest'"
    [ "$older" = no ] || line="Outgoing Data Channel: Cipher '$cipher' initialized"
    wait_for 2 said "$line" || said "$line"
}

# Nothing in here may rely on errexit, which does not hold within a condition.
try() {
    local code=0 began
    write_both || { [ "$older" = yes ] && gone "$server_pid" && return 77; return 1; }
    began=$(milliseconds)
    gateway_start client.ovpn -v
    $meanwhile
    # An end that waits takes a second until it begins to listen to its tunnel.
    if wait_for 10 gateway_up && { [ $kind = server ] || wait_for 10 said 'Initialization Sequence Completed'; }; then
        up=$(($(milliseconds) - began))
        moves file && agreed && $extra || code=1
    else
        code=1
    fi
    [ $code = 0 ] || tail -n 15 "$work/server.log" "$work/gateway.log"
    gateway_stop
    server_stop
    return $code
}

# --- The table --------------------------------------------------------------------------------------------------------

table=()
cell() { # GROUP NAME [SETTING]...
    local group=$1 name=$2
    shift 2
    set_up "$@"
    local before=$test_failed
    up=-
    test_failed=0
    judge "$group: $name"
    table+=("$(printf '%-22s %-58s %s' "$group" "$name" "$verdict")")
    [ "$before" = 0 ] || test_failed=1
}

# As ok does it, but in this shell: the cell's variables are to be seen afterwards.
judge() { # DESCRIPTION
    local code=0
    test_number=$((test_number + 1))
    try >"$work/printed" 2>&1 || code=$?
    if [ $code = 0 ]; then
        echo "ok $test_number - $1"
        verdict="works, up after $up ms"
    elif [ $code = 77 ]; then
        echo "ok $test_number - $1 # SKIP an openvpn this old refuses the server's configuration"
        verdict='refused by the server'
    else
        test_failed=1
        verdict=FAILS
        echo "not ok $test_number - $1"
        tail -n 40 "$work/printed" | sed 's/^/# /'
    fi
}

print_table() {
    local previous='' line
    echo "# against $(openvpn --version | head -n 1)"
    for line in "${table[@]}"; do
        [ "${line:0:22}" = "$previous" ] || echo "#"
        previous=${line:0:22}
        echo "# $line"
    done
    echo "#"
}

# --- The cells --------------------------------------------------------------------------------------------------------

for transport in udp tcp; do
    for tls in 1.2 1.3; do
        for wrap in none 'tls-auth 1' tls-crypt tls-crypt-v2 'tls-crypt-v2 force-cookie'; do
            read -r name more <<<"$wrap"
            cell 'control channel' "$wrap, $transport, TLS $tls" "transport=$transport" "tls=$tls" "wrap=$name" \
                "cookie=${more%1}" "direction=${more%force-cookie}"
        done
    done
done
for digest in MD5 SHA1 SHA224 SHA256 SHA384 SHA512; do
    cell tls-auth "$digest, key-direction" wrap=tls-auth "digest=$digest" direction=1
done
for digest in SHA1 SHA512; do
    cell tls-auth "$digest, bidirectional" wrap=tls-auth "digest=$digest"
done
for wrap in tls-auth tls-crypt tls-crypt-v2; do
    cell 'vpn-gateway genkey' "keys of $wrap" "wrap=$wrap" keys=ours
done
for cipher in AES-128-GCM AES-192-GCM AES-256-GCM CHACHA20-POLY1305; do
    for transport in udp tcp; do
        cell 'data channel' "$cipher, $transport" "cipher=$cipher" "transport=$transport"
    done
done
for cipher in AES-128-CBC AES-192-CBC AES-256-CBC; do
    for digest in MD5 SHA1 SHA224 SHA256 SHA384 SHA512; do
        cell 'data channel' "$cipher, $digest" "cipher=$cipher" "digest=$digest"
    done
done
cell 'data channel' "AES-256-CBC, SHA1, tcp" cipher=AES-256-CBC digest=SHA1 transport=tcp
for transport in udp tcp; do
    for static in both 0 1; do
        cell 'static key' "AES-256-CBC, SHA1, ${static/both/bidirectional}, $transport" kind=static "static=$static" \
            cipher=AES-256-CBC digest=SHA1 "transport=$transport"
    done
done
for digest in SHA256 SHA384 SHA512; do
    cell 'static key' "AES-128-CBC, $digest" kind=static static=1 cipher=AES-128-CBC "digest=$digest"
done
for transport in udp tcp; do
    [ $older = no ] || continue
    cell 'TLS, no server' "AES-256-GCM, $transport" kind=p2p "transport=$transport"
    cell 'TLS, no server' "AES-128-CBC, tls-crypt, TLS 1.2, $transport" kind=p2p cipher=AES-128-CBC wrap=tls-crypt \
        tls=1.2 "transport=$transport"
done
cell 'data keys' "PRF, TLS 1.2, AES-256-GCM, tls-crypt" derivation=prf tls=1.2 wrap=tls-crypt
cell 'data keys' "PRF, TLS 1.3, AES-256-GCM, no peer-id" derivation=prf peer_id=no
cell 'data keys' "PRF, TLS 1.3, AES-256-CBC" derivation=prf cipher=AES-256-CBC
cell 'data keys' "PRF, TLS 1.2, AES-256-CBC, no peer-id" derivation=prf peer_id=no tls=1.2 cipher=AES-256-CBC

# The server must have sent less than half of what the qube got; from 2.7 on it never compresses.
was_compressed() {
    local sent
    head -c 1M /dev/zero >"$work/www/zeroes"
    sent=$(cat_counter tx_bytes)
    prints 1048576 eval "in_qube curl -sS --max-time 60 http://$web_address/zeroes | wc -c" || return 1
    sent=$(($(cat_counter tx_bytes) - sent))
    echo "$sent bytes for 1 MiB of zeroes"
    [ $sent -lt 524288 ] || [[ $(openvpn --version) != 'OpenVPN 2.'[456].* ]]
}
cat_counter() { in_internet cat "/sys/class/net/wan/statistics/$1"; }

allowed='server=allow-compression yes'
cell framing "comp-lzo yes at both ends, received compressed" "$allowed" "server=comp-lzo yes" \
    "client=comp-lzo yes" extra=was_compressed
# It stops to compress for a minute where two seconds of it gained nothing.
cell framing "comp-lzo adaptive at both ends" "$allowed" "server=comp-lzo adaptive" "client=comp-lzo adaptive"
cell framing "comp-lzo yes, AES-256-CBC, tcp" "$allowed" 'server=comp-lzo yes' 'client=comp-lzo yes' \
    extra=was_compressed cipher=AES-256-CBC transport=tcp
cell framing "compress lzo at both ends, received compressed" "$allowed" 'server=compress lzo' 'client=compress lzo' \
    extra=was_compressed
for format in lz4 lz4-v2; do
    cell framing "compress $format at both ends, received compressed" "$allowed" "server=compress $format" \
        "client=compress $format" extra=was_compressed
    cell framing "compress $format pushed, received compressed" "$allowed" "server=compress $format" \
        "server=push \"compress $format\"" extra=was_compressed
done
cell framing "compress lz4-v2 pushed, AES-256-CBC, tcp" "$allowed" 'server=compress lz4-v2' \
    'server=push "compress lz4-v2"' extra=was_compressed cipher=AES-256-CBC transport=tcp
cell framing "comp-lzo no at both ends" 'server=comp-lzo no' 'client=comp-lzo no'
cell framing "comp-lzo of the profile, server with compress migrate" 'server=compress migrate' 'client=comp-lzo'
for stub in 'compress stub' 'compress stub-v2' 'comp-lzo no'; do
    cell framing "$stub, pushed" "server=$stub" "server=push \"$stub\""
done
# --- Who is who -------------------------------------------------------------------------------------------------------

# RSA; a chain on each side of which the other end knows only the root.
rsa() { # NAME PURPOSE [USAGE]
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -CA "$work/authority.crt" \
        -CAkey "$work/authority.key" -addext basicConstraints=critical,CA:FALSE \
        -addext "keyUsage=critical,${3:-digitalSignature,keyEncipherment}" -addext "extendedKeyUsage=$2" \
        -keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null
}
rsa rsa-server serverAuth
rsa rsa-client clientAuth
rsa enciphering-server serverAuth keyEncipherment
rsa agreeing-server serverAuth keyAgreement
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=intermediate" \
    -CA "$work/authority.crt" -CAkey "$work/authority.key" -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$work/intermediate.key" -out "$work/intermediate.crt" 2>/dev/null
certificate deep-server intermediate serverAuth
certificate deep-client intermediate clientAuth
cat "$work/deep-server.crt" "$work/intermediate.crt" >"$work/deep-server-chain.crt"
cat "$work/deep-client.crt" "$work/intermediate.crt" >"$work/deep-client-chain.crt"
openssl pkcs12 -export -passout pass: -in "$work/client.crt" -inkey "$work/client.key" -certfile "$work/authority.crt" \
    -out "$work/client.p12"

drop_blocks() { # TAG...
    local tag
    for tag in "$@"; do sed -i "/^<$tag>/,/^<\/$tag>/d" "$work/client.ovpn"; done
}
with_identity() { # SERVER CLIENT-CERTIFICATE CLIENT-KEY
    drop_blocks cert key
    sed -i "s/^verify-x509-name .*/verify-x509-name $1 name/" "$work/client.ovpn"
    { inline cert "$2" && inline key "$3"; } >>"$work/client.ovpn"
}
with_enciphering() { with_identity enciphering-server client.crt client.key; }
with_agreeing() { with_identity agreeing-server client.crt client.key; }
with_rsa() { with_identity rsa-server rsa-client.crt rsa-client.key; }
with_chain() { with_identity deep-server deep-client-chain.crt deep-client.key; }
with_extra_certs() {
    with_identity deep-server deep-client.crt deep-client.key
    inline extra-certs intermediate.crt >>"$work/client.ovpn"
}
with_fingerprint() {
    drop_blocks ca
    openssl x509 -in "$work/server.example.net.crt" -noout -fingerprint -sha256 |
        sed 's/.*=/peer-fingerprint /' >>"$work/client.ovpn"
}
with_pkcs12() {
    drop_blocks ca cert key
    { echo '<pkcs12>' && base64 "$work/client.p12" && echo '</pkcs12>'; } >>"$work/client.ovpn"
}
with_locked_key() {
    drop_blocks key
    openssl pkey -in "$work/client.key" -aes256 -passout pass:tell-me-the-key -out "$work/locked.key"
    { inline key locked.key && printf '%s\n' '<askpass>' tell-me-the-key '</askpass>'; } >>"$work/client.ovpn"
}
with_list() {
    certificate another authority serverAuth
    revocations list.crl another.crt
    inline crl-verify list.crl >>"$work/client.ovpn"
}
from_windows() { sed -i '1s/^/\xef\xbb\xbf/; s/$/\r/' "$work/client.ovpn"; }

rsa=("server=cert $work/rsa-server.crt" "server=key $work/rsa-server.key" edit=with_rsa)
deep=("server=cert $work/deep-server-chain.crt" "server=key $work/deep-server.key")
for tls in 1.2 1.3; do
    cell certificates "RSA at both ends, TLS $tls" "tls=$tls" "${rsa[@]}"
    for only in enciphering agreeing; do
        cell certificates "RSA server for $only alone, TLS $tls" "tls=$tls" "server=cert $work/$only-server.crt" \
            "server=key $work/$only-server.key" "edit=with_$only"
    done
    cell certificates "chains of three at both ends, TLS $tls" "tls=$tls" "${deep[@]}" edit=with_chain
done
cell certificates "our intermediate one in extra-certs" "${deep[@]}" edit=with_extra_certs
cell certificates "peer-fingerprint and no authority" edit=with_fingerprint
cell certificates "pkcs12 without a password" edit=with_pkcs12
cell profile "a byte order mark and CRLF" edit=from_windows wrap=tls-crypt

cell certificates "encrypted key, askpass" edit=with_locked_key
cell certificates "a list of revoked ones without the server's" edit=with_list

# --- Who a person is --------------------------------------------------------------------------------------------------

login_scripts
secrets=(correct-horse-battery 271828 tell-me-the-key)
as() { # NAME
    : >"$work/asked"
    rm -f "$work/approved"
    printf '%s\n' '<auth-user-pass>' "$1" correct-horse-battery '</auth-user-pass>' >>"$work/client.ovpn"
}
asked_again() { ! question_is null; }
answer() { # TEXT
    wait_for 10 asked_again && login "$1"
}
approve() { wait_for 10 asked_again && touch "$work/approved"; }
connected_again() { [ "$(gateway_field reconnects)" = 1 ] && gateway_up; }
# The token does it: the server asks for no password.
token_instead() {
    "$program" reconnect --control "$work/control" && wait_for 10 connected_again && moves file &&
        prints 1 wc -l <"$work/asked"
}
people=()
for line in "${login_lines[@]}"; do people+=("server=$line"); done
for wrap in none tls-crypt; do
    cell login "name and password, $wrap" "${people[@]}" wrap=$wrap 'edit=as plain'
    cell login "auth-token, $wrap" "${people[@]}" wrap=$wrap server=auth-gen-token 'edit=as plain' extra=token_instead
done
cell login "static challenge" "${people[@]}" 'client=static-challenge "Code of the day" 1' 'edit=as static' \
    'meanwhile=answer 271828'
cell login "dynamic challenge" "${people[@]}" 'edit=as dynamic' 'meanwhile=answer blue'
cell login "a question before the push" "${people[@]}" 'edit=as text' 'meanwhile=answer 4711'
cell login "a browser" "${people[@]}" 'edit=as browser' meanwhile=approve
cell login "told to come back" "${people[@]}" 'edit=as busy'

# --- Where the server is ----------------------------------------------------------------------------------------------

for transport in udp tcp; do
    cell 'finding a server' "IPv6, $transport" family=6 "transport=$transport"
    cell 'finding a server' "two of three remotes are dead, $transport" dead=yes "transport=$transport"
done

print_table
finish
