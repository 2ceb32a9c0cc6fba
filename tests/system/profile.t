#!/bin/bash
# A profile that cannot be used is refused by file and line, with exit 2, before anything is opened.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 40

# Both verbs, in the gateway's namespace, end at once with 2 and name the line.
refused() { # FILE LINE
    local verb code
    for verb in "check $work/$1" "run --profile $work/$1 --downstream tap:qube0,ip=$qube_address --qubesdb none"; do
        code=0
        # shellcheck disable=SC2086 # words of a command
        in_gateway timeout 60 "$program" $verb >"$work/printed" 2>&1 || code=$?
        cat "$work/printed"
        cat "$work/printed" >>"$work/gateway.log"
        [ $code = 2 ] || { echo "${verb%% *}: exit $code"; return 1; }
        grep -qE "^(<3>)?$work/$1:$2: error: ." "$work/printed" || return 1
    done
    not ip -n "$gateway" link show qube0
}

line_of() { grep -n -m 1 -- "$1" "$work/$2" | cut -d : -f 1; }

# A good profile with one line replaced. It is that line which is named, or the one where its block begins.
broken() { # NAME PATTERN LINE [BLOCK]
    profile "$1.ovpn" tls-crypt
    local at
    at=$(line_of "$2" "$1.ovpn")
    sed -i "${at}s|.*|$3|" "$work/$1.ovpn"
    ok "$1" refused "$1.ovpn" "$([ -z "${4:-}" ] && echo "$at" || line_of "$4" "$1.ovpn")"
}

profile good.ovpn tls-crypt
ok "a good profile passes the check" "$program" check "$work/good.ovpn"
broken port-that-is-none '^remote ' 'remote 192.0.2.1 70000'
broken unknown-protocol '^proto' 'proto sctp'
broken quote-without-end '^verify' 'verify-x509-name "server'
broken block-without-end '^</tls-crypt>' '# cut short' '^<tls-crypt>'
broken key-that-is-none 'BEGIN OpenVPN' 'nothing' '^<tls-crypt>'

broken script 'nobind' 'up /bin/true'
broken fragments-of-nothing 'nobind' 'fragment 60'
broken static-key-mode 'nobind' 'secret static.key'

# Providers' profiles are full of options of their own.
unknown() {
    profile unknown.ovpn tls-crypt
    sed -i 's/^nobind/no-such-option yes/' "$work/unknown.ovpn"
    "$program" check "$work/unknown.ovpn" >"$work/printed" 2>&1
    cat "$work/printed"
    grep -q "^$work/unknown.ovpn:5: warning: .*no-such-option" "$work/printed"
}
ok "an unknown option is a warning" unknown

no_remote() {
    local code=0
    profile none.ovpn tls-crypt
    sed -i /^remote\ /d "$work/none.ovpn"
    "$program" check "$work/none.ovpn" >"$work/printed" 2>&1 || code=$?
    cat "$work/printed"
    [ $code = 2 ] && grep -qE "^$work/none.ovpn: error: .*remote" "$work/printed"
}
ok "a profile without a server" no_remote
ok "a file that is not there" prints 2 eval "$program check $work/absent.ovpn >/dev/null 2>&1; echo \$?"
finish silent
