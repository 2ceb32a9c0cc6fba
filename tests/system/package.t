#!/bin/bash
# The package: the same bytes from two places, nothing in it but what tests/system/package.expected says, and it works
# where it is unpacked.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
for tool in rpmbuild rpmlint systemd-analyze systemctl; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is missing: 'rpm/deps rpm' installs what makes packages"; exit 0; }
done
begin 300

# A copy of the sources in a place of its own. Its unit tests run with all others, not here again.
make_in() { # PLACE
    mkdir -p "$work/$1/build"
    cp -r Makefile README.md LICENSE .clang-format gateway firewall qubesdb rpm tests "$work/$1/"
    [ ! -e build/deps ] || cp -r build/deps "$work/$1/build/"
    "$work/$1/rpm/build" "$work/$1/build/rpm" --nocheck
}
same() { # PACKAGE
    cmp "$work"/one/build/rpm/*."$1".rpm "$work"/another-longer-name/build/rpm/*."$1".rpm
}
contents() {
    rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %-2{FILEFLAGS:fflags} %{FILENAMES}\n]' "$package"
    rpm -qp --scripts "$package" | sed 's/[[:space:]]*$//; /^$/d'
}
as_expected() { diff <(grep -v '^##' tests/system/package.expected | sed "s/@VERSION@/$version/") <(contents); }
clean() {
    rpmlint -c rpm/rpmlint.toml "$work"/one/build/rpm/*.rpm >"$work/rpmlint" 2>&1 || true
    cat "$work/rpmlint"
    grep -q ' 0 errors, 0 warnings' "$work/rpmlint"
}
unpack() {
    mkdir "$root"
    rpm2archive - <"$package" | tar -xz -C "$root"
}
no_more_rights() { find "$root" ! -type l \( -perm /6000 -o -perm /022 \) | not grep .; }
# Units of the machine that ours name, so that only ours are judged.
units() {
    install -D /bin/kill "$root/bin/kill"
    cp /usr/lib/systemd/system/*.target "$root/usr/lib/systemd/system/"
    systemd-analyze verify --man=no --recursive-errors=no --root="$root" vpn-gateway.service vpn-gateway-wall.service
}
exposure() { # at most ten times this
    systemd-analyze security --no-pager --offline=yes --threshold="$1" "$root/usr/lib/systemd/system/vpn-gateway.service" |
        tail -n 1
}
user_made() {
    systemd-sysusers --root="$root" vpn-gateway.conf
    grep -E '^vpn-gateway:.*:/(usr/)?s?bin/nologin$' "$root/etc/passwd"
}
enabled() {
    systemctl --root="$root" preset vpn-gateway.service vpn-gateway-wall.service
    systemctl --root="$root" is-enabled vpn-gateway.service vpn-gateway-wall.service
}
kept_off() { # UNIT: only where the marker is
    grep -qx 'ConditionPathExists=!/run/qubes-service/vpn-gateway' \
        "$root/usr/lib/systemd/system/$1.service.d/30-vpn-gateway.conf"
}
# What modprobe would run, with the marker's place in the scratch root.
backend() {
    local command
    command=$(sed -nE 's/^install xen_netback //p' "$root/usr/lib/modprobe.d/vpn-gateway.conf" |
        sed "s,/run/,$root/run/,; s,/usr/sbin/modprobe,echo loaded,")
    sh -c "$command"
}
wall_rules() { in_scratch nft --check -D gateway=4711 -f "$root/usr/libexec/vpn-gateway/wall.nft"; }
in_scratch() { unshare --net "$@"; }
gateway_refuses() {
    local code=0
    in_scratch timeout 5 "$root/usr/bin/vpn-gateway" run --qubesdb none --profile "$work/none.ovpn" \
        --downstream tap:qube0,ip=10.137.0.10 2>"$work/refusal" || code=$?
    [ $code = 2 ] && grep -q 'there is no such file' "$work/refusal"
}

root=$work/root
version=$(sed -n 's/^Version: *//p' rpm/qubes-vpn-gateway.spec)
ok "the package is made" make_in one
ok "and again in another place" make_in another-longer-name
package=$(echo "$work"/one/build/rpm/*.x86_64.rpm)
ok "the binary packages are the same bytes" same x86_64
ok "the source packages are the same bytes" same src
ok "files, their rights and owners, and scriptlets are the expected ones" as_expected
ok "rpmlint has nothing to say" clean
ok "it unpacks" unpack
ok "nothing is setuid, or for all to write" no_more_rights
is "the program starts" "vpn-gateway $version" "$root/usr/bin/vpn-gateway" version
ok "and refuses what it cannot do" gateway_refuses
ok "systemd takes the units" units
ok "systemd-analyze security: 1.7 or less" exposure 17
ok "the user is made" user_made
ok "the units are enabled by the preset" enabled
for unit in qubes-network qubes-firewall qubes-updates-proxy xendriverdomain; do
    ok "$unit is kept off in the gateway qube" kept_off $unit
done
ok "xen-netback loads elsewhere" backend
mkdir -p "$root/run/qubes-service"
touch "$root/run/qubes-service/vpn-gateway"
ok "and not in the gateway qube" not backend
ok "nft takes the wall" wall_rules
echo "1..$test_number"
exit $test_failed
