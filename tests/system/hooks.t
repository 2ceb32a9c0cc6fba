#!/bin/bash
# Qubes runs these parts of the package: after an installation, after a suspend, when dom0 asks for the state, and when
# a person chooses the entry of the menu.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 300
profile client.ovpn tls-crypt

# The hooks see a /run of their own, with the mark of a gateway qube or without, and the program under the name that they
# call it by.
mkdir -p "$work/bin" "$work/run/vpn-gateway" "$work/run/qubes-service"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$program" >"$work/bin/vpn-gateway"
printf '#!/bin/sh\necho "$@" >>"%s/requests"\n' "$work" >"$work/bin/qvm-features-request"
chmod 755 "$work/bin/"*
hook() { # FILE
    # shellcheck disable=SC2016 # expanded by the inner shell
    PATH=$work/bin:$PATH unshare --mount sh -c 'mount --bind "$0/run" /run && exec "$1"' "$work" "$1"
}
mark=$work/run/qubes-service/vpn-gateway
reconnects() { [ "$(gateway_field reconnects)" = "$1" ] && gateway_up; }

ok "after an installation" hook rpm/post-install.sh
is "dom0 is told which services there are" "supported-service.vpn-gateway=1 supported-service.vpn-gateway-no-dns=1" \
    paste -sd ' ' "$work/requests"

server_start tls-crypt
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up
ln -s "$work/control" "$work/run/vpn-gateway/control"
ok "after a suspend of another qube: nothing" hook rpm/suspend-post.sh
ok "it did not reconnect" reconnects 0
touch "$mark"
ok "after a suspend of the gateway" hook rpm/suspend-post.sh
ok "it reconnects" wait_for 10 reconnects 1
state() { hook rpm/status.qrexec | json up; }
is "asked by dom0: the state" true state
# The entry's command, and an end of it.
printf '#!/bin/sh\nexec "$@"\n' >"$work/bin/sudo"
printf '#!/bin/sh\nexec timeout 2 %s\n' "$(sed -n 's/^Exec=//p' rpm/vpn-gateway.desktop)" >"$work/bin/menu-entry"
chmod 755 "$work/bin/"*
shown() { (hook "$work/bin/menu-entry" || true) | grep "$1"; }
ok "the menu's entry shows the state" wait_for 5 shown 'VPN  *connected'

# The agent's socket, as the agent makes it; what the unit runs behind the agent's start; the gateway's user and another.
mkdir "$work/run/qubes"
agent_socket=$work/run/qubes/qrexec-agent
# shellcheck disable=SC2016 # Perl's variables
spawn "$work/agent.log" "$internet" perl -MIO::Socket::UNIX -e 'umask 0;
    my $s = IO::Socket::UNIX->new(Local => shift, Listen => 5) or die; sleep 600' "$agent_socket"
printf 'root:x:0:\nvpn-gateway:x:4711:\nqubes:x:98:\n' >"$work/group"
agent_started() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount sh -c 'mount --bind "$0/group" /etc/group && mount --bind "$0/run" /run && eval "exec $1"' "$work" \
        "$(sed -n 's/^ExecStartPost=-+//p' rpm/qrexec-agent.conf)"
}
# shellcheck disable=SC2016 # Perl's variables
asks_agent() { # USER
    setpriv --reuid="$1" --regid="$1" --groups=98 perl -MIO::Socket::UNIX -e \
        'IO::Socket::UNIX->new(Peer => shift) or die "$!\n"' "$agent_socket"
}
wait_for 10 test -S "$agent_socket"
ok "the gateway's user could ask qrexec's agent" asks_agent 4711
rm "$mark"
ok "the agent starts in another qube of the template" agent_started
ok "where nothing changes" asks_agent 4711
touch "$mark"
ok "the agent starts in the gateway qube" agent_started
ok "the gateway's user does not reach it" not asks_agent 4711
ok "everybody else does" asks_agent 1000
rm "$mark"
ok "another qube of the template has none" not hook rpm/status.qrexec
touch "$mark"

# The dead and the stalled hold nobody up: it ends, though they never answer.
kill -STOP "$client_pid"
ok "a gateway that hangs does not hold up the resume" hook rpm/suspend-post.sh
kill -CONT "$client_pid"
gateway_kill
ok "nor does a dead one" hook rpm/suspend-post.sh
finish
