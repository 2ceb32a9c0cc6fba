# shellcheck shell=bash
# A computer that runs Xen, for one test: QEMU's software emulation, Debian's own hypervisor, toolstack and kernel,
# nothing installed. All that is downloaded and made lies in build/xen and is kept there.
#
#   QEMU ── Xen ── dom0     the OpenVPN server and what is behind it; runs the cases (dom0/init, dom0/lib.sh)
#                  domains  made by dom0 with `xl create` from one kernel and one image (domain/init, domain/lib.sh)
#
# Source it, say `lab_boot NAME SECONDS PROGRAM`: that runs PROGRAM of dom0/ in dom0. The program's output comes over
# the second serial port and is printed here as it comes; logs that it leaves are unpacked into build/xen/NAME. A
# function lab_domain, if there is one, puts more into the domains' image, whose folder it is told; lab_dom0 the same
# for dom0's.
#
# The emulated clock counts instructions (QEMU's -icount), each takes 2 ns, and nothing else takes time; where all
# domains wait it leaps to the next timer. So waiting costs nothing, and no limit of Xen, of its toolstack or of a test
# is ever overrun because this machine is busy. For that there is one processor only: several would share the one count.
#
# The processor: with SMAP QEMU 7.2 breaks paravirtual kernels (a stack read of IRET is done with the supervisor's
# rights), its AVX is not to be trusted, and Xen cannot emulate RDTSCP for domains with hardware virtualisation. String
# instructions are slow, word by word: neither libraries (ERMS, FSRM) nor kernels (clearcpuid: REP_GOOD) shall like them.

set -euo pipefail

xen_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${BUILD:-build}
[ "${build#/}" != "$build" ] || build=$PWD/$build
lab=$build/xen
unpacked=$lab/packages

# How QEMU runs it; a test may say otherwise.
lab_cpu=max,-smap,-rdtscp,-xsave,-avx,-erms,-fsrm
lab_instruction_shift=1 # 2^this nanoseconds

# Linux' command line, in every domain. Its self-tests take a second.
lab_kernel='console=hvc0 quiet mitigations=off clearcpuid=112 cryptomgr.notests rodata=off'

# A test that was not run is not green.
lab_refuse() { printf '1..1\nnot ok 1 - %s\n' "$*"; }

lab_need() {
    local program
    for program in qemu-system-x86_64 cpio xz strip apt-get dpkg-deb openvpn tcpdump dnsmasq ip openssl; do
        command -v "$program" >/dev/null || {
            lab_refuse "$program is missing: 'rpm/deps xen' installs what this test needs (Debian)"
            return 1
        }
    done
}

# --- Debian's packages, unpacked --------------------------------------------------------------------------------------

lab_package_names() {
    apt-cache depends xen-system-amd64 linux-image-amd64 |
        sed -nE 's/^ *Depends: (xen-hypervisor-[0-9.]+-amd64|xen-utils-[0-9.]+|linux-image-[0-9].*)$/\1/p'
    printf '%s\n' xenstore-utils libyajl2 busybox-static
}

# Again only when the archive has something else than what is here; one that is not known says nothing.
lab_packages() {
    local names wanted
    names=$(lab_package_names)
    # shellcheck disable=SC2086 # several names
    wanted=$(apt-cache policy $names | sed -nE 's/^(\S+):$/\1/p; s/^ *Candidate: //p')
    [ "$(cat "$lab/versions" 2>/dev/null)" != "$wanted" ] || return 0
    [ ! -f "$lab/versions" ] || [[ $wanted == *xen-hypervisor* ]] || return 0
    echo "# fetching Xen and a kernel into build/xen" >&2
    rm -rf "$lab"
    mkdir -p "$lab/archives"
    # shellcheck disable=SC2086 # several names
    (cd "$lab/archives" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download $names) || {
        lab_refuse "the packages cannot be downloaded: $(paste -sd ' ' <<<"$names")"
        return 1
    }
    local package
    for package in "$lab"/archives/*.deb; do dpkg-deb -x "$package" "$unpacked"; done
    rm -rf "$lab/archives" "${unpacked:?}/usr/share"
    gzip -dc "$unpacked"/boot/xen-*-amd64.gz >"$lab/xen"
    unpack_kernel "$unpacked"/boot/vmlinuz-* "$lab/vmlinux"
    strip "$lab/vmlinux"
    echo "$wanted" >"$lab/versions"
}

# The ELF file inside: emulated, its decompression would cost seconds for each domain. Linux's x86 boot protocol,
# sections "Details of Header Fields": setup_sects, payload_offset, payload_length.
unpack_kernel() { # BZIMAGE OUT
    local sectors offset length start
    sectors=$(od -An -t u1 -j $((0x1f1)) -N 1 "$1")
    offset=$(od -An -t u4 -j $((0x248)) -N 4 "$1")
    length=$(od -An -t u4 -j $((0x24c)) -N 4 "$1")
    start=$(((sectors + 1) * 512 + offset))
    # Behind the compressed kernel stand four bytes with its size.
    head -c $((start + length - 4)) "$1" | tail -c +$((start + 1)) >"$2.packed"
    case $(od -An -t x1 -N 4 "$2.packed" | tr -d ' ') in
    fd377a58) xz -dc <"$2.packed" >"$2" ;;
    28b52ffd) zstd -qdc <"$2.packed" >"$2" ;;
    1f8b*) gzip -dc <"$2.packed" >"$2" ;;
    *) lab_refuse "the kernel is packed in an unknown way"; return 1 ;;
    esac
    rm "$2.packed"
}

# --- Images -----------------------------------------------------------------------------------------------------------

# Copies a program and the libraries it is linked with.
give_program() { # DIRECTORY PROGRAM PATH
    local library
    install -D -m 755 "$2" "$1/$3"
    mkdir -p "$1/lib" "$1/lib64"
    LD_LIBRARY_PATH=$(echo "$unpacked"/usr/lib/*-linux-gnu) ldd "$2" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' |
        while read -r library; do
            case $library in
            */ld-linux*) cp -nL "$library" "$1/lib64/" ;;
            *) cp -nL "$library" "$1/lib/" ;;
            esac
        done
}

