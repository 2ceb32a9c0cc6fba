#!/bin/bash
# The package: the same bytes from two places, nothing in it but what tests/system/package.expected says; installed, it
# starts and does to the machine what it should.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
begin 900

root=$work/root
version=$(sed -n 's/^Version: *//p' rpm/qubes-vpn-gateway.spec)
units=(vpn-gateway.service vpn-gateway-wall.service vpn-gateway-announce.socket)

# --- Making it --------------------------------------------------------------------------------------------------------

# A copy of the sources in a place of its own. Its unit tests run with all others, not here again.
make_in() { # PLACE
    mkdir -p "$work/$1/build"
    cp -r Makefile README.md LICENSE .clang-format gateway firewall qubesdb rpm tests "$work/$1/"
    [ ! -e build/deps ] || cp -r build/deps "$work/$1/build/"
    "$work/$1/rpm/build" "$work/$1/build/rpm" --nocheck
}
both_made() {
    make_in one >"$work/one.log" 2>&1 &
    make_in another-longer-name && wait $! || { cat "$work/one.log"; return 1; }
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
    rpmlint -c rpm/rpmlint.toml rpm/*.spec "$work"/one/build/rpm/*.rpm >"$work/rpmlint" 2>&1 || true
    cat "$work/rpmlint"
    grep -q ' 0 errors, 0 warnings' "$work/rpmlint"
}

rpm_before() { not sort -VC < <(echo "$1"; rpm --version | grep -oE '[0-9.]+$'); } # VERSION

# As Fedora does it: its macros want packages of the debugging information and of the sources, too.
made_like_fedora() {
    local source=/usr/src/debug/qubes-vpn-gateway-$version-1.x86_64/gateway/main.c
    # rpm 4.20, which Fedora 42 and Debian 13 have, makes these packages by itself; Fedora's macros made the older ones do so.
    rpm_before 4.20 && sed -i 's/^%prep$/%debug_package\n%prep/' "$work/one/rpm/qubes-vpn-gateway.spec"
    "$work/one/rpm/build" "$work/one/build/fedora" --nocheck --define 'fedora 42' --define '_debugsource_packages 1' \
        --define '_unique_debug_names 1' --define '_unique_debug_srcs 1'
    rpm -qlp "$work"/one/build/fedora/*-debugsource-*.rpm | grep -x "$source"
    rpm -qlp "$work"/one/build/fedora/*-debuginfo-*.rpm | grep '/vpn-gateway.*\.debug$'
}

# For Debian's templates: the same files.
deb_made() { rpm/deb "$program" "$work/deb" && rpm/deb "$program" "$work/again" && cmp "$work"/deb/*.deb "$work"/again/*.deb; }
deb_like_rpm() {
    diff <(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$package" | sed -n '/share.\(doc\|licenses\)/d; /^-/p') \
        <(dpkg-deb -c "$work"/deb/*.deb | sed -nE '/share.doc/d; s/^(-\S+) .* \./\1 /p' | LC_ALL=C sort -k 2)
}
deb_scripts() {
    local script
    dpkg-deb -e "$work"/deb/*.deb "$work/deb/control"
    for script in postinst prerm; do sh -n "$work/deb/control/$script" && cat "$work/deb/control/$script"; done >"$work/deb/scripts"
    grep -qx 'systemd-sysusers vpn-gateway.conf' "$work/deb/scripts"
    grep -q "^\[ -n .* || systemctl preset ${units[*]}" "$work/deb/scripts"
}

# --- Installing it ----------------------------------------------------------------------------------------------------

# A root with what its scriptlets need, and a group that Qubes' own packages make.
scratch_root() {
    mkdir -p "$root"/{etc,dev,usr/bin,usr/lib,usr/lib64,var/tmp}
    ln -s usr/bin "$root/bin"
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    give /usr/bin/sh
    give /usr/bin/systemd-sysusers
    mknod -m 666 "$root/dev/null" c 1 3
    echo 'qubes:x:98:' >"$root/etc/group"
}
give() { # PROGRAM
    install -D "$1" "$root/$1"
    give_libraries_of "$1"
}
give_libraries_of() { # PROGRAM
    local library
    ldd "$1" | grep -oE '/[^ ]+' | while read -r library; do install -D "$library" "$root/$library"; done
}
in_database() { rpm --root "$root" --dbpath /var/lib/rpm "$@"; }
installed() {
    in_database --install --nodeps "$package"
    in_database --verify --nodeps qubes-vpn-gateway
    give_libraries_of "$root/usr/bin/vpn-gateway"
}
user_made() { grep -E '^vpn-gateway:.*:/(usr/)?s?bin/nologin$' "$root/etc/passwd"; }
no_more_rights() { find "$root" -xdev -type f \( -perm /6000 -o -perm /022 \) | not grep .; }
in_root() { unshare --net chroot "$root" "$@"; }
gateway_refuses() {
    local code=0
    in_root /usr/bin/vpn-gateway run --qubesdb none --profile /none.ovpn --downstream tap:qube0,ip=10.137.0.10 \
        2>"$work/refusal" || code=$?
    [ $code = 2 ] && grep -q 'there is no such file' "$work/refusal"
}
# If the command line names a vchan, its library is loaded; if there is none, or another file of its name, the message
# says so.
run_over_vchan() {
    in_root /usr/bin/vpn-gateway run --qubesdb vchan --downstream tap:qube0,ip=10.137.0.10 2>"$work/refusal" || true
    cat "$work/refusal"
}
vchan_missing() { run_over_vchan | grep 'there is none of libxenvchan.so.4.17 to .*: install'; }
vchan_there() {
    local file
    file=$(rpm/vchan-library)
    echo "no library" >"$root/usr/lib/${file##*/}"
    vchan_missing
    install "$file" "$root/usr/lib/${file##*/}"
    give_libraries_of "$file"
    run_over_vchan >"$work/told"
    not grep 'there is none of' "$work/told" && grep /dev/net/tun "$work/told"
}
no_vchan_asked_for() { not grep xenvchan <(rpm -qp --requires "$package"); }
vchan_recommended() { rpm -qp --recommends "$package" | grep -x xen-libs; }
removed() {
    in_database --erase qubes-vpn-gateway
    rpm -qpl "$package" | while read -r path; do ls -d "$root$path" 2>/dev/null || true; done >"$work/left"
    # Folders of others stay.
    not grep -E 'vpn-gateway|\.service\.d' "$work/left"
}

