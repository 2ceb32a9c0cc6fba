# shellcheck shell=bash
# One measurement each. A result is a line of NAME=VALUE words in $work/results, which tests/bench/report reads.

# shellcheck source=tests/system/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../system/lib.sh" || exit 1

stopwatch=$(dirname "${BASH_SOURCE[0]}")/stopwatch
sink_pid=
sink_port=5201
more_options=() # of the gateway

result() { echo "$*" >>"$work/results"; }

microseconds() { echo "${EPOCHREALTIME/[.,]/}"; }

# User and system time of a process, in clock ticks.
ticks() { # PID
    local fields
    read -ra fields <<<"$(sed 's/^.*) //' "/proc/$1/stat")"
    echo $((fields[11] + fields[12]))
}

# The time of the whole machine that was not idle.
machine_ticks() {
    local user nice kernel idle waiting interrupts soft
    # shellcheck disable=SC2034 # what is idle is read to reach what is not
    read -r _ user nice kernel idle waiting interrupts soft _ </proc/stat
    echo $((user + nice + kernel + interrupts + soft))
}

all_ticks() { echo "$(ticks "$client_pid") $(ticks "$server_pid") $(ticks "$sink_pid") $(machine_ticks)"; }

memory() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$client_pid/status"; } # VmHWM|VmRSS, in KiB

sink_start() {
    spawn "$work/iperf.log" "$internet" iperf3 -s -B $web_address
    sink_pid=$spawned
    wait_for 5 in_internet sh -c "ss -ltn | grep -w $sink_port"
}

# --- Times --------------------------------------------------------------------------------------------------------------

# Looks out for a line that will come to a log; $watcher ends with it.
watch_log() { # FILE LOG PATTERN
    : >"$1"
    "$stopwatch" line "$2" "$(wc -l <"$2")" "$3" 30 >"$1" &
    watcher=$!
    wait_for 10 test -s "$1"
}

# When the line came.
seen() { tail -n 1 "$1"; } # FILE

# The program that is measured comes up; how long that took.
client_start() { # gateway|openvpn
    client=$1
    local began ready up
    watch_log "$work/ready" "$work/gateway.log" 'gateway: serving'
    ready=$watcher
    watch_log "$work/up" "$work/gateway.log" 'tunnel: connected|Initialization Sequence Completed'
    up=$watcher
    began=$(microseconds)
    gateway_start client.ovpn "${more_options[@]}"
    wait "$up" || { echo "$client does not come up:" >&2; tail -n 20 "$work/gateway.log" >&2; return 1; }
    result time "client=$client" what=tunnel us=$(($(seen "$work/up") - began))
    if [ "$client" = gateway ]; then
        wait "$ready"
        result time "client=$client" what=ready us=$(($(seen "$work/ready") - began))
    else
        kill "$ready"
    fi
}

# The server dies, the client notices, the server is back: how long until the tunnel is.
measure_reconnect() {
    local back up
    server_kill
    watch_log "$work/lost" "$work/gateway.log" 'waiting to retry in|Inactivity timeout'
    wait "$watcher"
    sleep 1
    watch_log "$work/back" "$work/server.log" 'Initialization Sequence Completed'
    back=$watcher
    watch_log "$work/up" "$work/gateway.log" 'tunnel: connected|Initialization Sequence Completed'
    up=$watcher
    server_return
    wait "$back"
    wait "$up"
    result time "client=$client" what=reconnect us=$(($(seen "$work/up") - $(seen "$work/back")))
}

measure_idle_trips() { # LABEL
    result trips "label=$1" load=idle "$(ip netns exec "$qube" "$stopwatch" echo $web_address 1)"
}

# --- Traffic ------------------------------------------------------------------------------------------------------------

# LOAD is tcp or a size of UDP datagrams: so many a second as OpenVPN's server can take, or where the server is ours as
# many as will go. More would tell what a machine does that is busy with dropping.
offered=30000
measure_traffic() { # LABEL DIRECTION LOAD FLOWS
    local label=$1 direction=$2 load=$3 many=$4 options=(-t "$seconds" -P "$4") before after trips=
    [ "$direction" = up ] || options+=(-R)
    [ "$load" = tcp ] || options+=(-u -l "$load" -b "$(udp_rate "$load" "$many")")
    if [ "$load:$many" = tcp:1 ]; then
        { sleep 0.3; ip netns exec "$qube" "$stopwatch" echo $web_address $((seconds - 1)); } >"$work/trips" &
        trips=$!
    fi
    before=$(all_ticks)
    local TIMEFORMAT='%U %S'
    { time in_qube timeout $((seconds + 20)) iperf3 -J -c $web_address "${options[@]}" >"$work/iperf.json"; } 2>"$work/times" ||
        { json error <"$work/iperf.json" >&2; return 1; }
    after=$(all_ticks)
    result run "label=$label" "direction=$direction" "load=$load" "flows=$many" "$(differences "$before" "$after")" \
        "qube_s=$(tail -n 1 "$work/times" | awk '{ print $1 + $2 }')" \
        "bytes=$(json end.sum_received.bytes <"$work/iperf.json")" \
        "bits_per_second=$(json end.sum_received.bits_per_second <"$work/iperf.json")" \
        "segment=$(json start.tcp_mss_default <"$work/iperf.json")"
    if [ -n "$trips" ]; then
        wait "$trips"
        result trips "label=$label" "load=$direction" "$(cat "$work/trips")"
    fi
}