give_modules() { # DIRECTORY MODULE...
    local name file directory=$1
    shift
    mkdir -p "$directory/modules"
    for name in "$@"; do
        file=$(find "$unpacked"/lib/modules -name "$name.ko*")
        case $file in
        *.xz) xz -dc "$file" >"$directory/modules/$name.ko" ;;
        *) cp "$file" "$directory/modules/$name.ko" ;;
        esac
    done
}

# Every domain has these, dom0 too.
give_common() { # DIRECTORY
    local name file
    mkdir -p "$1"/{bin,sbin,dev,proc,sys,tmp,run,etc,lab,root,var}
    ln -s /run "$1/var/run"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
    echo 'root:x:0:' >"$1/etc/group"
    install -m 755 "$unpacked"/bin/busybox "$1/bin/busybox"
    ln -s busybox "$1/bin/sh"
    for name in read write ls rm watch list exists; do
        give_program "$1" "$unpacked/usr/bin/xenstore-$name" "bin/xenstore-$name"
    done
    give_program "$1" "$(command -v ip)" sbin/ip
    # pthread_cancel() loads it, unseen by ldd.
    cp -L "$(gcc -print-file-name=libgcc_s.so.1)" "$1/lib/"
    # The program loads it, where the command line names a vchan.
    file=$("$xen_tests/../../rpm/vchan-library")
    give_program "$1" "$file" "lib/${file##*/}"
    give_modules "$1" xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-netback tun
}

give_test_programs() { # DIRECTORY
    local program
    for program in "$build"/tests/xen/*; do
        [ ! -f "$program" ] || [ ! -x "$program" ] || give_program "$1" "$program" "bin/$(basename "$program")"
    done
}

pack() { # DIRECTORY OUT
    (cd "$1" && find . -print0 | sort -z | cpio --null --quiet -o -H newc -R 0:0) >"$2"
}

# The part of dom0 that changes only with the packages: the toolstack, and the kernel its guests get.
base_image() {
    local directory=$lab/base tools program
    [ "$lab/base.img" -nt "$lab/versions" ] && [ "$lab/base.img" -nt "$xen_tests/lab.sh" ] && return
    rm -rf "$directory"
    mkdir -p "$directory"
    give_common "$directory"
    tools=$(echo "$unpacked"/usr/lib/xen-*/bin)
    for program in xl xenstored xenconsoled xenconsole xen-init-dom0 libxl-save-helper; do
        give_program "$directory" "$tools/$program" "${tools#"$unpacked/"}/$program"
    done
    mkdir -p "$directory"/var/{lib/xen,lib/xenstored,log/xen/console,lock} "$directory"/etc/xen/scripts "$directory"/boot
    echo 'autoballoon="off"' >"$directory/etc/xen/xl.conf"
    cp "$lab/vmlinux" "$directory/boot/vmlinuz"
    pack "$directory" "$lab/base.img"
    rm -rf "$directory"
}

# The part that all tests of this machine share; one of them makes it.
lab_base() {
    local lock
    mkdir -p "$build"
    exec {lock}>"$build/xen.lock"
    flock "$lock"
    lab_packages
    base_image
    exec {lock}>&-
}

