#!/bin/bash
# The nano template's kernel and image as a domain: how small, how fast, how strict it is.
#
# LAB_CASES="volumes" tests/xen/nano.t runs one group of cases; with LAB_KIND=pvh the domain is of the kind that Qubes starts.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1

[ -e "$build/template/root.img" ] && command -v mksquashfs >/dev/null || {
    lab_refuse "'make template-rpm' makes what this test needs"
    exit 1
}

lab_dom0() { # DIRECTORY
    local files=$1/boot/nano
    mkdir -p "$files"
    cp "$build"/nano/{vmlinuz,initramfs} "$files/"
    install -m 755 "$xen_tests/dom0/vbd-lab" "$1/etc/xen/scripts/"
    give_modules "$1" loop xen-blkback
    volumes "$files"
    [[ $cases != *template* ]] || {
        cp "$build/template/root.img" "$files/"
        grub "$files/grub"
    }
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

# Archives that dom0 may have written onto the private volume.
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
    foreign "$work/configuration/boot/grub/grub.cfg" 'echo "a foreign configuration"'
    tar -C "$work/configuration" -cf "$1/foreign-configuration" .
    foreign "$work/kernel/boot/xen/pvboot-x86_64.elf" 'no kernel'
    tar -C "$work/kernel" -cf "$1/foreign-kernel" .
    rm -r "$work"
}
foreign() { # FILE CONTENT
    mkdir -p "$(dirname "$1")"
    echo "$2" >"$1"
}

# GRUB as dom0's package grub2-xen-pvh has it (qubes-linux-pvgrub2): all of its modules, and these searches. Debian's is
# 2.06, Qubes' 2.12.
grub() { # OUT
    local work=$run/grub packages=$lab/grub
    if [ ! -e "$packages/usr/bin/grub-mkimage" ]; then
        mkdir -p "$packages"
        (cd "$packages" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download grub-xen-bin grub-common libdevmapper1.02.1 &&
            for package in *.deb; do dpkg-deb -x "$package" . && rm "$package"; done)
    fi
    mkdir "$work"
    cat >"$work/grub.cfg" <<'END'
if search -s -f /boot/xen/pvboot-x86_64.elf ; then
    echo "Chainloading (${root})"
    multiboot /boot/xen/pvboot-x86_64.elf
    boot
fi
if search -s -f /boot/grub/grub.cfg ; then
    echo "Reading (${root})"
    configfile /boot/grub/grub.cfg
fi
END
    echo 'normal (memdisk)/grub.cfg' >"$work/first"
    tar -C "$work" -cf "$work/memdisk" grub.cfg
    # shellcheck disable=SC2046 # several names
    LD_LIBRARY_PATH=$(echo "$packages"/lib/*-linux-gnu) "$packages/usr/bin/grub-mkimage" -O i386-xen_pvh -o "$1" -c "$work/first" \
        -m "$work/memdisk" -p /boot/grub -d "$packages/usr/lib/grub/i386-xen_pvh" \
        $(cd "$packages/usr/lib/grub/i386-xen_pvh" && echo *.mod | sed 's/\.mod//g')
    rm -r "$work"
}

kind=${LAB_KIND:-pv} cases=${cases:-${LAB_CASES:-serving inside end volumes sizes}}
lab_boot "$(basename "$0" .t)" 600 nano "lab.cases=${cases// /+}" "lab.kind=$kind"
