#!/bin/bash
# Servers' configurations as people have them (tests/vectors/servers), served to openvpn's client: made for compression or
# not, with every wrapping, with files per client and with old words.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 240
server=gateway
client=openvpn
kill_switch=yes
secrets=(correct-horse)
corpus=$(dirname "$0")/../vectors/servers
web_file big 2M
flows+=("tcp/$gateway_address/$server_address/$server_port")

# The files that the configurations name.
ln -s authority.crt "$work/ca.crt"
ln -s server.example.net.crt "$work/server.crt"
ln -s server.example.net.key "$work/server.key"
openvpn --genkey tls-auth "$work/tls-auth.key"
"$program" genkey tls-crypt-v2-server "$work/v2.key"
"$program" genkey tls-crypt-v2-client --server-key "$work/v2.key" "$work/tls-crypt-v2.key"
ln -s tls-auth.key "$work/ta.key"
ln -s tls-crypt.key "$work/tc.key"
revocations crl.pem
mkdir "$work/ccd"
printf 'ifconfig-push 10.8.0.77 255.255.255.0\niroute 192.168.7.0 255.255.255.0\nverb 3\n' >"$work/ccd/client"
printf 'anna:%s\n' "$(perl -e 'print crypt("correct-horse", q($6$saltsalt$))')" >"$work/users"

# As it stands there, but for its place in this network.
config() { # NAME
    local line
    while IFS= read -r line; do
        case $line in
            @*) grep -v '^#' "$work/${line#@}" ;;
            local* | --port* | --proto* | 'port '* | 'proto udp'*) ;;
            'proto tcp'*) echo 'proto tcp4' ;;
            'status '* | 'log'* | 'writepid '*) echo "${line%% *} $work/${line%% *}" ;;
            'client-config-dir '*) echo 'client-config-dir ccd' ;;
            'management '*) echo "management $work/management unix" ;;
            *) printf '%s\n' "$line" ;;
        esac
    done <"$corpus/$1.conf" >"$work/server.conf"
    grep -q '^proto tcp' "$work/server.conf" || echo 'proto udp4' >>"$work/server.conf"
    printf '%s\n' "local $server_address" "port $server_port" 'push "redirect-gateway def1"' \
        "push \"dhcp-option DNS $resolver_address\"" >>"$work/server.conf"
}

served() { # NAME WRAP [LINE]...: of the client's profile
    local name=$1 wrap=$2 protocol=udp4
    shift 2
    config "$name"
    ! grep -q '^proto tcp' "$work/server.conf" || protocol=tcp4
    remotes=("proto $protocol" "remote $server_address $server_port")
    profile client.ovpn "$wrap" "$@"
    mark=$(($(wc -l <"$work/server.log") + 1))
    server_return || true
    ok "$name: starts" server_said $((mark - 1)) 'serve: .*device'
    gateway_start client.ovpn
    ok "$name: a client is up" wait_for 20 gateway_up
    ok "$name: packets pass" moves big
    gateway_stop
    server_stop
}

# A tunnel has IPv6 where the configuration has; what is outside has none.
for name in "$internet" "$gateway"; do kernel "$name" ipv6/conf/default/disable_ipv6 0; done

served installer_elliptic tls-crypt 'auth SHA256' 'cipher AES-128-GCM'
served installer_dh_block tls-crypt 'auth SHA512'
served installer_migrating none
served container tls-auth 'key-direction 1' 'comp-lzo no'
served sample_of_old tls-auth 'key-direction 1' 'comp-lzo'
served compress_lz4 none 'compress lz4-v2'
served compress_alone none 'compress'
served lzo_adaptive_tcp none 'comp-lzo adaptive'
served inline tls-crypt
served said_twice_net30 none
served noncookie tls-crypt-v2
served ccd none
ok "ccd: it has its own address" grep -q '10\.8\.0\.77' "$work/gateway.log"
served compatible none 'data-ciphers AES-256-CBC' 'auth SHA256'
served watched none
announced() { grep -q 'announces compression; it is told to do without' "$work/server.log"; }
ok "whoever announces compression is in the log" announced
finish
