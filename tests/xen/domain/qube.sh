# shellcheck shell=sh
# Makes a domain what Qubes makes of it before services start: the marks of its services, QubesDB, whose devices are whose, /rw.

PATH=/usr/sbin:/usr/bin:$PATH

qubes_sysinit() {
    mkdir -p /run/qubes /run/qubes-service /rw/config/vpn-gateway /rw/home /etc/qubes
    touch /run/qubes-service/vpn-gateway
    chgrp qubes /dev/xen/*
    chmod 660 /dev/xen/*
    # As `qvm-run -u root ... cat >` leaves it, and more open than it should be.
    cp /lab/client.ovpn /rw/config/vpn-gateway/work.ovpn
    chmod 644 /rw/config/vpn-gateway/work.ovpn
    {
        echo '/vm-config/vpn-profile work.ovpn'
        echo '/qubes-firewall/10.137.0.11/policy drop'
        echo '/qubes-firewall/10.137.0.11/0000 action=accept'
        echo '/qubes-firewall/10.137.0.11'
    } >/run/qubesdb.content
    # As of Qubes' daemon, its socket is for everybody.
    (umask 0; exec qubesdb_daemon /run/qubes/qubesdb.sock /run/qubesdb.content >/dev/null 2>&1 </dev/null) &
    echo 1 >/proc/sys/net/ipv4/ip_forward
}

# The service, started until it stays: Restart=always by hand, for each start a line in its log.
service_start() {
    unit vpn-gateway.service >>/run/service.log 2>&1 </dev/null &
    echo $! >/run/gateway.pid
}

service_status() { vpn-gateway status "$@"; }

# Its exit code, once it ended by itself.
service_refuses() { # CODE
    code=0
    timeout 10 unit vpn-gateway.service >/run/refusal 2>&1 </dev/null || code=$?
    cat /run/refusal
    [ $code = "$1" ]
}

# A line of /proc/PID/status, without its name.
process() { # NAME
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$(cat /run/gateway.pid)/status" | tr '\t' ' ' | sed 's/ *$//'
}

# True if anything that this domain sends in clear came through.
in_clear() {
    heard=1
    ping -c 1 -W 1 192.0.2.1 && heard=0
    timeout 3 wget -q -O /dev/null "http://$1/" && heard=0
    timeout 3 nslookup -type=a www.example.net "$2" && heard=0
    return $heard
}
