# shellcheck shell=bash
# What the programs of dom0 stand on: domains, orders to them, the internet with its OpenVPN server, and TAP.

# --- Domains ----------------------------------------------------------------------------------------------------------

domain_kind=pv

# Makes a domain; domain_ready waits until it obeys. Further arguments are lines of its configuration.
domain_make() { # NAME MEGABYTES [LINE]...
    local name=$1 megabytes=$2
    shift 2
    printf '%s\n' "name=\"$name\"" "type=\"$domain_kind\"" 'kernel="/boot/vmlinuz"' 'ramdisk="/boot/domain.img"' \
        'extra="console=hvc0 quiet mitigations=off"' "memory=$megabytes" 'vcpus=1' 'on_poweroff="destroy"' 'on_reboot="destroy"' \
        'on_crash="destroy"' "$@" >"/run/$name.cfg"
    xl create "/run/$name.cfg" || return 1
    xl domid "$name" >"/run/$name.id"
}

domain_ready() { # NAME
    wait_for 30 obeys "$1" && return
    echo "$1 does not come up"
    return 1
}

domain_create() { domain_make "$@" && domain_ready "$1"; }

obeys() { xenstore-exists "$(data_of "$1")/answer"; }
data_of() { echo "/local/domain/$(<"/run/$1.id")/data/lab"; }

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
    xenstore-list "/local/domain/$(<"/run/$1.id")/device/vif" | sort -n | tail -n 1
}

card_state() { # NAME: the frontend's word and the backend's
    local frontend
    frontend=/local/domain/$(<"/run/$1.id")/device/vif/$(card_number "$1")
    echo "$(xenstore-read "$frontend/state") $(xenstore-read "$(xenstore-read "$frontend/backend")/state")"
}

backend_nodes() { # BACKEND NAME: how many cards the backend has of a domain
    xenstore-list "/local/domain/$(<"/run/$1.id")/backend/vif/$(<"/run/$2.id")" 2>/dev/null | wc -l
}

# --- Orders -----------------------------------------------------------------------------------------------------------

# Starts a command in a domain.
order() { # NAME COMMAND
    local number=${EPOCHREALTIME/[.,]/}
    echo "$number" >"/run/$1.order"
    xenstore-write -R "$(data_of "$1")/command" "$number $2"
}

# Prints what the last order printed; its exit status. Waits without work: the processor is the emulated ones' all.
answer() { # NAME [SECONDS]
    local deadline=$((SECONDS + ${2:-60})) node number said head events watcher status=124
    number=$(<"/run/$1.order")
    node=$(data_of "$1")/answer
    exec {events}< <(exec xenstore-watch "$node")
    watcher=$!
    # The first event comes at once.
    while read -r -t $((deadline - SECONDS + 1)) -u "$events" _; do
        said=$(xenstore-read -R "$node") || break
        head=${said%%$'\n'*}
        [ "${head% *}" = "$number" ] || continue
        [ "$said" = "$head" ] || printf '%s\n' "${said#*$'\n'}"
        status=${head#* }
        break
    done
    kill $watcher
    exec {events}<&-
    [ "$status" != 124 ] || echo "$1 gives no answer"
    return "$status"
}

answered() { # NAME: whether it is done
    local said
    said=$(xenstore-read -R "$(data_of "$1")/answer") && [ "${said%% *}" = "$(<"/run/$1.order")" ]
}

# Does a command in a domain.
in_domain() { # NAME COMMAND
    order "$1" "$2" && answer "$1"
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

# A file of that many megabytes on the web server.
web_file() { # NAME MEGABYTES
    head -c "$(($2 << 20))" /dev/urandom >"/run/www/$1"
    sha256sum <"/run/www/$1" | cut -d ' ' -f 1 >"/run/$1.sha256"
}

# --- TAP --------------------------------------------------------------------------------------------------------------

test_number=0

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
        echo "$began $EPOCHREALTIME" | awk '{ printf "--- %.1f s\n", $2 - $1 }'
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
