# shellcheck shell=bash
# Shared by the programs of dom0: domains, orders to them, the internet with its OpenVPN server, and TAP.

# --- Domains ----------------------------------------------------------------------------------------------------------

domain_kind=pv

# Makes a domain; domain_ready waits until it obeys. Further arguments are lines of its configuration.
domain_make() { # NAME MEGABYTES [LINE]...
    local name=$1 megabytes=$2
    shift 2
    printf '%s\n' "name=\"$name\"" "type=\"$domain_kind\"" 'kernel="/boot/vmlinuz"' 'ramdisk="/boot/domain.img"' \
        "extra=\"$(</lab/kernel)\"" "memory=$megabytes" 'vcpus=1' 'on_poweroff="destroy"' 'on_reboot="destroy"' \
        'on_crash="destroy"' "$@" >"/run/$name.cfg"
    xl create "/run/$name.cfg" || return 1
    xl domid "$name" >"/run/$name.id"
}

domain_ready() { in_domain "$1" true; }

domain_create() { domain_make "$@" && domain_ready "$1"; }

home_of() { echo "/local/domain/$(<"/run/$1.id")"; }

# A qube's network card, as Qubes has libxl make it.
card() { # BACKEND ADDRESS
    echo "backend=$1,mac=00:16:3e:5e:6c:${2##*.},ip=$2,script=/etc/xen/scripts/vif-route-qubes"
}

# --- Cards ------------------------------------------------------------------------------------------------------------

card_attach() { # NAME BACKEND ADDRESS
    local specification
    specification=$(card "$2" "$3")
    # shellcheck disable=SC2046 # several words
    xl network-attach "$1" $(tr ',' ' ' <<<"$specification")
}

# The devid of a domain's newest card.
card_number() { # NAME
    xenstore-list "$(home_of "$1")/device/vif" | sort -n | tail -n 1
}

card_state() { # NAME: the frontend's word and the backend's
    local frontend
    frontend=$(home_of "$1")/device/vif/$(card_number "$1")
    echo "$(xenstore-read "$frontend/state") $(xenstore-read "$(xenstore-read "$frontend/backend")/state")"
}

# Linux' driver closes a card that comes while the one before is still leaving.
red_has_no_card() { not in_domain red 'test -e /sys/class/net/eth0'; }

backend_nodes() { # BACKEND NAME: how many cards the backend has of a domain
    xenstore-list "$(home_of "$1")/backend/vif/$(<"/run/$2.id")" 2>/dev/null | wc -l
}

# --- Orders -----------------------------------------------------------------------------------------------------------
# tests/xen/errand.c carries them.

# Does a command in a domain, whatever else it is doing.
in_domain() { # NAME COMMAND
    local id
    read -r id <"/run/$1.id" && errand "do" "$id" 60 "$2"
}

# Starts a command that takes its time; a domain has one at a time.
order() { # NAME COMMAND
    local id
    read -r id <"/run/$1.id" && errand give "$id" "$2" >"/run/$1.order"
}

# Prints what it printed; its exit status.
answer() { # NAME
    local id number
    read -r id <"/run/$1.id" && read -r number <"/run/$1.order" && errand take "$id" "$number" 60
}

answered() { # NAME: whether it is done
    xenstore-exists "$(home_of "$1")/data/answers/$(<"/run/$1.order")"
}

