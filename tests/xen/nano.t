#!/bin/bash
# The nano template's kernel and image as a domain: how small, how fast, how strict it is.
#
# LAB_CASES="volumes" tests/xen/nano.t runs one group of cases; with LAB_KIND=pvh the domain is one that Qubes would start.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1

[ -e "$build/nano/initramfs" ] && command -v mksquashfs >/dev/null || { lab_refuse "'make nano' makes what this test needs"; exit 1; }

lab_dom0() { # DIRECTORY
    local files=$1/boot/nano
    mkdir -p "$files"
    cp "$build"/nano/{vmlinuz,initramfs} "$files/"
    install -m 755 "$xen_tests/dom0/vbd-lab" "$1/etc/xen/scripts/"
    give_modules "$1" loop xen-blkback
    volumes "$files"
    inspected "$files/inspected"
}

# The same with somebody in it who does what dom0 says.
inspected() { # OUT
    local tree=$run/inspected name
    unsquashfs -quiet -no-progress -d "$tree" "$build/nano/initramfs" >/dev/null
    mkdir -p "$tree/lab/bin" "$tree/tmp"
    install -m 755 "$unpacked/bin/busybox" "$tree/lab/busybox"
    for name in $("$tree/lab/busybox" --list); do ln -s ../busybox "$tree/lab/bin/$name"; done
    give_program "$tree" "$build/tests/xen/errand" lab/bin/errand
    give_program "$tree" "$(command -v ip)" lab/bin/ip2
    install -m 644 "$xen_tests/domain/inspect" "$tree/lab/"
    mksquashfs "$tree" "$1" -quiet -no-progress -no-xattrs -all-root -comp zstd -Xcompression-level 1 >/dev/null
    rm -r "$tree"
}

# What dom0 may have written onto the private volume.
volumes() { # DIRECTORY
    local work=$run/volumes
    mkdir -p "$work/good" "$work/bomb" "$work/link"
    cp "$run/profiles/client.ovpn" "$work/good/home.ovpn"
    tar -C "$work/good" -cf "$1/tar" .
    head -c 1M /dev/zero >"$1/zero"
    head -c 64k /dev/urandom >"$1/garbage"
    head -c 1536 "$1/tar" >"$1/truncated"
    # Sparse here, sixteen megabytes there.
    truncate -s 16M "$work/bomb/home.ovpn"
    tar -C "$work/bomb" -cf "$1/bomb.whole" .
    head -c 2M "$1/bomb.whole" >"$1/bomb"
    rm "$1/bomb.whole"
    ln -s ../../../etc "$work/link/etc"
    tar -C "$work/link" -cf "$1/link" .
    rm -r "$work"
}

kind=${LAB_KIND:-pv} cases=${LAB_CASES:-serving inside end volumes sizes}
lab_boot nano 600 nano "lab.cases=${cases// /+}" "lab.kind=$kind"
