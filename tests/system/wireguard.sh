# shellcheck shell=bash
# For tests with a WireGuard server: Debian's wireguard-go in the internet's namespace. Source it instead of tap.sh.
#
# The server has 10.8.0.1 in the tunnel, the gateway 10.8.0.2.
# shellcheck source=tests/system/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh" || exit 1

wireguard_port=51820
wireguard_device=wg$$
# shellcheck disable=SC2034 # lib.sh looks at it
flows=("wireguard/$gateway_address/$server_address/$wireguard_port")

# A pair of keys of X25519, as base64.
wireguard_key() { # NAME
    openssl genpkey -algorithm X25519 -outform DER -out "$work/$1.der" 2>/dev/null
    tail -c 32 "$work/$1.der" | base64 >"$work/$1.private"
    openssl pkey -inform DER -in "$work/$1.der" -pubout -outform DER 2>/dev/null | tail -c 32 | base64 >"$work/$1.public"
}

wireguard_keys() {
    wireguard_key wireguard-server
    "$program" genkey wireguard "$work/wireguard-client.private" >"$work/wireguard-client.public"
    head -c 32 /dev/urandom | base64 >"$work/wireguard.psk"
    # shellcheck disable=SC2034 # tap.sh looks for them in the log
    secrets=("$(cat "$work/wireguard-client.private")" "$(cat "$work/wireguard.psk")")
}

hex() { base64 -d "$work/$1" | od -An -v -tx1 | tr -d ' \n'; } # FILE

# A profile as a provider hands it out; LINES go behind its [Peer].
wireguard_profile() { # FILE [LINE]...
    local file=$1
    shift
    {
        printf '%s\n' '[Interface]' "PrivateKey = $(cat "$work/wireguard-client.private")" 'Address = 10.8.0.2/32' \
            "DNS = $resolver_address" '' '[Peer]' "PublicKey = $(cat "$work/wireguard-server.public")" \
            'AllowedIPs = 0.0.0.0/0, ::/0' "Endpoint = ${wireguard_endpoint:-$server_address:$wireguard_port}" "$@"
    } >"$work/$file"
    chmod 600 "$work/$file"
}

# Tells the server its keys and its peer, by its control socket; further arguments are lines of the peer.
wireguard_configure() { # [LINE]...
    {
        printf '%s\n' set=1 "private_key=$(hex wireguard-server.private)" "listen_port=$wireguard_port" \
            replace_peers=true "public_key=$(hex wireguard-client.public)" replace_allowed_ips=true \
            allowed_ip=10.8.0.2/32 "$@" ''
    } | python3 -c '
import socket, sys
with socket.socket(socket.AF_UNIX) as control:
    control.connect(sys.argv[1])
    control.sendall(sys.stdin.buffer.read())
    answer = control.recv(100)
sys.exit(answer.strip() != b"errno=0")' "/run/wireguard/$wireguard_device.sock"
}

wireguard_start() { # [LINE]...
    mkdir -p /run/wireguard
    spawn "$work/wireguard.log" "$internet" env LOG_LEVEL=verbose wireguard-go -f "$wireguard_device"
    wireguard_pid=$spawned
    wait_for 5 test -S "/run/wireguard/$wireguard_device.sock"
    wireguard_configure "$@"
    ip -n "$internet" address add 10.8.0.1/24 dev "$wireguard_device"
    ip -n "$internet" link set "$wireguard_device" up
}

wireguard_stop() {
    end_process TERM "$wireguard_pid"
    rm -f "/run/wireguard/$wireguard_device.sock"
}

wireguard_begin() { # SECONDS
    start "$1"
    wireguard_keys
    wireguard_pid=
    trap 'rm -f "/run/wireguard/$wireguard_device.sock"; tear_down' EXIT
}