wait_for() { # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

within() { # SECONDS COMMAND...: it is true, and in time
    local limit=$1 began=${EPOCHREALTIME/[.,]/}
    shift
    "$@" || return
    local took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
    echo "$took ms"
    [ $took -lt $((limit * 1000)) ]
}

not() { ! "$@"; }

# --- The internet -----------------------------------------------------------------------------------------------------

web_address=198.51.100.80
resolver_address=203.0.113.53
site=www.example.net # only the resolver behind the VPN knows it

# The addresses are not the card's: they stay when the gateway's domain goes and comes.
internet() {
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 net.ipv4.ip_forward=0
    ip address add 192.0.2.1/32 dev lo
    ip address add $web_address/32 dev lo
    ip address add $resolver_address/32 dev lo
    mkdir -p /run/www/cgi-bin
    cat >/run/www/cgi-bin/sha256 <<-'END'
	#!/bin/sh
	printf 'Content-Type: text/plain\r\n\r\n'
	head -c "$CONTENT_LENGTH" | sha256sum | cut -d ' ' -f 1
	END
    chmod 755 /run/www/cgi-bin/sha256
    busybox httpd -p $web_address:80 -h /run/www
    dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --listen-address=$resolver_address \
        --user=root --pid-file= --local=/example.net/ --address=/$site/$web_address
}

server_start() {
    cat >/run/server.conf <<-END
	server 10.8.0.0 255.255.255.0
	topology subnet
	proto udp4
	local 192.0.2.1
	port 1194
	dev tun0
	disable-dco
	keepalive 2 20
	dh none
	verb 3
	ca /lab/authority.crt
	cert /lab/server.example.net.crt
	key /lab/server.example.net.key
	tls-crypt /lab/tls-crypt.key
	push "redirect-gateway def1"
	push "dhcp-option DNS $resolver_address"
	END
    openvpn --config /run/server.conf --log-append /run/lab/server.log &
    echo $! >/run/server.pid
    wait_for 20 grep -q 'Initialization Sequence Completed' /run/lab/server.log
}

# A file of noise on the web server.
web_file() { # NAME SIZE, as head takes it
    head -c "$2" /dev/urandom >"/run/www/$1"
    sha256sum <"/run/www/$1" | cut -d ' ' -f 1 >"/run/$1.sha256"
    [ -s "/run/www/$1" ]
}

# --- Traffic ----------------------------------------------------------------------------------------------------------

fetches() { # NAME FILE
    prints "$(<"/run/$2.sha256")" in_domain "$1" "fetch http://$web_address/$2"
}

both_fetch() {
    order red "fetch http://$web_address/file"
    order blue "fetch http://$web_address/file"
    prints "$(</run/file.sha256)" answer red && prints "$(</run/file.sha256)" answer blue
}

# Traffic in the background until it is told to end; it may break off where the gateway does.
load_start() { # NAME [may-break | with-pauses]
    in_domain "$1" 'rm -f /tmp/count /tmp/stop' &&
        order "$1" "fetch_on http://$web_address/small $(</run/small.sha256) $2" && wait_for 30 loaded "$1" 1
}
loaded() { [ "$(in_domain "$1" 'cat /tmp/count')" -ge "$2" ]; } # NAME FILES
load_goes_on() { # NAME: two more files from now on
    local files
    files=$(in_domain "$1" 'cat /tmp/count') && wait_for 60 loaded "$1" $((files + 2))
}
load_end() { in_domain "$1" 'touch /tmp/stop' && answer "$1"; }

# As dom0 suspends domains: each stops in the middle of its work, all of its memory is read, and it goes on. Two qubes fetch
# files meanwhile, and none breaks off for it.
suspended() { # NAME...
    local name job jobs=() status=0
    load_start red && load_start blue || return
    for name in "$@"; do
        xl save -c "$name" /dev/null &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || status=1; done
    load_goes_on red && load_goes_on blue && load_end red && load_end blue && [ $status = 0 ]
}

# --- The outer link ---------------------------------------------------------------------------------------------------

# Nothing but the VPN was there since the gateway's domain came up, or since capture_again. 1: there was; 2: not all
# was captured.
only_the_vpn() {
    # tcpdump shall get all that there is: both ends hold their breath until it has.
    kill -STOP "$(</run/server.pid)"
    xl pause gateway
    wait_for 10 capture_complete
    kill "$(</run/capture.pid)"
    wait_for 10 not pgrep tcpdump
    xl unpause gateway
    kill -CONT "$(</run/server.pid)"
    capture_counts
    [ "$captured" = "$received" ] && [ "$dropped" = 0 ] || { cat /run/lab/capture.log; return 2; }
    /lab/leakcheck /run/outer.pcap udp/192.0.2.2/192.0.2.1/1194
}

capture_complete() {
    kill -USR1 "$(</run/capture.pid)" && sleep 0.1 && capture_counts && [ "$captured" = "$received" ]
}

# tcpdump's last words, in one line or in three.
capture_counts() {
    local words
    words=$(grep -oE '[0-9]+ packets? (captured|received by filter|dropped by kernel)' /run/lab/capture.log | tail -n 3)
    captured=$(sed -n 's/ packets* captured//p' <<<"$words")
    received=$(sed -n 's/ packets* received by filter//p' <<<"$words")
    dropped=$(sed -n 's/ packets* dropped by kernel//p' <<<"$words")
    [ -n "$dropped" ]
}

capture_again() {
    : >/run/lab/capture.log
    tcpdump -i "vif$(</run/gateway.id).0" -n -Z root -s 96 -B 16384 -w /run/outer.pcap >/run/lab/capture.log 2>&1 </dev/null &
    echo $! >/run/capture.pid
    wait_for 10 grep -q 'listening on' /run/lab/capture.log
}

# --- TAP --------------------------------------------------------------------------------------------------------------

test_number=0

# The process of xl that removes a domain when it has ended takes a suspend for an end, and is gone after the first one.
removed() { # DOMAIN
    wait_for 3 not xl domid "$1" || xl destroy "$1"
    wait_for 10 not xl domid "$1"
}

case_seconds=120

# A test is a command; what it prints is shown when it fails. One that does not end is ended.
ok() { # DESCRIPTION COMMAND...
    local description=$1 began=$EPOCHREALTIME job watchdog
    shift
    test_number=$((test_number + 1))
    # Jobs have process groups of their own, to be ended as a whole.
    set -m
    "$@" >/run/printed 2>&1 </dev/null &
    job=$!
    (sleep $case_seconds && echo "took longer than $case_seconds s" >>/run/printed && kill -KILL -- -$job) 2>/dev/null &
    watchdog=$!
    set +m
    if wait $job 2>/dev/null; then
        echo "ok $test_number - $description"
    else
        echo "not ok $test_number - $description"
        tail -n 40 /run/printed | sed 's/^/# /'
    fi
    kill -- -$watchdog
    {
        echo "--- $test_number $description"
        cat /run/printed
        echo "--- $(((${EPOCHREALTIME/[.,]/} - ${began/[.,]/}) / 1000)) ms"
    } >&2
}

# The command prints exactly this.
is() { # DESCRIPTION EXPECTED COMMAND...
    ok "$1" prints "${@:2}"
}

prints() { # EXPECTED COMMAND...
    local expected=$1 printed
    shift
    printed=$("$@") || { echo "exit code $?: $printed"; return 1; }
    [ "$printed" = "$expected" ] || { echo "expected: $expected"; echo "     got: $printed"; return 1; }
}
