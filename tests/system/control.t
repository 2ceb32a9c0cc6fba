#!/bin/bash
# Requests to a running gateway, and how it ends.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 90
profile client.ovpn tls-crypt

# The service manager, which writes down what it is told.
spawn "$work/told" "$gateway" perl -MSocket -e '
    socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, sockaddr_un(shift)) or die; $| = 1;
    while (defined recv($s, my $said, 4096, 0)) { $said =~ s/\n*$/\n/; print $said }' "$work/manager"
wait_for 5 test -S "$work/manager"
told() { grep -xE -- "$1" "$work/told"; }
outside=(env "NOTIFY_SOCKET=$work/manager" WATCHDOG_USEC=400000)
gateway_start client.ovpn
outside=()
ok "there is no server: ready all the same" wait_for 5 told READY=1
is "and not up" false gateway_field up
server_start tls-crypt
ok "up" wait_for 10 gateway_up
ok "the manager is told" wait_for 5 told "STATUS=connected"
logged() { grep -xE -- "$1" "$work/gateway.log"; }
ok "the log says what the server gave" \
    logged "tunnel: connected, 10\.8\.0\.2/24, DNS $resolver_address, all traffic, AES-256-GCM"
twice() { [ "$(told "$1" | wc -l)" -ge 2 ]; }
ok "and is given signs of life" wait_for 5 twice WATCHDOG=1

says() { # PATTERN COMMAND...
    local pattern=$1
    shift
    "$@" | tee "$work/said"
    grep -qE -- "$pattern" "$work/said"
}
ok "status: up" says '^VPN +connected' gateway_status
ok "status: the server" says '192\.0\.2\.1' gateway_status
ok "status: the qube" says "$qube_address" gateway_status
ok "status: no rules means accept, and it says so" says 'accept \(no rules' gateway_status
is "status --json: the cipher" AES-256-GCM gateway_field cipher
is "status --json: in the sandbox" true gateway_field sandbox.calls
is "status --json: the resolver" $resolver_address gateway_field tunnel.resolvers.0

# Every member of `status --json` has its word in the manual; names of drop reasons are not members.
documented() { # COMMAND...
    # shellcheck disable=SC2016 # Perl's variables
    "$@" | perl -MJSON::PP -0777 -e '
        my ($manual, %seen) = do { local @ARGV = "rpm/vpn-gateway.1"; scalar <> };
        $manual =~ s/.*STATUS AS JSON|\n\.Sh SIGNALS.*//sg;
        sub look {
            my $value = shift;
            if (ref $value eq "ARRAY") { look($_) for @$value }
            if (ref $value eq "HASH") { for (keys %$value) { $seen{$_} = 1; look($value->{$_}) if $_ ne "drops" } }
        }
        look(decode_json(<STDIN>));
        my @missing = grep { $manual !~ /\b$_\b/ } sort keys %seen;
        print "not in the manual: @missing\n" if @missing;
        exit(@missing || keys %seen < 5);'
}
settings() { "$program" settings --control "$work/control" "$@"; }
ok "status --json: every member is in the manual" documented gateway_status --json
ok "settings --json: every member is, too" documented settings --json
explained() { # PATTERN FILE: each setting has its place there
    local name count=0
    while read -r name; do
        count=$((count + 1))
        # shellcheck disable=SC2059 # the name goes into the pattern
        grep -qE -- "$(printf "$1" "$name")" "$2" || { echo "not in $2: $name"; return 1; }
    done < <(settings --json | sed -n 's/.*"name": "\(vpn-.*\)".*/\1/p')
    [ $count -ge 8 ]
}
ok "each setting is in the manual" explained '^\.It Sy %s ' rpm/vpn-gateway.1
usage_explained() {
    "$program" help | grep -oE -- '--[a-z-]+' | sort -u >"$work/options"
    while read -r name; do
        grep -qE -- "\bFl -${name#--}\b" rpm/vpn-gateway.1 || { echo "not in the manual: $name"; return 1; }
    done <"$work/options"
    [ "$(wc -l <"$work/options")" -gt 10 ]
}
ok "so is each option of the usage" usage_explained
ok "status: a rate" says '^rate +[0-9.]+ [kMG]?bit/s up, ' gateway_status

