#!/bin/bash
# The gateway's announcements to the person at the screen: connected, lost, a login; once each, without waiting for
# anybody. And how they become notifications of the desktop, with stand-ins for Qubes' and the desktop's programs.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
profile client.ovpn tls-crypt
profile login.ovpn tls-crypt auth-user-pass

listen_to_it() {
    spawn "$work/words" "$gateway" perl -MIO::Socket::UNIX -MSocket -e \
        '$| = 1; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => shift) or die; my $word;
        print "$word\n" while defined $s->recv($word, 64)' "$work/announced"
    listener=$spawned
    wait_for 5 test -S "$work/announced"
}
said() { paste -sd , "$work/words" | grep -xE -- "$1"; }
says() { wait_for 20 said "$1" || { cat "$work/words"; return 1; }; }
reconnected() {
    local before
    before=$(gateway_field negotiations)
    "$program" reconnect --control "$work/control"
    wait_for 10 negotiated_since "$before" && wait_for 10 gateway_up
}
negotiated_since() { [ "$(gateway_field negotiations)" -gt "$1" ]; }

listen_to_it
server_start tls-crypt
gateway_start client.ovpn --announce "$work/announced"
lost="(connecting|waiting to retry)"
ok "connected" says connected
ok "it reconnects" reconnected
server_kill
ok "that was no news; the server is gone: lost" says "connected,$lost"
server_return
ok "connected again" says "connected,$lost,connected"
gateway_stop
ok "it is stopped: said" says "connected,$lost,connected,stopped"

: >"$work/words"
gateway_start login.ovpn --announce "$work/announced"
ok "somebody has to log in" says "waiting for login"
gateway_stop
ok "never connected, never lost" said "waiting for login"
end_process TERM "$listener"

# --- From a word to a notification ------------------------------------------------------------------------------------

# The user of the qube is nobody, whose desktop notes what it is to show.
mkdir -p "$work/bin" "$work/run/65534" "$work/shown"
chmod 777 "$work/shown"
chmod 700 "$work/run/65534"
chown nobody "$work/run/65534"
printf '#!/bin/sh\n[ "$1" = /default-user ] && echo nobody\n' >"$work/bin/qubesdb-read"
cat >"$work/bin/notify-send" <<'END'
#!/bin/sh
[ -S "${DBUS_SESSION_BUS_ADDRESS#unix:path=}" ] || exit 1
echo "$(id -u) $DBUS_SESSION_BUS_ADDRESS" >"$SHOWN/who"
printf '%s\n' "$@" >"$SHOWN/what"
[ ! -e "$SHOWN/hang" ] || sleep 3600
END
chmod 755 "$work/bin/"*
desktop() {
    perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1) or die' "$work/run/65534/bus"
}
# With what its unit leaves it of root's rights.
limits=(setpriv "--bounding-set=-all,+setuid,+setgid" --inh-caps=-all --no-new-privs)
shows() { "${limits[@]}" env PATH="$work/bin:$PATH" RUNTIME="$work/run" SHOWN="$work/shown" rpm/announce <<<"$1"; }
shown() { grep -Fx "$1" "$work/shown/what"; }
not_shown() { not test -e "$work/shown/what"; }
# Its socket is the service's standard input, as in vpn-gateway-announce.service.
activation() {
    rm -f "$work/shown/what" "$work/announced"
    spawn "$work/activation.log" "$gateway" env PATH="$work/bin:$PATH" systemd-socket-activate --datagram --inetd \
        --listen="$work/announced" -E PATH -E RUNTIME="$work/run" -E SHOWN="$work/shown" "${limits[@]}" "$PWD/rpm/announce"
    wait_for 5 test -S "$work/announced"
}
shown_in_time() { wait_for 15 shown "$1" || { cat "$work/activation.log"; return 1; }; }

ok "without a desktop it is not shown, and no failure" shows connected
ok "nowhere" not_shown
desktop
ok "with one" shows "waiting to retry"
ok "it is shown" shown "The VPN is waiting to retry"
is "to the user of the qube, as that user" "65534 unix:path=$work/run/65534/bus" cat "$work/shown/who"
rm "$work/shown/what"
ok "another word is not shown" shows 'connected <b>$(id)</b>'
ok "not at all" not_shown
touch "$work/shown/hang"
ok "a desktop that does not answer holds nothing up for its hour" shows "waiting for login"
rm "$work/shown/hang"
activation
gateway_start client.ovpn --announce "$work/announced"
ok "from the gateway to the desktop" shown_in_time "The VPN is connected"
gateway_stop
gateway_start client.ovpn --announce "$work/announced"
ok "where nobody listens it connects all the same" wait_for 10 gateway_up
finish