# The image of the other domains: the program under test, and those of the tests.
domain_image() { # OUT
    local directory=$run/domain
    mkdir -p "$directory"
    give_common "$directory"
    give_modules "$directory" xen-netfront llc stp bridge
    give_program "$directory" "$build/vpn-gateway" bin/vpn-gateway
    give_test_programs "$directory"
    install -m 755 "$xen_tests/domain/init" "$directory/init"
    install -m 755 "$xen_tests/domain/poweroff" "$directory/sbin/poweroff"
    cp "$xen_tests"/domain/*.sh "$directory/lab/"
    cp "$run"/profiles/* "$directory/lab/"
    if [ "$(type -t lab_domain)" = function ]; then lab_domain "$directory"; fi
    pack "$directory" "$1"
    rm -rf "$directory"
}

# The rest of dom0, different each time.
dom0_image() { # PROGRAM OUT
    local directory=$run/dom0 program
    mkdir -p "$directory/boot" "$directory/lab" "$directory/etc/xen/scripts" "$directory/bin"
    echo "$lab_kernel" >"$directory/lab/kernel"
    for program in bash comm openvpn tcpdump dnsmasq; do
        give_program "$directory" "$(command -v "$program")" "bin/$program"
    done
    give_test_programs "$directory"
    install -m 755 "$xen_tests"/dom0/vif-lab "$directory/etc/xen/scripts/"
    install -m 755 "$xen_tests/dom0/init" "$directory/init"
    install -m 755 "$xen_tests/../system/leakcheck" "$directory/lab/"
    cp "$xen_tests"/dom0/*.sh "$directory/lab/"
    install -m 755 "$xen_tests/dom0/$1" "$directory/lab/program"
    cp "$run"/server/* "$directory/lab/"
    domain_image "$directory/boot/domain.img"
    if [ "$(type -t lab_dom0)" = function ]; then lab_dom0 "$directory"; fi
    pack "$directory" "$run/dom0.cpio"
    rm -rf "$directory"
    cat "$lab/base.img" "$run/dom0.cpio" >"$2"
    rm "$run/dom0.cpio"
}

# Keys, the server's configuration and the client's profile are made as for the system tests.
lab_keys() (
    # shellcheck source=tests/system/lib.sh
    . "$xen_tests/../system/lib.sh"
    work=$run/keys
    mkdir -p "$work" "$run/server" "$run/profiles"
    keys
    profile client.ovpn tls-crypt
    cp "$work"/{authority.crt,server.example.net.crt,server.example.net.key,tls-crypt.key} "$run/server/"
    cp "$work/client.ovpn" "$run/profiles/"
    rm -r "$work"
)

# --- Running ----------------------------------------------------------------------------------------------------------

# SECONDS of the emulated clock; this machine's may take four times as long.
lab_boot() { # NAME SECONDS PROGRAM [WORD FOR DOM0'S COMMAND LINE]...
    local name=$1 seconds=$2 program=$3
    shift 3
    run=$lab/$name
    lab_need || return 1
    lab_base
    rm -rf "$run"
    mkdir -p "$run"
    lab_keys
    dom0_image "$program" "$run/dom0.img"
    trap 'kill "$emulator" 2>/dev/null || true' EXIT
    trap 'exit 130' INT TERM HUP
    # Commas separate the modules: there can be none in a command line.
    timeout -k 5 $((seconds * 4)) qemu-system-x86_64 -accel tcg -icount "shift=$lab_instruction_shift,sleep=off" \
        -machine q35 -cpu "$lab_cpu" -m 2048 -display none -monitor none -no-reboot -nic none \
        -serial "file:$run/xen.log" -serial stdio -kernel "$lab/xen" \
        -append "console=com1 com1=115200 loglvl=warning guest_loglvl=warning noreboot=0 spec-ctrl=no xpti=no dom0_mem=640M,max:640M \
dom0_max_vcpus=1" \
        -initrd "$lab/vmlinux $lab_kernel lab.limit=$seconds $*,$run/dom0.img" \
        </dev/null > >(collect) 2>"$run/qemu.log" &
    emulator=$!
    local status=0
    wait "$emulator" || status=$?
    # The reader ends when it has read everything.
    wait
    rm -f "$run/dom0.img"
    [ $status = 0 ] || echo "# QEMU ended with $status; build/xen/$name/xen.log has what Xen and dom0 said" >&2
    return $status
}

# dom0's output: lines to print, and between two marks an archive of its logs.
collect() {
    local line
    while IFS= read -r line; do
        case $line in
        '@logs') sed -n '/^@end$/q; p' | base64 -d | tar -xz -C "$run" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
}
