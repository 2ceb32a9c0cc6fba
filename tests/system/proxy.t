#!/bin/bash
# The VPN through proxies of other people's making: tinyproxy (HTTP), microsocks (SOCKS5), dante (SOCKS5 with UDP). The
# proxy alone is spoken to: it is given the server's name, and of that not even a question leaves the gateway VM.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
far_server=198.51.100.10
server_name=vpn.example.net
names=("--address=/$server_name/$far_server")
start 150
outer_ipv6
outer_resolver # for the proxies
ip -n "$internet" address add $far_server/32 dev lo
web_file big 20M
secrets=(correct-horse wrong-donkey)
printf 'user\ncorrect-horse\n' >"$work/right.login"
printf 'user\nwrong-donkey\n' >"$work/wrong.login"
flows=()

http_proxy() { # PORT [LINE]...
    local port=$1
    shift
    printf '%s\n' "Port $port" "Listen $server_address" 'Timeout 600' 'MaxClients 20' 'LogLevel Info' "$@" \
        >"$work/http-$port.conf"
    spawn "$work/http-$port.log" "$internet" "${outside[@]}" tinyproxy -d -c "$work/http-$port.conf"
    proxy_ready $server_address "$port"
    flows+=("tcp/$gateway_address/$server_address/$port")
}

socks_proxy() { # ADDRESS PORT [OPTION]...
    local address=$1 port=$2
    shift 2
    spawn "$work/socks-$port.log" "$internet" "${outside[@]}" microsocks -i "$address" -p "$port" "$@"
    proxy_ready "$address" "$port"
}

udp_proxy() { # PORT RELAY-PORT
    printf '%s\n' "logoutput: $work/dante.log" "internal: $server_address port = $1" "external: $server_address" \
        'user.privileged: root' 'user.unprivileged: root' 'clientmethod: none' 'socksmethod: none' \
        'client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }' \
        "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 udp.portrange: $2-$2 }" >"$work/dante.conf"
    spawn "$work/dante.log" "$internet" "${outside[@]}" danted -f "$work/dante.conf"
    proxy_ready $server_address "$1"
    flows+=("tcp/$gateway_address/$server_address/$1")
}

# It accepts connections.
proxy_ready() { # ADDRESS PORT
    wait_for 5 in_internet busybox nc -w 5 "$1" "$2" </dev/null
}

# Only the proxies have a way to names.
try() { # PROFILE-LINE...
    local outside=()
    remotes=("$@")
    profile client.ovpn tls-crypt
    gateway_start client.ovpn
}

goes() { # NAME PROFILE-LINE...
    local name=$1
    shift
    try "$@"
    ok "$name: up" wait_for 10 gateway_up
    ok "$name: status says so" grep -E "^server .* through the (HTTP|SOCKS) proxy [0-9[]" <(gateway_status)
    is "$name: 20 MB" "$(checksum big)" file_down big $site
    gateway_stop
}

fails() { # NAME PATTERN PROFILE-LINE...
    local name=$1 pattern=$2
    shift 2
    try "$@"
    ok "$name" wait_for 10 says "$pattern"
    gateway_stop
}
says() { gateway_field last_error | grep -E "$1"; }

# Not every distribution has each of them.
have() { # PROGRAM
    command -v "$1" >/dev/null && return
    test_number=$((test_number + 1))
    echo "ok $test_number # SKIP $1 is not installed"
    return 1
}

through_http() {
    http_proxy 8888
    http_proxy 8889 'BasicAuth user correct-horse'
    http_proxy 8890 'ConnectPort 443'
    goes "HTTP" "${tcp[@]}" "http-proxy $server_address 8888"
    goes "HTTP 1.1, an address for a server" 'proto tcp-client' "remote $far_server $server_port" \
        "http-proxy $server_address 8888" 'http-proxy-option VERSION 1.1' 'http-proxy-option AGENT test'
    goes "HTTP with a login" "${tcp[@]}" "http-proxy $server_address 8889 right.login basic"
    fails "HTTP with a wrong login: said" 'HTTP proxy refuses the name and the password' "${tcp[@]}" \
        "http-proxy $server_address 8889 wrong.login basic"
    fails "HTTP without the login: said" 'HTTP proxy wants a name and a password' "${tcp[@]}" \
        "http-proxy $server_address 8889"
    fails "HTTP, a port that is not allowed: said" 'HTTP proxy refuses: 403' "${tcp[@]}" \
        "http-proxy $server_address 8890"
    fails "HTTP, a name that nobody knows: said" 'HTTP proxy refuses: 50' 'proto tcp-client' \
        "remote nowhere.example.net $server_port" "http-proxy $server_address 8888"
    flows+=("tcp/$gateway_address/$server_address/8891")
    fails "no proxy: said" 'Connection refused' "${tcp[@]}" "http-proxy $server_address 8891"
}

through_socks() {
    socks_proxy $server_address 1080
    socks_proxy $server_address 1081 -u user -P correct-horse
    socks_proxy $server_ipv6 1082
    flows+=("tcp/$gateway_address/$server_address/1080" "tcp/$gateway_address/$server_address/1081"
        "tcp/$gateway_ipv6/$server_ipv6/1082")
    goes "SOCKS5" "${tcp[@]}" "socks-proxy $server_address 1080"
    goes "SOCKS5, an address for a server" 'proto tcp-client' "remote $far_server $server_port" \
        "socks-proxy $server_address 1080"
    goes "SOCKS5 with a login" "${tcp[@]}" "socks-proxy $server_address 1081 right.login"
    goes "SOCKS5 over IPv6, the server over IPv4" "${tcp[@]}" "socks-proxy $server_ipv6 1082"
    fails "SOCKS5 with a wrong login: said" 'SOCKS proxy refuses the name and the password' "${tcp[@]}" \
        "socks-proxy $server_address 1081 wrong.login"
    fails "SOCKS5 without the login: said" 'SOCKS proxy wants a name and a password' "${tcp[@]}" \
        "socks-proxy $server_address 1081"
    fails "SOCKS5, a name that nobody knows: said" 'SOCKS proxy (fails|cannot)' 'proto tcp-client' \
        "remote nowhere.example.net $server_port" "socks-proxy $server_address 1080"
    fails "SOCKS5 where HTTP is wanted: said" 'proxy (closed|does not speak)' "${tcp[@]}" \
        "http-proxy $server_address 1080"
    fails "SOCKS5 that relays no UDP: said" 'does not know this command' 'proto udp' \
        "remote $server_name $server_port" "socks-proxy $server_address 1080"
}

# The header that the relay wants is of another size for a name: a capture for each.
through_relay() {
    server_stop
    listen=('proto udp4' "local $far_server")
    server_start tls-crypt
    udp_proxy 1083 40000
    flows+=("udp+10/$gateway_address/$server_address/40000")
    goes "UDP through SOCKS5, an address for a server" 'proto udp' "remote $far_server $server_port" \
        "socks-proxy $server_address 1083"
    capture_stop
    ok "up to here only the proxies were spoken to" leak_check

    capture_start
    flows=("tcp/$gateway_address/$server_address/1083"
        "udp+$((7 + ${#server_name}))/$gateway_address/$server_address/40000")
    goes "UDP through SOCKS5" 'proto udp' "remote $server_name $server_port" "socks-proxy $server_address 1083"
}

listen=('proto tcp4-server' "local $far_server")
server_start tls-crypt
tcp=('proto tcp-client' "remote $server_name $server_port")
have tinyproxy && through_http
have microsocks && through_socks
have danted && through_relay
finish
