#!/bin/bash
# What a person can ask of a running gateway, and how it ends.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
profile client.ovpn tls-crypt
server_start tls-crypt
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up

says() { # PATTERN COMMAND...
    local pattern=$1
    shift
    "$@" | tee "$work/said"
    grep -qE -- "$pattern" "$work/said"
}
ok "status: up" says '^tunnel +up' gateway_status
ok "status: the server" says '192\.0\.2\.1' gateway_status
ok "status: the qube" says "$qube_address" gateway_status
ok "status: no rules means accept, and it says so" says 'accept \(no rules' gateway_status
is "status --json: the cipher" AES-256-GCM gateway_field cipher
is "status --json: in the sandbox" true gateway_field sandbox.calls
is "status --json: the resolver" $resolver_address gateway_field tunnel.resolvers.0

# Every member of `status --json` has its word in the manual; names of drop reasons are not members.
documented() {
    # shellcheck disable=SC2016 # Perl's variables
    gateway_status --json | perl -MJSON::PP -0777 -e '
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
        exit(@missing || keys %seen < 30);'
}
ok "status --json: every member is in the manual" documented
ok "status: a rate" says '^rate +[0-9.]+ [kMG]?bit/s up, ' gateway_status

again() { [ "$(gateway_field reconnects)" = 1 ] && gateway_up; }
ok "reconnect" "$program" reconnect --control "$work/control"
ok "it does" wait_for 10 again
is "a page" "You came through the tunnel." in_qube curl -s --max-time 10 http://$site/

ok "stop" "$program" stop --control "$work/control"
ok "it ends" wait_for 5 gone "$client_pid"
ok "and takes its socket along" test ! -e "$work/control"
client_pid=
code() { # of a command
    local code=0
    "$@" >"$work/printed" 2>&1 || code=$?
    echo $code
}
is "status of what does not run: exit 1" 1 code gateway_status

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
ok "the server was told" server_said 0 'client/.*exit message received by peer'
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
