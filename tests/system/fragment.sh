# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # names of lib.sh, and names that tests use
# Shared by the tests of `fragment': datagrams that have to be cut, and the sizes of datagrams on the outer link.

web_file file 2M
# So that the capture sees each datagram as it is on the wire.
in_gateway ethtool -K uplink tx-udp-segmentation off gso off gro off
in_internet ethtool -K wan tx-udp-segmentation off gso off

# A capture of its own.
watch() {
    rm -f "$work/watch.log" "$work/cell.pcap"
    spawn "$work/watch.log" "$internet" tcpdump -i wan -n -Z root -s 64 -B 32768 --immediate-mode -w "$work/cell.pcap"
    watch_pid=$spawned
    wait_for 5 grep -q 'listening on' "$work/watch.log"
}
watch_stop() { tcpdump_end "$watch_pid" "$work/watch.log"; }

data='(udp[8] & 0xf8) = 0x48' # P_DATA_V2
seen() { # ADDRESS BYTES: datagrams of data of at least so many
    tcpdump -n -Z root -r "$work/cell.pcap" "ip src $1 and $data and udp[4:2] >= $(($2 + 8))" 2>/dev/null | wc -l
}
# Larger packets must have been cut; `passes' sends many of them.
none_larger() { # BYTES
    local who
    for who in $gateway_address $server_address; do
        [ "$(seen $who $(($1 / 2)))" -gt 300 ] || { echo "$who sent few datagrams of that size"; return 1; }
        [ "$(seen $who $(($1 + 1)))" = 0 ] || { echo "$who sent larger ones"; return 1; }
    done
}
passes() {
    prints 60 in_qube timeout 300 perl "$system/udp" ask $web_address 7 60 1472 1300 &&
        prints 60 in_qube timeout 300 perl "$system/udp" ask $web_address 7 60 1472 &&
        prints "$(checksum file)" file_down file && prints "$(checksum file)" file_up file
}
