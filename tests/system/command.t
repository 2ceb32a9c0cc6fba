#!/bin/bash
# The command line by itself: what is wrong is named, with what helps, and usage ends with 2.
set -u
build=${BUILD:-build}
program=$build/vpn-gateway
work=$(mktemp -d "${TMPDIR:-/tmp}/vpn-gateway.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
number=0 failed=0

try() { # CODE PATTERN [ARGUMENT]...: exit code, and what is printed anywhere
    local code=0 wanted=$1 pattern=$2
    shift 2
    number=$((number + 1))
    timeout 60 "${as[@]}" "$program" "$@" >"$work/printed" 2>&1 </dev/null || code=$?
    if [ $code = "$wanted" ] && grep -qE -- "$pattern" "$work/printed"; then
        echo "ok $number - $* ${as:+(as nobody)}"
    else
        failed=1
        echo "not ok $number - $*"
        printf 'exit %s, wanted %s and %s\n' $code "$wanted" "$pattern" | cat - "$work/printed" | sed 's/^/# /'
    fi
}
as=()

try 2 '^usage: vpn-gateway COMMAND'
try 2 'unknown command `statsu.; did you mean `status.\? `vpn-gateway help. lists all commands$' statsu
try 2 'unknown command `qqq.\. `vpn-gateway help. lists all commands$' qqq
try 2 'two qubes have the same address' run --qubesdb none --profile x --downstream tap:a,ip=10.0.0.1 \
    --downstream tap:b,ip=10.0.0.1
try 2 'The command comes first' --control x status
for command in run attach serve check status settings reconnect stop login log-level kick update genkey; do
    try 0 "^  $command " $command --help
    try 0 "^  $command " $command -h
    try 0 "^  $command " $command some thing --help
    try 0 "^  $command " help $command
    try 2 "$command: unknown option .--nonsense.; see .vpn-gateway $command --help" $command --nonsense
    try 2 "$command: unknown option .-x." $command -x
done
# Help has what the program takes, and exclusive options as such.
try 0 ',ip=ADDRESS\[,ip6=ADDRESS\]\[,gw=ADDRESS\]\[,mac=MAC\]' run --help
try 0 '\[--quiet \| \[--json\] \[--all\] \[--watch \| --follow\]\]' status --help
try 2 'quiet prints nothing, so it goes with no other option' status --quiet --json
try 0 '^  version$' help
# The help of one command is of that alone.
number=$((number + 1))
if "$program" status --help | grep -q genkey; then
    failed=1
    echo "not ok $number - help of one command is alone"
else
    echo "ok $number - help of one command is alone"
fi
try 0 '^  genkey ' --help
try 0 '^  genkey ' help
try 2 'did you mean .check.' help chek

try 2 'run: unknown option .--profil.; did you mean .--profiles.|--profile.' run --profilee x
try 2 'run: option .--profile. lacks its value' run --profile
try 2 'run: unexpected argument .extra.' run --profile x extra
try 2 'status: option .--json. takes no value' status --json=1
try 2 'status: unknown option .--halt.' status --halt
try 2 'status: unknown option .--wacth.; did you mean .--watch.' status --wacth
try 2 'kick: NAME is missing' kick
try 2 'update: OPTION is missing' update somebody
try 2 'log-level: LEVEL is missing' log-level
try 2 'log-level: LEVEL is error, warn, info, debug or default' log-level loud
try 2 'stop: unexpected argument .now.' stop now
try 2 'serve: --config FILE is missing' serve
try 2 'serve: unknown option .--confg.; did you mean .--config.' serve --confg x
try 2 'check: FILE is missing' check
try 2 'check: unexpected argument .b.' check a b
try 2 'attach: DOMID:PATH and IFNAME are missing' attach
try 2 'attach: IFNAME is missing' attach 3:data/net
try 2 'genkey: KIND and OUT are missing' genkey
try 2 'genkey: OUT, the file to make, is missing' genkey tls-crypt
try 2 'genkey: KIND is wireguard, tls-auth, ' genkey nonsense "$work/out"
try 2 'genkey: KIND is wireguard, tls-auth, ' genkey nonsense
try 2 'genkey: unknown KIND .tls-cript.; did you mean .tls-crypt.\?' genkey tls-cript
try 2 'genkey: unexpected argument .more.' genkey tls-crypt "$work/out" more
for kind in wireguard tls-auth tls-crypt tls-crypt-v2-server; do
    try 2 'genkey: --server-key is for tls-crypt-v2-client alone' genkey $kind --server-key x "$work/out"
    try 2 'genkey: --metadata is for tls-crypt-v2-client alone' genkey $kind --metadata x "$work/out"
done
try 2 'tls-crypt-v2-client needs --server-key FILE' genkey tls-crypt-v2-client "$work/out"
try 2 'no profile is given: add --profile FILE' run --qubesdb none --downstream tap:a,ip=10.0.0.1
[ -e /dev/xen/gntdev ] || try 2 'no qube is given: add --downstream tap:IFNAME,ip=ADDRESS' run --profile x
try 1 'No such file or directory: it does not run, or has another --control SOCKET' status --control "$work/nothing"

# Files that are given to check by mistake, and a profile with many errors.
printf '[Interface]\nPrivateKey = x\n[Peer]\nEndpoint = a:1\n' >"$work/wg.conf"
try 2 'wg\.conf:2: error: PrivateKey cannot be used: it is too short' check "$work/wg.conf"
echo '<!DOCTYPE html><html><body>log in</body></html>' >"$work/page.ovpn"
try 2 'error: this is a web page \(HTML\)' check "$work/page.ovpn"
head -c 100000 "$program" >"$work/binary.ovpn"
try 2 'error: this is a program' check "$work/binary.ovpn"
errors() { # NUMBER
    local result=ok
    number=$((number + 1))
    [ "$(grep -c 'error:' "$work/printed")" = "$1" ] || result='not ok' failed=1
    echo "$result $number - as many errors: $1"
}
errors 1
for ((i = 0; i < 12; i++)); do echo "proto nonsense$i"; done >"$work/many.ovpn"
try 2 'not usable, 14 errors' check "$work/many.ovpn"
errors 14
for ((i = 0; i < 12; i++)); do echo "nonsense of a letter, line $i"; done >"$work/letter"
try 2 'letter: warning: nothing in it is known of a profile of OpenVPN or WireGuard' check "$work/letter"
errors 2
try 2 'not usable, 2 errors, 1 warning$' check "$work/letter"
try 2 'error: PrivateKey cannot be used' run --profile "$work/wg.conf" --qubesdb none \
    --downstream tap:a,ip=10.0.0.1

# Bash completes what the program's help has.
completes() { # WORD LINE...: it is among what is offered for the last word of the line
    local wanted=$1
    number=$((number + 1))
    # shellcheck disable=SC2016 # of the inner shell
    if bash -c 'set -u; . rpm/vpn-gateway.bash; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vpn_gateway
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | grep -qxF -- "$wanted"; then
        echo "ok $number - completes ${*:3}: $wanted"
    else
        failed=1
        echo "not ok $number - completes ${*:3}: $wanted"
    fi
}
completes reconnect "$program" rec
completes settings "$program" se
completes log-level "$program" help lo
completes --watch "$program" status --w
completes --downstream "$program" run --profile x --d
completes --help "$program" kick --
completes debug "$program" log-level d
completes tls-crypt-v2-client "$program" genkey tls-c

# Somebody else's socket.
perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; bind($s, sockaddr_un(shift)) or die; listen($s, 5)' \
    "$work/socket"
chmod 600 "$work/socket"
as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
cp "$program" "$work/program" && chmod 755 "$work/program"
LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
program=$work/program
try 1 'Permission denied: only root, and members of its group, may ask it: try sudo' status --control "$work/socket"

# Somebody else's files.
install -d -m 755 "$work/others"
printf 'client\nremote 192.0.2.1\nca ca.crt\n' >"$work/others/a.ovpn"
echo x >"$work/others/ca.crt"
chmod 644 "$work/others/a.ovpn"
chmod 600 "$work/others/ca.crt"
try 2 'a\.ovpn:3: error: cannot read .ca\.crt.: permission denied: .*systemctl restart vpn-gateway' check "$work/others/a.ovpn"
chmod 600 "$work/others/a.ovpn"
try 2 'a\.ovpn: error: permission denied: .*systemctl restart vpn-gateway' check "$work/others/a.ovpn"
try 2 'a\.ovpn: error: permission denied: .*systemctl restart vpn-gateway' run --profile "$work/others/a.ovpn" \
    --qubesdb none --downstream tap:a,ip=10.0.0.1

echo "1..$number"
exit $failed
