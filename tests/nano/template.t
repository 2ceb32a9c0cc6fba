#!/bin/bash
# The template's package as `qvm-template install' takes it apart (qubes-core-admin-client: qvm_template.py,
# qvm_template_postprocess.py), step by step; and the kernel directory for dom0.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
number=0 failed=0

ok() { # DESCRIPTION COMMAND...
    local description=$1 printed
    shift
    number=$((number + 1))
    if printed=$("$@" 2>&1); then
        echo "ok $number - $description"
    else
        echo "not ok $number - $description"
        sed 's/^/# /' <<<"$printed"
        failed=1
    fi
}

is() { # EXPECTED GOT
    [ "$1" = "$2" ] || { printf 'expected: %s\n     got: %s\n' "$1" "$2"; return 1; }
}

package=$(echo "$build"/template/qubes-template-vpn-gateway-*.noarch.rpm)
kernels=$(echo "$build"/template/vpn-gateway-*.tar.gz)
image=$build/template/root.img
for file in "$package" "$kernels" "$image"; do
    [ -e "$file" ] || { printf "1..1\nnot ok 1 - 'make template-rpm' makes what this test needs\n"; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=$work/var/lib/qubes/vm-templates/vpn-gateway

# --- What dom0 does ---------------------------------------------------------------------------------------------------

payload() {
    is "/var/lib/qubes/vm-templates/vpn-gateway
/var/lib/qubes/vm-templates/vpn-gateway/netvm-whitelisted-appmenus.list
/var/lib/qubes/vm-templates/vpn-gateway/root.img.part.00
/var/lib/qubes/vm-templates/vpn-gateway/template.conf
/var/lib/qubes/vm-templates/vpn-gateway/vm-whitelisted-appmenus.list
/var/lib/qubes/vm-templates/vpn-gateway/whitelisted-appmenus.list" "$(rpm -qlp "$package" | sort)"
}

# qvm-template runs no scriptlet; the only one refuses rpm and dnf.
scriptlets() {
    is 'preinstall scriptlet (using /bin/sh):
echo "This is a template: install it with qvm-template, not with rpm or dnf." >&2
exit 1' "$(rpm -qp --scripts --triggers --filetriggers "$package")"
}

tags() {
    is noarch "$(rpm -qp --qf '%{ARCH}' "$package")" && rpm -qp --provides "$package" | grep -x qubes-template
}

digests() { is "digests OK" "$(rpmkeys --checksig - <"$package" 2>&1 | sed 's/^-: //')"; }

# extract_rpm(): rpm2archive, tar; of the first part its beginning alone.
extract() {
    rpm2archive -n - <"$package" | tar -x -C "$work" --exclude='root.img.part.*' &&
        rpm2archive -n - <"$package" | tar -xO ./var/lib/qubes/vm-templates/vpn-gateway/root.img.part.00 >"$work/stream" &&
        head -c 512 "$work/stream" >"$files/root.img.part.00"
}

# get_root_img_size(): what tar lists of these 512 bytes.
size() { is "$(stat -c %s "$image")" "$(tar -tvf "$files/root.img.part.00" 2>/dev/null | awk 'NR == 1 { print $3 }')"; }

# import_root_img(): all parts one after the other are an archive with one member.
same_disk() { is root.img "$(tar -tf "$work/stream")" && tar -xOf "$work/stream" root.img | cmp - "$image"; }

# import_template_config(): no line without '='; what it knows, and not more.
configuration() {
    python3 - "$files/template.conf" <<'END'
import sys
ones = {"qrexec", "gui", "gui-emulated", "no-monitor-layout", "pci-e820-host", "linux-stubdom", "selinux"}
seen = {}
for line in open(sys.argv[1], encoding="ascii"):
    key, value = line.rstrip("\n").split("=")
    assert key in {"virt-mode", "kernel"} and key not in seen and key not in ones, line
    seen[key] = value
assert seen == {"virt-mode": "pvh", "kernel": ""}, seen
END
}

menus() { is '0 0 0' "$(stat -c %s "$files"/{,vm-,netvm-}whitelisted-appmenus.list | paste -sd ' ')"; }

# --- What is inside ---------------------------------------------------------------------------------------------------

in_disk() { debugfs -R "cat $1" "$image" 2>/dev/null; }

disk() {
    e2fsck -fn "$image" && in_disk /boot/vmlinuz | cmp - "$build/nano/vmlinuz" &&
        in_disk /boot/initramfs | cmp - "$build/nano/initramfs" && in_disk /boot/grub/grub.cfg | cmp - rpm/template/grub.cfg
}

directory() {
    local version
    version=$(sed -n 's/^Version: *//p' rpm/qubes-vpn-gateway.spec)
    tar -xzf "$kernels" -C "$work" && cd "$work/vpn-gateway-$version" &&
        is 'CONTENTS copyright default-kernelopts-common.txt default-kernelopts-nopci.txt default-kernelopts-pci.txt initramfs kernel.config vmlinuz' \
            "$(LC_ALL=C ls | paste -sd ' ')" && is '' "$(find . ! -perm -444 -o -perm /022 -o -type l)"
}

# Every file of the image, and nothing else, has its package, version and licence.
contents() {
    is "$(unsquashfs -lls -d '' "$build/nano/initramfs" | sed -nE 's/^-[^ ]* .* (\/[^ ]*)$/\1/p' | LC_ALL=C sort)" \
        "$(sed -n 's,^\(/.*\)$,\1,p' "$build/nano/CONTENTS" | LC_ALL=C sort)" &&
        is '' "$(awk '/^\// { file = $0; getline; if (!/^    from [^ ]+ [^ ]+/) print file; getline; if (!/^    [^ ]/) print file }' \
            "$build/nano/CONTENTS")" && [ -s "$build/nano/copyright/linux" ]
}

lint() { is '' "$(rpmlint -c rpm/template/rpmlint.toml "$package" | grep -E '^[^ ]+: [EW]:')"; }

again() {
    cp "$package" "$work/first.rpm" && cp "$kernels" "$work/first.tar.gz" && rpm/template/build "$build/nano" "$work/again" >&2 &&
        cmp "$work/first.rpm" "$work"/again/*.rpm && cmp "$work/first.tar.gz" "$work"/again/*.tar.gz
}

ok "the payload is what qvm-template reads" payload
ok "no scriptlet but the one that refuses rpm" scriptlets
ok "its architecture, and what it provides" tags
ok "its digests" digests
ok "it is extracted" extract
ok "512 bytes give the disk's size" size
ok "the disk is imported byte for byte" same_disk
ok "template.conf is understood whole" configuration
ok "no menus" menus
ok "the disk has kernel, image and GRUB's configuration" disk
ok "the kernel directory" directory
ok "everything inside has its package, version and licence" contents
ok "rpmlint is silent" lint
ok "made once more it is the same" again
echo "1..$number"
exit $failed
