# shellcheck shell=bash
# shellcheck disable=SC2154 # tests/system/lib.sh sets them
# A qube of Qubes OS as a container: a root of Debian's packages with systemd as PID 1, Qubes' units restated (qubes/), the
# package installed as a user installs it. Its network namespace is the gateway of the system tests; the rest of their
# stage, the OpenVPN server among it, stands around it. Sourced behind tests/system/tap.sh, with $release set, in a mount
# namespace of its own (tests/run sees to it): what is mounted here nobody else sees, and it goes with the test.
#
#   build/roots/RELEASE   as rpm/deps made it, never written to
#   $work/template        above it: the template, where packages are installed and kept
#   $work/root            above that: the qube's own root, new at each start
#   $work/dom0            what dom0 gives: QubesDB's keys, the private volume

systemd_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
base=$build/roots/$release
# The programs as that release has them: this build's if it is this machine's own.
programs=$build
# shellcheck source=/dev/null
[ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = "$release" ] || programs=$build/$release

# --- The template -----------------------------------------------------------------------------------------------------

stage_root() {
    mkdir "$work"/{layers,template,root,dom0,packages}
    mkdir "$work/dom0/private"
    # An overlay's upper folder may not lie on an overlay, and the tests' folder may.
    mount -t tmpfs -o mode=755 layers "$work/layers"
    mkdir "$work"/layers/{template,template.work}
    mount -t overlay -o "lowerdir=$base,upperdir=$work/layers/template,workdir=$work/layers/template.work" template \
        "$work/template"
    # Cgroups of version 2, whatever the machine has there.
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

in_template() { chroot "$work/template" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

programs_made() {
    [ "$programs" = "$build" ] || "$systemd_tests/in_root" "$release" "$programs" make -j2 program \
        build/tests/system/qubesdb_daemon
}

# Packages of Qubes that ours depends on, with what matters of them.
qubes_packages() {
    local name tree
    for name in qubes-core-agent-networking qubesdb-vm; do
        tree=$work/packages/$name
        mkdir -p "$tree/DEBIAN"
        printf '%s\n' "Package: $name" 'Version: 4.3.0' 'Architecture: all' 'Maintainer: tests <tests@localhost>' \
            'Description: restated for the tests' >"$tree/DEBIAN/control"
    done
    install -D -m 644 -t "$tree/usr/lib/systemd/system" "$systemd_tests/qubes/units/qubes-db.service"
    install -D -t "$tree/usr/bin" "$systemd_tests/qubes/bin/qubesdb-read"
    ln -s qubesdb-read "$tree/usr/bin/qubesdb-multiread"
    install -D -t "$tree/usr/lib/qubes" "$systemd_tests/qubes/lib/qubesdb-daemon"
    install "$programs/tests/system/qubesdb_daemon" "$tree/usr/lib/qubes/daemon"
    tree=$work/packages/qubes-core-agent-networking
    install -D -m 644 -t "$tree/usr/lib/systemd/system" "$systemd_tests"/qubes/units/*
    install -D -t "$tree/usr/lib/qubes" "$systemd_tests"/qubes/lib/*
    install -D -t "$tree/usr/bin" "$systemd_tests/qubes/bin/qvm-features-request"
    rm "$tree/usr/lib/systemd/system/qubes-db.service" "$tree/usr/lib/qubes/qubesdb-daemon"
    mkdir -p "$tree/usr/lib/sysusers.d"
    printf '%s\n' 'g qubes 98' 'u user 1000' 'm user qubes' >"$tree/usr/lib/sysusers.d/qubes.conf"
    for name in qubes-core-agent-networking qubesdb-vm; do
        dpkg-deb --root-owner-group -Znone --build "$work/packages/$name" "$work/packages/$name.deb"
    done
    install_packages "$work/packages/"*.deb
    in_template systemd-sysusers qubes.conf
    in_template systemctl enable qubes-db qubes-sysinit qubes-mount-dirs qubes-bind-dirs qubes-iptables qubes-firewall \
        qubes-network qubes-network-uplink qubes-qrexec-agent xendriverdomain qubes-updates-proxy
    in_template systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
    mkdir "$work/template/rw" "$work/template/dom0"
}

install_packages() { # FILE...: as apt does, when it has everything
    mkdir -p "$work/template/var/cache/packages"
    cp "$@" "$work/template/var/cache/packages/"
    in_template dpkg --install "${@/#*\//\/var\/cache\/packages\/}"
}

package_made() {
    "$systemd_tests/in_root" "$release" "$programs" rpm/deb build/vpn-gateway build/template
    mv "$programs"/template/*.deb "$work/packages/ours.deb"
}

# --- The qube ---------------------------------------------------------------------------------------------------------

# A start: the root as the template has it, the private volume as it was left.
qube_on() {
    rm -rf "$work"/layers/qube*
    mkdir "$work"/layers/{qube,qube.work}
    # The network namespace outlives the qube.
    in_gateway nft flush ruleset
    kernel "$gateway" ipv4/ip_forward 0
    ip -n "$gateway" address flush dev eth0
    mount -t overlay -o "lowerdir=$work/layers/template:$base,upperdir=$work/layers/qube,workdir=$work/layers/qube.work" qube \
        "$work/root"
    keep_container >"$work/boot.log" 2>&1 </dev/null &
    disown
    wait_for 10 init_runs && wait_for 20 started || {
        cat "$work/boot.log"
        in_vm systemctl list-jobs --no-pager
        journal | tail -n 30
        return 1
    }
}

# Runs the container in a cgroup of its own, and removes that behind it, whoever ended it.
keep_container() {
    local group=/sys/fs/cgroup/$prefix
    trap '' INT TERM HUP
    trap - EXIT ERR
    mkdir "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec nsenter --net="/run/netns/$gateway" unshare --cgroup --pid --fork --mount --uts --ipc \
            --propagation private "$systemd_tests/boot" "$work/root" "$work/dom0"
    ) &
    echo $! >"$work/container"
    wait $!
    while [ -d "$group" ] && ! find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.1; done
    rm -f "$work/container"
}
# PID 1 of the container, by its number here.
init() {
    local pid
    pid=$(cat "$work/container") && tr -d ' ' <"/proc/$pid/task/$pid/children"
}
init_runs() { [ "$(cat "/proc/$(init)/comm")" = systemd ]; }

in_vm() { nsenter --target "$(init)" --all -- "$@"; }
# Everything that is to be started has been, with whatever result.
started() { { in_vm systemctl is-system-running || true; } | grep -xE 'running|degraded'; }
qube_stopped() { [ ! -e "$work/container" ]; }

qube_off() {
    in_vm systemctl --no-block start poweroff.target
    wait_for 10 qube_stopped || return 1
    chroot "$work/root" journalctl --quiet --no-pager --directory=/var/log/journal >"$work/last.log"
    cat "$work/last.log" >>"$work/gateway.log"
    umount "$work/root"
}

property() { in_vm systemctl show --property "$2" --value "$1"; } # UNIT PROPERTY
is_active() { [ "$(property "$1" ActiveState)" = active ]; } # UNIT
is_ready() { is_active vpn-gateway.service; }
main_pid() { property vpn-gateway.service MainPID; }
# shellcheck disable=SC2120 # options are for who wants them
journal() { in_vm journalctl --boot --no-pager --output=short-monotonic "$@"; }

# --- dom0 and the qube behind -----------------------------------------------------------------------------------------

# dom0's keys before a start, a line `PATH VALUE` each.
dom0_keys() { # LINE...
    printf '%s\n' '/name sys-vpn' '/type AppVM' '/qubes-vm-type ProxyVM' '/default-user user' \
        "/qubes-ip $gateway_address" "/qubes-gateway $server_address" '/qubes-primary-dns 10.139.1.1' \
        '/qubes-secondary-dns 10.139.1.2' '/qubes-netvm-network 10.138.0.1' "/qubes-netvm-gateway $qube_router" \
        "/connected-ips $qube_address" "/qubes-firewall/$qube_address/policy drop" \
        "/qubes-firewall/$qube_address/0000 action=accept" "/qubes-firewall/$qube_address" "$@" >"$work/dom0/qubesdb"
}

# Orders of dom0 to the running QubesDB.
db() { # COMMAND...
    local place before answers
    place=/proc/$(init)/root/run/qubes
    answers=$place/dom0.answers
    before=$(wc -l <"$answers")
    echo "$*" >"$place/dom0"
    wait_for 5 longer_than "$answers" "$before" && sed -n "$((before + 1))p" "$answers"
}
longer_than() { [ "$(wc -l <"$1")" -gt "$2" ]; } # FILE LINES

# The card of the qube behind, as it comes with each start of the service.
card_there() { ip -n "$gateway" link show qube0; }
plug() {
    wait_for 10 card_there
    ip -n "$qube" link del eth0 2>/dev/null || true
    ip -n "$gateway" link set qube0 netns "$qube" name eth0
    qube_configure
}

gateway_status() { in_vm timeout 60 vpn-gateway status "$@"; }
