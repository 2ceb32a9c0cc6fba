#!/bin/bash
# The package in a gateway's domain: its files, unpacked into the image of a machine without systemd, which does by hand
# what the units say.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1

# The package of the sources as they are. Its tests run elsewhere.
package_made() {
    "$xen_tests/../../rpm/build" "$build/rpm" --nocheck >"$build/package.log" 2>&1 || {
        sed 's/^/# /' "$build/package.log"
        lab_refuse "the package cannot be made"
        return 1
    }
}

lab_domain() { # DIRECTORY
    local version name file
    rm "$1/bin/vpn-gateway"
    rpm2cpio "$build"/rpm/*.x86_64.rpm | (cd "$1" && cpio --quiet -idm)
    mv "$1/usr/bin/vpn-gateway" "$run/"
    give_program "$1" "$run/vpn-gateway" usr/bin/vpn-gateway
    # The users that the package's scriptlet makes, and those that Qubes has.
    echo 'qubes:x:98:' >>"$1/etc/group"
    echo 'user:x:1000:1000:user:/home/user:/bin/sh' >>"$1/etc/passwd"
    systemd-sysusers --root="$1" vpn-gateway.conf
    for name in nft setpriv unshare modprobe; do give_program "$1" "$(command -v $name)" "usr/sbin/$name"; done
    # The kernel calls it there for modules that rules need; and where Debian's looks.
    ln -sf ../usr/sbin/modprobe "$1/sbin/modprobe"
    ln -s ../usr/lib/modprobe.d "$1/lib/modprobe.d"
    version=$(basename "$unpacked"/lib/modules/*)
    for name in nfnetlink nf_tables nft_ct nf_conntrack nf_defrag_ipv4 nf_defrag_ipv6 libcrc32c crc32c_generic xen-netback; do
        file=$(find "$unpacked/lib/modules" -name "$name.ko*")
        [ -n "$file" ] || continue
        install -D -m 644 "$file" "$1/lib/modules/$version/${file##*/}"
    done
    depmod -b "$1" "$version" 2>/dev/null
    install -m 755 "$xen_tests/domain/unit" "$1/bin/unit"
    cp "$xen_tests/domain/qube.sh" "$1/lab/"
    give_program "$1" "$build/tests/system/qubesdb_daemon" bin/qubesdb_daemon
}

for program in rpm2cpio depmod modprobe nft setpriv unshare systemd-sysusers; do
    command -v $program >/dev/null || { lab_refuse "$program is missing: 'rpm/deps xen' installs it"; exit 1; }
done
mkdir -p "$build"
package_made || exit 1
lab_boot package 300 package