# A client that holds the socket and says nothing, half of something or nonsense is in nobody's way.
# shellcheck disable=SC2016 # Perl's variables
spawn "$work/visitors.log" "$gateway" perl -MSocket -e '
    $SIG{PIPE} = "IGNORE"; my ($path, @open) = shift;
    for (1 .. 30) {
        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; connect($s, sockaddr_un($path)) or die;
        syswrite($s, ("", "{\"command\":", "\xff\0\n", pack("C*", map { rand 256 } 1 .. 5000))[$_ % 4]);
        push @open, $s;
    }
    print "there\n"; close(STDOUT); sleep 60' "$work/control"
ok "thirty visitors who stall or send rubbish" wait_for 10 grep there "$work/visitors.log"
is "status is answered, the tunnel stands" true gateway_field up

watched() { [ "$(grep -c "$1" "$work/watch")" -ge "$2" ]; }
spawn "$work/watch" "$gateway" "$program" status --json --watch --control "$work/control"
watch_pid=$spawned
ok "status --watch: looks again and again" wait_for 10 watched '^{.*}$' 2
again() { [ "$(gateway_field reconnects)" = "$1" ] && gateway_up; }
ok "reconnect" "$program" reconnect --control "$work/control"
ok "it does" wait_for 10 again 1
is "an order is no reason" null gateway_field last_error
ok "status --watch: sees it" wait_for 5 watched '"reconnects": 1' 1
is "a page" "You came through the tunnel." in_qube curl -s --max-time 60 http://$site/

kill -USR1 "$client_pid"
ok "SIGUSR1: it does, too" wait_for 10 again 2

ok "stop" "$program" stop --control "$work/control"
ok "it ends" wait_for 5 gone "$client_pid"
ok "and takes its socket along" test ! -e "$work/control"
client_pid=
ok "the manager is told" wait_for 5 told STOPPING=1
ok "that it was asked to" told "STATUS=stopped on request"
ok "the log says that, too" logged "tunnel: stopped on request"
ok "status --watch: goes on" kill -0 "$watch_pid"
end_process TERM "$watch_pid"
code() { # of a command
    local code=0
    "$@" >"$work/printed" 2>&1 || code=$?
    echo $code
}
is "status of what does not run: exit 1" 1 code gateway_status
is "what it does not understand: exit 2" 2 code gateway_status --colour
is "an order that lacks something: exit 2" 2 code "$program" log-level

# Told to end by a signal it says goodbye, and that is success.
ends() { # SIGNAL
    local code=0 pid
    in_gateway "$program" run --profile "$work/client.ovpn" --downstream "tap:qube0,ip=$qube_address" \
        --qubesdb none --control "$work/control" >>"$work/gateway.log" 2>&1 &
    pid=$!
    wait_for 10 gateway_up || return 1
    kill "-$1" "$(ip netns pids "$gateway" | xargs -I {} sh -c 'grep -qs "^vpn-gateway" /proc/{}/comm && echo {}')"
    wait $pid || code=$?
    echo $code
}
is "SIGTERM: exit 0" 0 ends TERM
ok "the server was told" wait_for 3 server_said 0 'client/.*exit message received by peer'
is "SIGINT: exit 0" 0 ends INT

# A server of before 2.6 knows another word, which is said if the profile wants it.
server_stop
server_protocol_bits=2
profile client.ovpn tls-crypt 'explicit-exit-notify 1'
: >"$work/server.log"
server_start tls-crypt
is "an older server: exit 0" 0 ends TERM
ok "and it was told, too" wait_for 3 server_said 0 'remote-exit'
finish