udp_rate() { # SIZE FLOWS: bits per second of each flow
    [ "$server" = openvpn ] && echo $((offered * $1 * 8 / $2)) || echo 0
}

differences() { # BEFORE AFTER
    # shellcheck disable=SC2086 # four numbers each
    set -- $1 $2
    echo "client_ticks=$(($5 - $1)) server_ticks=$(($6 - $2)) sink_ticks=$(($7 - $3)) machine_ticks=$(($8 - $4))"
}

# Samples where the process's time goes meanwhile.
measure_profile() { # DIRECTION
    local options=(-t 4) load
    [ "$1" = up ] || options+=(-R)
    in_qube timeout 24 iperf3 -c $web_address "${options[@]}" >"$work/iperf.log" &
    load=$!
    sleep 1
    perf record -q -g -F 2999 -p "$client_pid" -o "$work/perf" -- sleep 2 >"$work/perf.log" 2>&1 || { wait "$load"; return 0; }
    wait "$load"
    result profile "client=$client" "direction=$1" \
        "$(perf script -i "$work/perf" -F ip,sym 2>>"$work/perf.log" | "$(dirname "$stopwatch")/profile")"
}

# --- Many qubes ---------------------------------------------------------------------------------------------------------

# Qube number 0 is the one of every test; the others have a namespace each.
namespace_of() { [ "$1" = 0 ] && echo "$qube" || echo "$qube$1"; }
address_of() { echo "10.137.0.$((10 + $1))"; }

qubes_start() { # COUNT
    local number inside
    for ((number = 1; number < $1; number++)); do
        ip netns add "$(namespace_of $number)"
        more_options+=(--downstream "tap:qube$number,ip=$(address_of $number)")
    done
    client_start gateway
    for ((number = 1; number < $1; number++)); do
        inside=$(namespace_of $number)
        ip -n "$gateway" link set "qube$number" netns "$inside" name eth0
        ip -n "$inside" -batch - <<-END
	address add $(address_of $number)/32 dev eth0
	link set eth0 up
	neighbour add $qube_router lladdr fe:ff:ff:ff:ff:ff dev eth0 nud permanent
	route add default via $qube_router dev eth0 onlink
	END
    done
}

qubes_stop() { # COUNT
    local number
    gateway_stop
    more_options=()
    for ((number = 1; number < $1; number++)); do ip netns del "$(namespace_of $number)"; done
}

# Each qube one TCP stream, all of them at once; what the gateway counts between two looks at it is the result.
measure_qubes() { # COUNT DIRECTION
    local number port options=(-t $((seconds + 6))) streams=() sinks=() before after
    [ "$2" = up ] || options+=(-R)
    for ((number = 0; number < $1; number++)); do
        port=$((sink_port + 1 + number))
        spawn /dev/null "$internet" iperf3 -s -1 -B $web_address -p $port
        sinks+=("$spawned")
    done
    wait_for 10 sinks_listen "$1"
    for ((number = 0; number < $1; number++)); do
        spawn /dev/null "$(namespace_of $number)" iperf3 -c $web_address -p $((sink_port + 1 + number)) "${options[@]}"
        streams+=("$spawned")
    done
    wait_for 10 all_flow "$1" "$2"
    sleep 0.5
    gateway_status --json >"$work/before"
    before=$(ticks "$client_pid")
    sleep "$seconds"
    gateway_status --json >"$work/after"
    after=$(ticks "$client_pid")
    result qubes "count=$1" "direction=$2" "client_ticks=$((after - before))" "kib=$(memory VmHWM)" \
        "$(perl "$stopwatch" shares "$2" "$work/before" "$work/after")"
    end_processes "${streams[@]}" "${sinks[@]}"
}

sinks_listen() { # COUNT
    [ "$(in_internet ss -Hltn "sport > :$sink_port" | wc -l)" = "$1" ]
}

all_flow() { # COUNT DIRECTION: each qube has moved some packets
    # shellcheck disable=SC2016 # Perl's variables
    gateway_status --json | perl -MJSON::PP -0777 -e '
        my ($count, $direction) = @ARGV;
        exit !(grep({ $_->{"packets_$direction"} > 100 } @{ decode_json(<STDIN>)->{qubes} }) == $count)' "$1" "$2"
}

end_processes() {
    kill "$@" 2>/dev/null || true
    local pid
    for pid in "$@"; do wait_for 5 gone "$pid"; done
}

# --- Memory -------------------------------------------------------------------------------------------------------------

# Each of the qubes opens as many flows of UDP, to an address that drops them.
measure_memory() { # QUBES FLOWS
    local number opened
    for ((number = 0; number < $1; number++)); do
        # shellcheck disable=SC2016 # Perl's variables
        ip netns exec "$(namespace_of $number)" perl -MSocket -e '
            my ($address, $count) = @ARGV;
            socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
            for my $port (1 .. $count) {
                send($socket, "x", 0, pack_sockaddr_in($port, inet_aton($address))) or die "send: $!";
                select(undef, undef, undef, 0.001) unless $port % 64;
            }' 198.51.100.99 $((($2 + $1 - 1) / $1))
    done
    opened=$(gateway_field flows)
    result memory client=gateway "qubes=$1" "flows=$opened" "kib=$(memory VmRSS)"
}
