#!/bin/bash
# Noise and replayed packets at the client's socket, from the server's own address: dropped, counted, and no more.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 60
profile client.ovpn tls-crypt
server_start tls-crypt 'keepalive 1 60'

# All that the server says, from the first packet of the handshake on.
spawn "$work/recorder.log" "$internet" tcpdump -i wan -n -Z root --immediate-mode -U -w "$work/said.pcap" \
    "src host $server_address and udp src port $server_port"
recorder=$spawned
wait_for 5 grep -q 'listening on' "$work/recorder.log"
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up
ok "100 datagrams" prints 100 in_qube timeout 300 perl "$system/udp" ask $web_address 7 100 1300
tcpdump_end "$recorder" "$work/recorder.log"
recorded() { tcpdump -n -Z root -r "$work/said.pcap" "$1" 2>/dev/null | wc -l; }
data=$(recorded 'udp[8] & 0xf8 = 0x48')
control=$(recorded 'udp[8] & 0xf8 != 0x48')
enough() { echo "$control control packets, $data data packets"; [ "$control" -ge 3 ] && [ "$data" -ge 100 ]; }
ok "recorded the handshake and the data" enough

drops() { # PATTERN: how many of these kinds so far
    gateway_status --json | perl -MJSON::PP -0777 -e '
        my $drops = decode_json(<STDIN>)->{drops};
        my $sum = 0;
        $sum += $drops->{$_} for grep { /$ARGV[0]/ } keys %$drops;
        print "$sum\n";' "$1"
}
counted() { # NUMBER PATTERN: since drops_before
    echo "$(gateway_field drops), wanted $1 of $2"
    [ $(($(drops "$2") - drops_before)) -ge "$1" ]
}

drops_before=$(drops '^DATA_REPLAY$')
is "all sent once more" $((data + control)) in_internet perl "$system/udp" replay "$work/said.pcap"
ok "each replayed data packet is counted as one" wait_for 3 counted "$data" '^DATA_REPLAY$'
drops_before=0
ok "replayed control packets are counted" counted $((control - 1)) '^CONTROL_'
ok "still up" gateway_up

# Cut short, each to a length of its own.
drops_before=$(drops .)
port=$(tcpdump -n -Z root -r "$work/said.pcap" -c 1 2>/dev/null | sed -E 's/.*> [0-9.]+\.([0-9]+):.*/\1/')
is "1500 datagrams of noise, some of them empty" 1500 \
    in_internet perl "$system/udp" garbage $server_address $server_port $gateway_address "$port" 1500
ok "each is counted" wait_for 3 counted 1490 .
ok "still up after it" gateway_up
ok "the same tunnel as before" prints 0 gateway_field reconnects
ok "100 datagrams more" prints 100 in_qube timeout 300 perl "$system/udp" ask $web_address 7 100 1300
finish
