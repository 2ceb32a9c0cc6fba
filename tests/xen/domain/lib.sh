# shellcheck shell=sh
# What dom0 can tell a domain to do.

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

# Prints the SHA-256 of a file of the web server.
fetch() { # URL
    timeout 60 wget -q -O - "$1" | sha256sum | cut -d ' ' -f 1
}

# --- A network card's backend -----------------------------------------------------------------------------------------

uplink_network() {
    insmod /modules/xen-netfront.ko
    wait_for_card || return 1
    /sbin/ip address add 192.0.2.2/24 dev eth0
    /sbin/ip link set eth0 up
    /sbin/ip route add default via 192.0.2.1
}

# Linux' own backend with plain forwarding, to tell what is the lab's doing and what the program's.
linux_gateway() {
    insmod /modules/xen-netback.ko
    sysctl -qw net.ipv4.ip_forward=1
    linux_vifs >/dev/console 2>&1 &
}

# What `xl devd` and its script would do.
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
        /sbin/ip link set "vif$1.0" address fe:ff:ff:ff:ff:ff
        /sbin/ip link set "vif$1.0" up
        /sbin/ip address add 10.138.0.1/32 dev "vif$1.0"
        /sbin/ip route replace "$(xenstore-read "$2/ip" | cut -d ' ' -f 1)/32" dev "vif$1.0"
        xenstore-write "$2/hotplug-status" connected
        ;;
    esac
}
