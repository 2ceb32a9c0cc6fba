#!/bin/bash
# The commonest failures: status, its JSON and the log say what happened, to what, and what may be the reason.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
dead=198.51.100.66   # takes everything and says nothing
closed=198.51.100.77 # nobody listens there
names=("--address=/server.example.net/$server_address")
start 150
ip -n "$internet" address add $dead/32 dev lo
ip -n "$internet" address add $closed/32 dev lo
in_internet nft "add table inet silence; add chain inet silence in { type filter hook input priority 0; }
    add rule inet silence in ip daddr $dead drop"
flows+=("udp/$gateway_address/$dead/$server_port" "tcp/$gateway_address/$dead/$server_port"
    "udp/$gateway_address/$closed/$server_port" "tcp/$gateway_address/$closed/$server_port"
    "dns/$gateway_address/$dead/53" "dns/$gateway_address/$resolver_address/53")

shown() { gateway_status | tee "$work/shown" && grep -E -- "$1" "$work/shown"; }
listed() { gateway_field problems | tee "$work/shown" && grep -E -- "$1" "$work/shown"; }
logged() { grep -E -- "$1" "$work/gateway.log"; }
explains() { # NAME PATTERN
    ok "$1: status" wait_for 20 shown "^(reason|problem|login) .*$2"
    ok "$1: JSON" wait_for 20 listed "$2"
    ok "$1: log" wait_for 20 logged "$2"
}
fails() { # NAME PATTERN PROFILE-LINE...
    local name=$1 pattern=$2
    shift 2
    remotes=("$@")
    : >"$work/gateway.log"
    profile client.ovpn none
    gateway_start client.ovpn
    explains "$name" "$pattern"
    ok "$name: status names the server, also between two attempts" \
        shown "^server +[^ ]*:$server_port/(udp|tcp), profile client\.ovpn$"
    gateway_stop
}

fails "a silent server" "no answer yet from $dead:$server_port/udp \([0-9]+ s\): wrong port or protocol, or a firewall" \
    'proto udp4' "remote $dead $server_port"
fails "a silent server, TCP" "no connection yet to $dead:$server_port/tcp \([0-9]+ s\): wrong address or port" \
    'proto tcp4-client' "remote $dead $server_port"
fails "a closed port" "no answer yet from $closed:$server_port/udp \([0-9]+ s\): ICMP says that nobody listens there" \
    'proto udp4' "remote $closed $server_port"
fails "a closed port, TCP" "$closed:$server_port/tcp: Connection refused" \
    'proto tcp4-client' "remote $closed $server_port"

outer_resolver
fails "a name that does not exist" "nowhere.example.net:$server_port/udp: .*\(resolver $resolver_address\)" \
    'proto udp4' "remote nowhere.example.net $server_port"
echo "nameserver $dead" >"$work/outside.conf"
fails "a resolver that does not answer" \
    "looking up vpn.example.net: no answer yet from the resolver $dead \([0-9]+ s\)" \
    'proto udp4' "remote vpn.example.net $server_port"
outside=()

# Connected, and yet of no use.
remotes=('proto udp4' "remote $server_address $server_port")
profile client.ovpn tls-crypt 'pull-filter ignore "redirect-gateway"'
server_start tls-crypt
: >"$work/gateway.log"
gateway_start client.ovpn
ok "no route: up" wait_for 10 gateway_up
explains "no route" 'the server offers no route'
ok "no route: a line of status" shown '^routes +none; IPv6 blocked'
gateway_stop

profile client.ovpn tls-crypt
gateway_start client.ovpn
ok "a default route: up" wait_for 10 gateway_up
ok "a default route: a line of status" shown '^routes +all IPv4'
is "a default route: no problem" '[]' gateway_field problems
gateway_stop

# At debug: what was looked up and pushed, without secrets, and TLS' alerts by name.
server_stop
server_start tls-crypt 'push "auth-token SESS_ID_precious"' 'push "unknown precious"'
echo "nameserver $resolver_address" >"$work/outside.conf"
outer_resolver
remotes=('proto udp4' "remote server.example.net $server_port")
profile client.ovpn tls-crypt
: >"$work/gateway.log"
gateway_start client.ovpn -v
outside=()
ok "debug: connected" wait_for 10 gateway_up
ok "debug: the server's address" logged "^tunnel: server.example.net is at $server_address$"
ok "debug: the options" logged \
    "^tunnel: the server pushes redirect-gateway def1, dhcp-option DNS $resolver_address, .*auth-token \.\.\., .*ping 1"
ok "debug: no secret among them" not grep precious "$work/gateway.log"
gateway_stop
remotes=('proto udp4' "remote $server_address $server_port")
authority stranger
profile_authority=stranger profile client.ovpn tls-crypt
: >"$work/gateway.log"
gateway_start client.ovpn -v
ok "debug: the alert that we send" wait_for 20 logged 'TLS alert sent to the server: unknown_ca \(48\)'
gateway_stop
server_stop

# OpenVPN's own server sends no alert when it refuses a certificate; ours does, in TLS 1.3 under keys that are gone.
certificate client stranger clientAuth
server=gateway
server_start tls-crypt
profile client.ovpn tls-crypt 'tls-version-max 1.2'
: >"$work/gateway.log"
gateway_start client.ovpn -v
ok "debug: the alert that the server sends" wait_for 20 logged 'TLS alert received from the server: unknown_ca \(48\)'
explains "a certificate that the server does not know, TLS 1.2" "our certificate's authority is unknown to it \(alert 48\)"
gateway_stop
profile client.ovpn tls-crypt
: >"$work/gateway.log"
gateway_start client.ovpn
explains "a certificate that the server does not know, TLS 1.3" \
    'the server ended TLS once it had our certificate: it may be expired, revoked, or of an authority'
gateway_stop
server_stop
certificate client authority clientAuth
server=openvpn
server_start tls-crypt

# The password of the key, from a file and from a person.
openssl pkcs8 -topk8 -in "$work/client.key" -v2 aes-256-cbc -passout pass:right -out "$work/locked.key"
echo wrong >"$work/key.pass"
chmod 600 "$work/key.pass"
mv "$work/client.key" "$work/open.key"
cp "$work/locked.key" "$work/client.key"
profile client.ovpn tls-crypt 'askpass key.pass'
: >"$work/gateway.log"
gateway_start client.ovpn
ok "a wrong password of the key: status asks, and says so" wait_for 10 shown '^login .*private key; the one it got is wrong'
ok "a wrong password of the key: log" wait_for 10 logged 'password of the private key is wrong'
echo right | "$program" login --control "$work/control" >/dev/null 2>&1
ok "the right one: up" wait_for 10 gateway_up
gateway_stop
mv "$work/open.key" "$work/client.key"

# Our own certificate, which the server judges.
printf '%s\n' '[ca]' 'default_ca = list' '[list]' "database = $work/index" 'default_md = sha256' 'policy = any' \
    'rand_serial = yes' "new_certs_dir = $work" "certificate = $work/authority.crt" \
    "private_key = $work/authority.key" '[any]' 'commonName = supplied' >"$work/ca.conf"
: >"$work/index"
openssl req -new -key "$work/client.key" -subj /CN=client -out "$work/client.csr" 2>/dev/null
openssl ca -batch -notext -config "$work/ca.conf" -startdate 20200101000000Z -enddate 20210203040506Z \
    -in "$work/client.csr" -out "$work/client.crt" 2>/dev/null
profile client.ovpn tls-crypt
: >"$work/gateway.log"
gateway_start client.ovpn
explains "our certificate expired" "the certificate in .cert. expired on 2021-02-03"
gateway_stop
finish
