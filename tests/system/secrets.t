#!/bin/bash
# An image of the gateway's memory has one copy of a password or a key, for as long as it is needed, and none of the
# many that there were on the way. And no image comes about: no core file, no look from outside.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
# shellcheck source=tests/system/login.sh
. "$system/login.sh"
start 60
secrets=(correct-horse-battery tell-me-the-key)
login_scripts
server_start tls-crypt "${login_lines[@]}"

# How often a text is in the memory of the process, wherever that is.
copies() { # TEXT
    perl -e '
        my ($process, $text) = @ARGV;
        my $count = 0;
        open my $maps, "<", "/proc/$process/maps" or die "$!\n";
        open my $memory, "<:raw", "/proc/$process/mem" or die "$!\n";
        while (<$maps>) {
            my ($from, $to) = map hex, /^([0-9a-f]+)-([0-9a-f]+) r/ or next;
            my $all = "";
            sysseek $memory, $from, 0 or next;
            sysread $memory, $all, 1 << 16, length $all or last while length $all < $to - $from;
            $count++ while $all =~ /\Q$text/g;
        }
        print "$count\n";' "$client_pid" "$1"
}
# The text of a key: the first line of its body, and the last.
lines_of() { grep -vE '^(-|#)' "$work/$1" | sed -n '1p; $p'; }

openssl pkcs8 -topk8 -in "$work/client.key" -v2 aes256 -passout pass:tell-me-the-key -out "$work/locked.key"
mv "$work/locked.key" "$work/client.key"
profile client.ovpn tls-crypt auth-user-pass
mapfile -t keys < <(lines_of client.key; lines_of tls-crypt.key)

gateway_start client.ovpn
ok "the private key's password is asked for" wait_for 10 question_is 'The password of the private key'
login tell-me-the-key
ok "a name and a password are asked for" wait_for 10 question_is 'User name and password'
login plain correct-horse-battery
ok "up" wait_for 10 gateway_up
is "one copy of the password" 1 copies correct-horse-battery
is "and of the key's" 1 copies tell-me-the-key
for key in "${keys[@]}"; do is "one copy of the text of a key" 1 copies "$key"; done

is "no core file: the limit" "0 0" awk '/^Max core file size/ { print $5, $6 }' "/proc/$client_pid/limits"
is "no look from outside: its files in /proc are root's" "root" stat -c %U "/proc/$client_pid/mem"

server_stop
ok "with auth-nocache it is asked for again after the session" wait_for 15 question_is 'User name and password'
is "and no copy is left" 0 copies correct-horse-battery
finish
