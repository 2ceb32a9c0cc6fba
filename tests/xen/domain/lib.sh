# shellcheck shell=sh
# Orders that dom0 can give a domain.

# --- A qube -----------------------------------------------------------------------------------------------------------

# As Qubes' setup-ip does it for an AppVM.
qube_network() { # ADDRESS
    [ -e /sys/module/xen_netfront ] || insmod /modules/xen-netfront.ko
    wait_for_card || return 1
    /sbin/ip link set eth0 up &&
        /sbin/ip address add "$1/32" dev eth0 &&
        /sbin/ip neighbour replace 10.138.0.1 lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent &&
        /sbin/ip route replace 10.138.0.1/32 dev eth0 scope link &&
        /sbin/ip route replace default via 10.138.0.1 dev eth0 onlink
}

# Kernel modules find their devices in their own time.
wait_for_card() {
    turn=0
    until [ -e /sys/class/net/eth0 ]; do
        turn=$((turn + 1))
        [ $turn -lt 100 ] || return 1
        sleep 0.1
    done
}

# A card over a vchan, where Xen has given none.
attach() { # GATEWAY'S DOMAIN, ADDRESS
    [ -e /sys/module/tun ] || insmod /modules/tun.ko
    vpn-gateway attach "$1:data/net" eth0 >/dev/console 2>&1 &
    echo $! >/run/attach.pid
    qube_network "$2"
}

# Does a command while the card has one more address; its status.
borrow_address() { # ADDRESS COMMAND...
    /sbin/ip address add "$1/32" dev eth0 || return 125
    borrowed=$1
    shift
    "$@"
    set -- $?
    /sbin/ip address del "$borrowed/32" dev eth0
    return "$1"
}

# Frames and bytes so far, as the kernel sees them.
card_counts() { # tx|rx
    echo "$(cat "/sys/class/net/eth0/statistics/$1_packets") $(cat "/sys/class/net/eth0/statistics/$1_bytes")"
}

# Prints the SHA-256 of a file of the web server.
fetch() { # URL
    timeout 60 wget -q -O - "$1" | sha256sum | cut -d ' ' -f 1
}

# Fetches until it is told to stop. False at the first wrong file; at the first that breaks off, too, unless some may.
# With pauses it leaves the processor to others.
fetch_on() { # URL SHA256 [may-break | with-pauses]
    broken=0
    longest=0
    echo 0 >/tmp/count
    until [ -e /tmp/stop ]; do
        began=$(cut -d ' ' -f 1 /proc/uptime | tr -d .)
        if timeout 20 wget -q -O /tmp/fetched "$1"; then
            [ "$(sha256sum </tmp/fetched)" = "$2  -" ] || { echo "file $(cat /tmp/count) is wrong"; return 1; }
            took=$(($(cut -d ' ' -f 1 /proc/uptime | tr -d .) - began))
            [ $took -le $longest ] || longest=$took
            echo $(($(cat /tmp/count) + 1)) >/tmp/count
            [ "$3" != with-pauses ] || sleep 0.2
        else
            [ "$3" = may-break ] || { echo "file $(cat /tmp/count) does not come"; return 1; }
            broken=$((broken + 1))
        fi
    done
    echo "$(cat /tmp/count) files, $broken broke off, the slowest took $((longest * 10)) ms"
}

# Sends noise of that many kilobytes to the web server; true if it received what was sent. (busybox' wget posts text
# only.)
send() { # ADDRESS PATH KILOBYTES
    size=$(($3 << 10))
    head -c $size /dev/urandom >/tmp/sent
    {
        printf 'POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n' "$2" $size
        cat /tmp/sent
    } | timeout 60 nc "$1" 80 >/tmp/said
    [ "$(tail -n 1 /tmp/said)" = "$(sha256sum </tmp/sent | cut -d ' ' -f 1)" ] || { cat /tmp/said; return 1; }
}

# --- A network card's backend -----------------------------------------------------------------------------------------

uplink_network() {
    insmod /modules/xen-netfront.ko
    wait_for_card || return 1
    /sbin/ip address add 192.0.2.2/24 dev eth0
    /sbin/ip link set eth0 up
    /sbin/ip route add default via 192.0.2.1
}

gateway_start() { # [QUBESDB [OPTION]...]
    qubesdb=${1:-none}
    [ $# = 0 ] || shift
    vpn-gateway run --profile /lab/client.ovpn --downstream xen --qubesdb "$qubesdb" --control /run/control "$@" \
        >/dev/console 2>&1 &
    echo $! >/run/gateway.pid
}

gateway_status() { timeout 10 vpn-gateway status --control /run/control "$@"; }
gateway_up() { gateway_status --json | grep '"up": true'; }
gateway_await() {
    turn=0
    until gateway_up >/dev/null 2>&1; do
        turn=$((turn + 1))
        [ $turn -lt 400 ] || return 1
        sleep 0.1
    done
}

# How often, of all qubes.
gateway_drops() { # REASON
    gateway_status --json | awk -v reason="\"$1\":" '$1 == reason { sum += $2 } END { print sum + 0 }'
}

gateway_end() { # SIGNAL
    kill "-$1" "$(cat /run/gateway.pid)"
    turn=0
    while [ -e "/proc/$(cat /run/gateway.pid)" ] && [ $turn -lt 100 ]; do
        turn=$((turn + 1))
        sleep 0.1
    done
}

# Linux' own backend, its cards joined by a bridge.
linux_bridge_start() {
    for module in llc stp bridge xen-netback; do
        [ -e "/sys/module/$(echo $module | tr - _)" ] || insmod /modules/$module.ko
    done
    brctl addbr br0
    ip link set br0 up
    # A process group of its own, to be ended as a whole.
    setsid sh -c 'echo $$ >/run/bridge.pid; . /lab/lib.sh; linux_vifs' >/dev/console 2>&1 &
}

linux_bridge_end() {
    kill -- "-$(cat /run/bridge.pid)"
    ip link set br0 down
    brctl delbr br0
    rmmod xen-netback
}

# `xl devd` and its script would do this.
linux_vifs() {
    xenstore-watch backend/vif | while read -r path; do
        # backend/vif/DOMAIN/0/KEY
        domain=${path#backend/vif/}
        domain=${domain%%/*}
        case $path in backend/vif/*/0*) linux_vif "$domain" "backend/vif/$domain/0" ;; esac
    done
}

linux_vif() { # DOMAIN PATH
    case $(xenstore-read "$2/state" "$2/online" "$2/hotplug-status" 2>/dev/null | tr '\n' ' ') in
    '6 0 '*) xenstore-rm "$2" ;;
    '2 1  ')
        brctl addif br0 "vif$1.0"
        /sbin/ip link set "vif$1.0" up
        xenstore-write "$2/hotplug-status" connected
        ;;
    esac
}

# Ours, joined by a few lines of C.
own_bridge_start() {
    bridge >/dev/console 2>&1 &
    echo $! >/run/bridge.pid
}
own_bridge_end() { kill "$(cat /run/bridge.pid)"; }

# Two qubes on a bridge: the one's router is the other.
neighbour_is() { # MAC
    /sbin/ip neighbour replace 10.138.0.1 lladdr "$1" dev eth0 nud permanent
}
