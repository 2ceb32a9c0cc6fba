# shellcheck shell=bash
# shellcheck disable=SC2154 # the names are of lib.sh
# A gateway in a domain of its own, qubes behind it, and the OpenVPN server in dom0.

gateway_domain() { domain_make gateway 192 'driver_domain=1' 'vif=["mac=00:16:3e:5e:6c:02,script=vif-lab"]'; }

# Qubes boot while the gateway does.
domains() { # QUBE...
    gateway_domain || return
    local name
    for name in "$@"; do domain_make "$name" 160 || return; done
}

gateway_comes() { in_domain gateway 'uplink_network && gateway_start'; }
gateway_serves() { gateway_comes && in_domain gateway gateway_await; }

card_given() { card_attach "$1" gateway "$2" && in_domain "$1" "qube_network $2"; } # QUBE ADDRESS

passes() { in_domain "$1" "ping -c 1 -W 1 $web_address"; } # QUBE

# A file the other way.
sends() { in_domain "$1" "send $web_address /cgi-bin/sha256 512"; } # QUBE

# A qube's kernel gave its card, or got from it, pieces larger than the MTU: nobody has cut them, or somebody has joined
# them again.
in_super_packets() { # QUBE tx|rx COMMAND...
    local qube=$1 direction=$2 frames bytes frames_after bytes_after size
    shift 2
    read -r frames bytes < <(in_domain "$qube" "card_counts $direction")
    "$@" || return
    read -r frames_after bytes_after < <(in_domain "$qube" "card_counts $direction")
    size=$(((bytes_after - bytes) / (frames_after - frames)))
    echo "$size bytes a frame"
    [ $size -gt 1514 ]
}

drops() { in_domain gateway "gateway_drops $1"; } # REASON

# The gateway's process: what an attack must not change.
remember_program() { in_domain gateway 'cat /run/gateway.pid' >/run/gateway.process; }
same_program() {
    in_domain gateway "[ \"\$(cat /run/gateway.pid)\" = $(</run/gateway.process) ] && gateway_status >/dev/null"
}

# The groups of cases that the command line names.
run_groups() {
    local group groups
    groups=$(sed -n 's/.*lab\.cases=\([a-z+]*\).*/\1/p' /proc/cmdline)
    for group in ${groups//+/ }; do $group; done
    finish
}

finish() {
    in_domain gateway 'gateway_status; dmesg | tail -n 20' >&2
    cat /proc/uptime >&2
    echo "1..$test_number"
}
