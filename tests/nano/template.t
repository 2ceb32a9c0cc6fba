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
trap 'gpgconf --homedir "$work/mine" --kill all; gpgconf --homedir "$work/other" --kill all; rm -rf "$work"' EXIT
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

# extract_rpm(): of the parts only the beginning of the first is kept.
extract() {
    rpm2archive - <"$package" | tar -xz -C "$work" ./var/lib/qubes/vm-templates/vpn-gateway/ \
        --exclude='root.img.part.?[!0]' --exclude='root.img.part.[!0]0' && truncate --size=512 "$files/root.img.part.00"
}

# get_root_img_size(): what tar lists of these 512 bytes.
size() { is "$(stat -c %s "$image")" "$(tar -tvf "$files/root.img.part.00" 2>/dev/null | awk 'NR == 1 { print $3 }')"; }

# import_root_img(): all parts one after the other are an archive with one member.
parts() { rpm2archive - <"$package" | tar -xzSOf - --wildcards '*/root.img.part.*'; }
same_disk() { is root.img "$(parts | tar -tf -)" && parts | tar -xSOf - | cmp - "$image"; }

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

# --- Signatures -------------------------------------------------------------------------------------------------------

# A key to throw away, and what it has signed.
sign() { # NAME
    mkdir -m 700 "$work/$1" "$work/$1.signed" && cp "$package" "$kernels" "$work/$1.signed/" &&
        export GNUPGHOME=$work/$1 &&
        gpg --batch --quiet --passphrase '' --quick-generate-key "$1@example.net" rsa2048 sign never &&
        rpm/template/sign "$1@example.net" "$work/$1.signed"
}

# verify_rpm(): in a database of its own, and the words have to be these.
verified() { # KEY PACKAGE
    rm -rf "$work/rpmdb"
    mkdir "$work/rpmdb"
    rpmkeys "--dbpath=$work/rpmdb" --import "$1" && is '-: digests signatures OK' "$(LC_ALL=C rpmkeys "--dbpath=$work/rpmdb" \
        '--define=_pkgverify_level all' '--define=_pkgverify_flags 0x0' --checksig - <"$2" 2>&1)"
}

package_signed() {
    local mine other
    mine=$(echo "$work"/mine.signed/*.rpm) other=$(echo "$work"/other.signed/*.rpm)
    verified "$work/mine.signed/vpn-gateway.key" "$mine" && ! verified "$work/mine.signed/vpn-gateway.key" "$other" &&
        ! verified "$work/mine.signed/vpn-gateway.key" "$package" || return
    # One bit, in the middle of the payload.
    cp "$mine" "$work/damaged" && printf '\x55' | dd of="$work/damaged" bs=1 seek=3000000 conv=notrunc status=none &&
        ! cmp -s "$mine" "$work/damaged" && ! verified "$work/mine.signed/vpn-gateway.key" "$work/damaged"
}

# As its README has it.
kernels_verified() { # KEY FILE: whose signature is beside it
    gpg --dearmor <"$1" >"$work/keyring" && gpgv --keyring "$work/keyring" "$2.asc" "$2"
}

kernels_signed() {
    local mine other
    mine=$(echo "$work"/mine.signed/*.tar.gz) other=$(echo "$work"/other.signed/*.tar.gz)
    kernels_verified "$work/mine.signed/vpn-gateway.key" "$mine" && cmp "$mine" "$kernels" &&
        ! kernels_verified "$work/mine.signed/vpn-gateway.key" "$other" && printf x >>"$mine" &&
        ! kernels_verified "$work/mine.signed/vpn-gateway.key" "$mine"
}

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

# The instructions for dom0 name the directory that is made here.
instructions() {
    local version
    version=$(sed -n 's/^Version: *//p' rpm/qubes-vpn-gateway.spec)
    is "vpn-gateway-$version" "$(sed -n "s/.*set kernel = '\(.*\)'.*/\1/p" rpm/template/sys-vpn.sls)" &&
        grep -F -- "--prop kernel=vpn-gateway-$version " rpm/template/README.md
}

# Every file of the image, and nothing else, has its package, version, sources and licence.
contents() {
    is "$(unsquashfs -lls -d '' "$build/nano/initramfs" | sed -nE 's/^-[^ ]* .* (\/[^ ]*)$/\1/p' | LC_ALL=C sort)" \
        "$(sed -n 's,^\(/.*\)$,\1,p' "$build/nano/CONTENTS" | LC_ALL=C sort)" &&
        is '' "$(awk '/^\// { file = $0; getline; if (!/^    from [^ ]+ [^ ]+; sources: ./) print file; getline; if (!/^    [^ ]/) print file }' \
            "$build/nano/CONTENTS")" && [ -s "$build/nano/copyright/linux" ]
}

# No list of linked libraries would tell this: init has QubesDB over a vchan.
vchan_loaded() {
    unsquashfs -quiet -no-progress -d "$work/inside" "$build/nano/initramfs" >/dev/null || return
    # It ends because there is no Xen.
    unshare --map-root-user --net chroot "$work/inside" /bin/vpn-gateway run -v --qubesdb vchan --downstream xen \
        --profiles / >"$work/said" 2>&1 || true
    grep 'libxenvchan.* is loaded' "$work/said" || { cat "$work/said"; return 1; }
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
ok "one key signs it" sign mine
ok "and another one" sign other
ok "its signature is the one qvm-template asks for; another key's, none, or a changed package is refused" package_signed
ok "so is the kernel directory's" kernels_signed
ok "it is extracted" extract
ok "512 bytes give the disk's size" size
ok "the disk is imported byte for byte" same_disk
ok "template.conf is understood whole" configuration
ok "no menus" menus
ok "the disk has kernel, image and GRUB's configuration" disk
ok "the kernel directory" directory
ok "the state of salt, and the README's commands, are of this version" instructions
ok "everything inside has its package, version, sources and licence" contents
ok "the program loads libxenvchan in there" vchan_loaded
ok "rpmlint is silent" lint
ok "made once more it is the same" again
echo "1..$number"
exit $failed
