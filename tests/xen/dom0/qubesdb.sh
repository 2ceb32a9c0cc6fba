# shellcheck shell=bash
# QubesDB of one domain, as dom0 has it.

# The database's daemon takes its commands from a pipe that stays, and answers into one.
qubesdb_start() { # NAME
    rm -f /run/qubesdb.orders /run/qubesdb.answers
    mkfifo /run/qubesdb.orders /run/qubesdb.answers
    qubesdb_dom0 "$(<"/run/$1.id")" <>/run/qubesdb.orders 1<>/run/qubesdb.answers 2>>/run/lab/qubesdb.log &
    echo $! >/run/qubesdb.pid
}

qubesdb_kill() { kill -KILL "$(</run/qubesdb.pid)"; }

db() { # COMMAND...
    local said
    echo "$*" >/run/qubesdb.orders
    read -r -t 20 said <>/run/qubesdb.answers && echo "$said"
}

# As qubesd writes them: policy and rules, and last the base, which puts them in force.
set_rule() { # ADDRESS RULE
    db rm "/qubes-firewall/$1/" && db write "/qubes-firewall/$1/policy" drop &&
        db write "/qubes-firewall/$1/0000" "$2" && db write "/qubes-firewall/$1" ''
}