# --- What it does to the machine --------------------------------------------------------------------------------------

# Units of the machine that ours name, so that only ours are judged.
units_verified() {
    cp /usr/lib/systemd/system/*.target "$root/usr/lib/systemd/system/"
    systemd-analyze verify --man=no --recursive-errors=no --root="$root" "${units[@]}" vpn-gateway-announce.service
}
exposure() { # at most ten times this
    systemd-analyze security --no-pager --offline=yes --threshold="$1" "$root/usr/lib/systemd/system/vpn-gateway.service" |
        tail -n 1
}
enabled() {
    systemctl --root="$root" preset "${units[@]}"
    systemctl --root="$root" is-enabled "${units[@]}"
}
kept_off() { # UNIT: only where the marker is
    grep -qx 'ConditionPathExists=!/run/qubes-service/vpn-gateway' \
        "$root/usr/lib/systemd/system/$1.service.d/30-vpn-gateway.conf"
}
# The command that modprobe would run, with the marker's place in the scratch root.
backend() {
    local command
    command=$(sed -nE 's/^install xen_netback //p' "$root/usr/lib/modprobe.d/vpn-gateway.conf" |
        sed "s,/run/,$root/run/,; s,/usr/sbin/modprobe,echo loaded,")
    sh -c "$command" 2>&1
}
backend_refused() { not backend >"$work/backend" && grep 'vpn-gateway is the backend' "$work/backend"; }
wall_rules() { # FILE [OPTION]...
    unshare --net nft --check -D gateway=4711 "${@:2}" -f "$root/usr/libexec/vpn-gateway/$1"
}

ok "the package is made in two places" both_made
package=$(echo "$work"/one/build/rpm/*.x86_64.rpm)
ok "the binary packages are the same bytes" same x86_64
ok "the source packages are the same bytes" same src
ok "files, their rights and owners, and scriptlets are the expected ones" as_expected
ok "rpmlint has nothing to say" clean
if command -v find-debuginfo >/dev/null && command -v eu-strip >/dev/null; then
    ok "it is made with Fedora's macros, which pack sources and debugging information" made_like_fedora
fi
if command -v dpkg-deb >/dev/null; then
    ok "Debian's package is made, twice the same bytes" deb_made
    ok "it has the same files with the same rights" deb_like_rpm
    ok "it makes the user, and goes by the preset" deb_scripts
fi
scratch_root
ok "rpm installs it into a scratch root" installed
ok "its user was made" user_made
ok "nothing is setuid, or for all to write" no_more_rights
is "the program starts there" "vpn-gateway $version" in_root /usr/bin/vpn-gateway version
ok "and refuses what it cannot do" gateway_refuses
ok "without libxenvchan --qubesdb vchan is refused, and what helps is said" vchan_missing
ok "with it the start goes on" vchan_there
ok "the package does not ask for it" no_vchan_asked_for
ok "but for its package, if it can be had" vchan_recommended
ok "systemd takes the units" units_verified
ok "systemd-analyze security: 1.7 or less" exposure 17
ok "the units are enabled by the preset" enabled
for unit in qubes-network qubes-firewall qubes-updates-proxy xendriverdomain; do
    ok "$unit is kept off in the gateway qube" kept_off $unit
done
ok "xen-netback loads elsewhere" backend
mkdir -p "$root/run/qubes-service"
touch "$root/run/qubes-service/vpn-gateway"
ok "and not in the gateway qube, which is told why" backend_refused
ok "nft takes the wall" wall_rules wall.nft
ok "and that at the card" wall_rules wall-egress.nft -D resolver=4712 -D card=lo
ok "rpm removes it, and nothing of it stays" removed
echo "1..$test_number"
exit $test_failed
