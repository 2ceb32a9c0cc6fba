#!/bin/bash
# What client and server agree on: TLS version, cipher, wrapping, how data keys are derived. The server's own log says
# what it was.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 100

agree() { # NAME WRAP PROTOCOL-BITS TLS CIPHER WORDS-OF-THE-PUSH [SERVER-LINE]...
    local name=$1 wrap=$2 server_protocol_bits=$3 tls=$4 cipher=$5 words=$6
    shift 6
    profile client.ovpn "$wrap"
    : >"$work/server.log"
    server_start "$wrap" "data-ciphers $cipher" "$@"
    gateway_start client.ovpn -v
    ok "$name: up" wait_for 10 gateway_up
    is "$name: a page" "You came through the tunnel." in_qube curl -s --max-time 10 http://$site/
    ok "$name: agreed" agreed "$tls" "$cipher" "$words"
    gateway_stop
    server_stop
}

agreed() { # TLS CIPHER WORDS-OF-THE-PUSH
    grep -E 'Control Channel: |SENT CONTROL' "$work/server.log"
    grep -q "Control Channel: $1," "$work/server.log" && grep -q "SENT CONTROL.*,cipher $2," "$work/server.log" &&
        if [ -n "$3" ]; then
            grep -q "SENT CONTROL.*$3" "$work/server.log"
        else
            not grep -qE 'SENT CONTROL.*(protocol-flags|key-derivation)' "$work/server.log"
        fi
}

ekm='protocol-flags[a-z -]* tls-ekm'
agree "TLS 1.3, AES-256-GCM, tls-crypt, exporter" tls-crypt '' TLSv1.3 AES-256-GCM "$ekm"
agree "TLS 1.2, AES-128-GCM, no wrapping, exporter" none '' TLSv1.2 AES-128-GCM "$ekm" 'tls-version-max 1.2'
agree "TLS 1.3, CHACHA20-POLY1305, no wrapping, PRF" none 2 TLSv1.3 CHACHA20-POLY1305 ''
agree "TLS 1.2, AES-256-GCM, tls-crypt, PRF" tls-crypt 2 TLSv1.2 AES-256-GCM '' 'tls-version-max 1.2'
agree "TLS 1.2, CHACHA20-POLY1305, tls-crypt, exporter" tls-crypt '' TLSv1.2 CHACHA20-POLY1305 "$ekm" \
    'tls-version-max 1.2'
agree "TLS 1.3, AES-128-GCM, tls-crypt, PRF, no peer-id" tls-crypt 0 TLSv1.3 AES-128-GCM ''
finish
