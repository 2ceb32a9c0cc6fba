#!/bin/bash
# No descriptor is left: gateway and server go on with whom they have, cost nothing while others wait to be let in, and
# let them in as soon as there are descriptors again.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 120
server=gateway
listen=("local $server_address $server_port udp" "local $server_address $server_port tcp")
web_file big 3M
flows+=("tcp/$gateway_address/$server_address/$server_port")
profile client.ovpn tls-crypt
server_start tls-crypt
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up

# Descriptors beyond the limit stay open, so this takes all of them.
none_left() { # PID
    prlimit --pid "$1" --nofile=3:
}
some_left() { # PID
    prlimit --pid "$1" --nofile=1024:
}
wakes() { # PID: how often it has slept
    awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"
}
# A process that asks again and again does so thousands of times in two seconds.
idles() { # PID
    local before
    before=$(wakes "$1")
    sleep 2
    echo "woken $(($(wakes "$1") - before)) times"
    [ $(($(wakes "$1") - before)) -lt 200 ]
}
visit() { # SOCKET: connects, asks, and waits for an answer
    # shellcheck disable=SC2016 # Perl's variables
    perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n";
        print $s qq({"command":"status"}\n);
        $s->flush;
        print length(<$s> // "") > 9 ? "answered\n" : "hung up\n";' "$1"
}

none_left "$client_pid"
visit "$work/control" >"$work/answer" 2>&1 &
ok "a visitor of the gateway's waits, and costs nothing" idles "$client_pid"
ok "packets pass" moves big
some_left "$client_pid"
answered() { grep -qx answered "$work/answer"; }
ok "with a descriptor the visitor is answered" wait_for 10 answered

none_left "$server_pid"
visit "$work/server.control" >"$work/answer" 2>&1 &
# shellcheck disable=SC2016 # Perl's variables
spawn "$work/strangers.log" "$gateway" perl -MIO::Socket::INET -e '
    my @all = map { IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or die } 1 .. 20;
    sleep 60' $server_address $server_port
ok "visitors and strangers of the server's wait, and cost nothing" idles "$server_pid"
ok "packets pass" moves big
some_left "$server_pid"
ok "with a descriptor the visitor is answered" wait_for 10 answered
taken() { [ "$(server_status tcp.accepted)" -ge 20 ]; }
ok "and the connections are taken" wait_for 10 taken

# A server that is lost when there is no socket to look for it with.
none_left "$client_pid"
server_kill
sleep 5
ok "a gateway that cannot connect again costs nothing" idles "$client_pid"
server_return
some_left "$client_pid"
ok "with a descriptor it is up again" wait_for 60 gateway_up
ok "packets pass" moves big
finish
