# shellcheck shell=bash
# What the programs of dom0 stand on: domains, orders to them, the internet with its OpenVPN server, and TAP.

# --- Domains ----------------------------------------------------------------------------------------------------------

domain_kind=pv

# Makes a domain; domain_ready waits until it obeys. Further arguments are lines of its configuration.
domain_make() { # NAME MEGABYTES [LINE]...
    local name=$1 megabytes=$2
    shift 2
    printf '%s\n' "name=\"$name\"" "type=\"$domain_kind\"" 'kernel="/boot/vmlinuz"' 'ramdisk="/boot/domain.img"' \
        'extra="console=hvc0 quiet"' "memory=$megabytes" 'vcpus=1' 'on_poweroff="destroy"' 'on_reboot="destroy"' \
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

# --- Orders -----------------------------------------------------------------------------------------------------------

# Starts a command in a domain.
order() { # NAME COMMAND
    local number=${EPOCHREALTIME/[.,]/}
    echo "$number" >"/run/$1.order"
    xenstore-write -R "$(data_of "$1")/command" "$number $2"
}

# Prints what the last order printed; its exit status.
answer() { # NAME [SECONDS]
    local deadline=$((SECONDS + ${2:-60})) number said head
    number=$(<"/run/$1.order")
    while said=$(xenstore-read -R "$(data_of "$1")/answer"); do
        head=${said%%$'\n'*}
        if [ "${head% *}" = "$number" ]; then
            [ "$said" = "$head" ] || printf '%s\n' "${said#*$'\n'}"
            return "${head#* }"
        fi
        [ $SECONDS -lt $deadline ] || { echo "$1 gives no answer"; return 124; }
        sleep 0.1
    done
    echo "$1 is no more"
    return 125
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

# --- The internet -----------------------------------------------------------------------------------------------------

web_address=198.51.100.80

# The address is not the card's: it stays when the gateway's domain goes and comes.
internet() {
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 net.ipv4.ip_forward=0
    ip address add 192.0.2.1/32 dev lo
    ip address add $web_address/32 dev lo
    mkdir -p /run/www
    busybox httpd -p $web_address:80 -h /run/www
}

# A file of that many megabytes on the web server.
web_file() { # NAME MEGABYTES
    head -c "$(($2 << 20))" /dev/urandom >"/run/www/$1"
    sha256sum <"/run/www/$1" | cut -d ' ' -f 1 >"/run/$1.sha256"
}

# --- TAP --------------------------------------------------------------------------------------------------------------

test_number=0

plan() { echo "1..$1"; }

# A test is a command; what it prints is shown when it fails.
ok() { # DESCRIPTION COMMAND...
    local description=$1 printed began=$EPOCHREALTIME
    shift
    test_number=$((test_number + 1))
    echo "--- $test_number $description" >&2
    if printed=$("$@" 2>&1); then
        echo "ok $test_number - $description"
    else
        echo "not ok $test_number - $description"
        tail -n 40 <<<"$printed" | sed 's/^/# /'
    fi
    echo "$printed" >&2
    echo "$began $EPOCHREALTIME" | awk '{ printf "--- %.1f s\n", $2 - $1 }' >&2
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
