#!/bin/bash
# Names and passwords that another program judges: while it is not there clients are told to come again, and do; what
# it says holds.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 150
server=gateway
secrets=(correct-horse wrong-donkey)
web_file big 3M
judge=$work/judge

server_start tls-crypt 'verify-client-cert none' "user-pass-socket $judge"
with_password() { # PASSWORD
    profile client.ovpn tls-crypt
    sed -i -e '/^<cert>/,/^<\/cert>/d' -e '/^<key>/,/^<\/key>/d' "$work/client.ovpn"
    printf '%s\n' '<auth-user-pass>' anna "$1" '</auth-user-pass>' >>"$work/client.ovpn"
}
judge_start() {
    rm -f "$judge"
    # shellcheck disable=SC2016 # Perl's variables
    spawn "$work/judge.log" "$internet" perl -MIO::Socket::UNIX -e '
        my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die "$!\n";
        while (my $s = $l->accept) {
            my $question = <$s> // next;
            my ($password) = $question =~ /"password":"([^"]*)"/;
            print $s $password eq "correct-horse" ? qq({"good": true}\n)
                   : $password eq "slow-mule" ? qq({"good": false, "later": true}\n)
                   : qq({"good": false, "reason": "no such donkey"}\n);
        }' "$judge"
    judge_pid=$spawned
    wait_for 5 test -S "$judge"
}
put_off() { [ "$(server_status put_off)" -ge "$1" ]; }
said() { tail -n "+$mark" "$work/gateway.log" | grep -q "$1"; }

count=1
for client in gateway openvpn; do
    mark=$(($(wc -l <"$work/gateway.log") + 1))
    with_password correct-horse
    gateway_start client.ovpn
    ok "nobody judges, $client's client: put off" wait_for 20 put_off $count
    ok "and told so" wait_for 10 said 'logins cannot be checked now'
    judge_start
    ok "somebody does: it comes again by itself" wait_for 40 gateway_up
    ok "and packets pass" moves big
    gateway_stop
    end_process TERM "$judge_pid"
    rm "$judge"
    count=$(($(server_status put_off) + 1))
done
client=gateway

judge_start
with_password slow-mule
gateway_start client.ovpn
ok "whoever cannot tell puts off as well" wait_for 20 put_off $count
ok "and nobody is let in" not gateway_up
gateway_stop
with_password wrong-donkey
gateway_start client.ovpn
ok "the reason of a refusal is told" wait_for 20 grep -q 'no such donkey' "$work/gateway.log"
ok "and nobody is let in" not gateway_up
finish
