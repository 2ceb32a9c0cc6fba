# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # of the script that sources it
# A dom0 for the system tests: the tests' QubesDB daemon, and who writes into it. Sourced behind tap.sh.

rules=/qubes-firewall/$qube_address
handled=/qubes-firewall-handled/$qube_address

# A daemon with that content, after some time without one.
qubesdb_start() { # [LINE]...
    printf '%s\n' "$@" >"$work/qubesdb.content"
    coproc qubesdb { exec "$build/tests/system/qubesdb_daemon" "$work/qubesdb" "$work/qubesdb.content"; }
    # Subshells have no use of a coprocess' own descriptors.
    exec {orders}>&"${qubesdb[1]}" {answers}<&"${qubesdb[0]}"
    local said
    read -r -t 60 -u "$answers" said && [ "$said" = ready ]
}

# Dies without a word.
qubesdb_kill() {
    # shellcheck disable=SC2154 # set by coproc
    local pid=$qubesdb_PID
    exec {orders}>&- {answers}<&-
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
}

db() { # COMMAND...: prints the answer
    local said
    echo "$*" >&"$orders"
    read -r -t 60 -u "$answers" said && echo "$said"
}

dom0() { db write "$@" >/dev/null; }

feature() { # NAME [VALUE]: as qvm-features does, without a value --unset
    if [ $# = 1 ]; then db rm "/vm-config/$1"; else db write "/vm-config/$1" "$2"; fi >/dev/null
}

# As qubesd writes them: policy and rules, and last the base, which puts them in force.
set_rules() { # RULE...
    local number=0 rule
    db rm "$rules/" >/dev/null
    dom0 "$rules/policy" drop
    for rule in "$@"; do
        dom0 "$rules/$(printf %04d $number)" "$rule"
        number=$((number + 1))
    done
    dom0 "$rules" ''
}

times_handled() { db read "$handled" | tr -dc 0-9; }

handled_more_than() { [ "$(times_handled)" -gt "$1" ]; }

# The program with a QubesDB at "$work/qubesdb", there or not, and the qube behind it.
gateway_of_dom0() { # OPTION...
    spawn "$work/gateway.log" "$gateway" "$program" run --qubesdb "$work/qubesdb" --control "$work/control" \
        --downstream "tap:qube0,ip=$qube_address" ${SYSTEM_NO_SANDBOX:+--no-sandbox} "$@"
    client_pid=$spawned
    wait_for 10 ip -n "$gateway" link show qube0
    ip -n "$gateway" link set qube0 netns "$qube" name eth0
    qube_configure
}

says() { # PATTERN: in the status for a person
    gateway_status | tee "$work/said"
    grep -qE -- "$1" "$work/said"
}

up_at() { [ "$(gateway_field server.host)" = "$1" ] && gateway_up; }

# How often it connected so far, with whichever profile.
connections() { grep -c '^tunnel: connecting to ' "$work/gateway.log"; }
