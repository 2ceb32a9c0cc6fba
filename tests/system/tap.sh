# shellcheck shell=bash
# Shared by every *.t: TAP, and at its end the two judgements that hold for all of them.

# shellcheck source=tests/system/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" || exit 1

test_number=0
test_failed=0

# A test is a command; what it prints is shown when it fails.
ok() { # DESCRIPTION COMMAND...
    local description=$1 printed
    shift
    test_number=$((test_number + 1))
    if printed=$("$@" 2>&1); then
        echo "ok $test_number - $description"
    else
        test_failed=1
        # A test that fails need not be waited for so long.
        slowness=2
        echo "not ok $test_number - $description"
        tail -n 40 <<<"$printed" | sed 's/^/# /'
    fi
}

# The command prints exactly this.
is() { # DESCRIPTION EXPECTED COMMAND...
    ok "$1" prints "${@:2}"
}

prints() { # EXPECTED COMMAND...
    local expected=$1 printed
    shift
    printed=$("$@") || { echo "exit code $?: $printed"; return 1; }
    [ "$printed" = "$expected" ] || { echo "expected: $expected"; echo "     got: $printed"; return 1; }
}

not() { ! "$@"; }

# Datagrams and a file of the web server's get through, both ways.
moves() { # NAME
    prints 20 in_qube timeout 120 perl "$system/udp" ask $web_address 7 20 1400 &&
        prints "$(checksum "$1")" file_down "$1" && prints "$(checksum "$1")" file_up "$1"
}

# A namespace of each kind, the internet's services, keys, and the capture, which runs before anything else does.
start() { # SECONDS
    begin "$1"
    topology
    services
    keys
    capture_start
}

# The last lines of every test. JUDGE is leak_check, or silent where not even the VPN has a reason to send.
finish() { # [JUDGE]
    gateway_stop
    server_stop
    capture_stop
    ok "the gateway leaves nothing unclean in its log" clean_log
    ok "the outer link carried only the VPN" "${1:-leak_check}"
    ok "no secret is in the log" no_secrets
    [ $test_failed = 0 ] || logs
    echo "1..$test_number"
    exit $test_failed
}

silent() { grep '^0 packets received by filter' "$work/capture.log" || { cat "$work/capture.log"; return 1; }; }

# Every test is one of the sandbox, too: who leaves it out has to say so.
clean_log() {
    local unclean='AddressSanitizer|runtime error|Assertion'
    [ -n "${SYSTEM_NO_SANDBOX:-}" ] || unclean+='|sandbox: OFF'
    not grep -nE "$unclean" "$work/gateway.log"
}

logs() {
    local name
    for name in gateway server; do
        echo "# --- the end of $name.log"
        tail -n 60 "$work/$name.log" | sed 's/^/# /'
    done
}

# Bodies of every key there is, and the passwords a test says it uses.
secrets=()
no_secrets() {
    local file
    for file in "$work"/*.key; do grep -vE '^(-|#)' "$file"; done >"$work/secrets"
    printf '%s\n' "${secrets[@]}" | sed '/^$/d' >>"$work/secrets"
    [ "$(wc -l <"$work/secrets")" -gt 10 ] || { echo "no secrets to look for"; return 1; }
    not grep -nFf "$work/secrets" "$work/gateway.log"
}
