#!/bin/bash
# Orders that go wrong, or whose outcome a person waits for: each says what happened, and its exit code, too.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
server=gateway
start 90
profile client.ovpn tls-crypt
server_start tls-crypt
gateway_start client.ovpn
ok "up" wait_for 10 gateway_up
# For somebody who may read them, and nothing else.
install -m 755 "$program" "$work/program"
install -m 644 "$work/client.ovpn" "$work/open.ovpn"

fails() { # CODE PATTERN COMMAND...
    local code=0 wanted=$1 pattern=$2
    shift 2
    timeout 120 "$@" >"$work/said" 2>&1 </dev/null || code=$?
    cat "$work/said"
    [ $code = "$wanted" ] && grep -E -- "$pattern" "$work/said"
}
ok "a server's order for a client: said so" \
    fails 1 "is a VPN client with qubes \(vpn-gateway run\) and knows no .kick.; it takes status, settings" \
    "$program" kick client --control "$work/control"
ok "a client's order for a server: said so" \
    fails 1 "is a VPN server \(vpn-gateway serve\) and knows no .login.|knows no .reconnect.; it takes status, kick" \
    "$program" reconnect --control "$work/server.control"
ok "a client that is not there: named" fails 1 'no client has the name or number .nobody.' \
    "$program" kick nobody --control "$work/server.control"
ok "nothing is asked for: no login" fails 1 'asks for no login now' "$program" login --control "$work/control"
ok "a second gateway at the same socket: said so" \
    fails 1 'control: .*Address already in use: another gateway runs and answers there' \
    ip netns exec "$gateway" "$program" run --profile "$work/client.ovpn" --downstream tap:other0,ip=10.137.0.11 \
    --qubesdb none --control "$work/control"
ok "who is not root: said so" \
    fails 1 'tap:other0: cannot use /dev/net/tun: (Permission denied|Operation not permitted): this needs root' \
    ip netns exec "$gateway" setpriv --reuid 65534 --clear-groups "$work/program" run --profile "$work/open.ovpn" \
    --downstream tap:other0,ip=10.137.0.11 --qubesdb none --control "$work/other.control"

# A file that is no socket is not another gateway's, and stays.
echo precious >"$work/precious"
ok "a file in the socket's place: said so" \
    fails 1 'control: .*precious: Socket operation on non-socket: what lies there is left alone' \
    ip netns exec "$gateway" "$program" run --profile "$work/client.ovpn" --downstream tap:other0,ip=10.137.0.11 \
    --qubesdb none --control "$work/precious"
is "and it stays" precious cat "$work/precious"
ok "an interface that is no TAP device: said so" \
    fails 1 'tap:lo: cannot use the interface: Invalid argument: it exists, and is of another kind' \
    ip netns exec "$gateway" "$program" run --profile "$work/client.ovpn" --downstream tap:lo,ip=10.137.0.11 \
    --qubesdb none --control "$work/other.control"
gateway_stop

# A server that ends the session for good: no success of the gateway's.
halted() {
    local code=0 pid
    in_gateway "$program" run --profile "$work/client.ovpn" --downstream "tap:qube0,ip=$qube_address" \
        --qubesdb none --control "$work/control" >>"$work/gateway.log" 2>&1 &
    pid=$!
    wait_for 10 gateway_up || return 1
    "$program" kick client --halt --control "$work/server.control" || return 1
    wait $pid || code=$?
    echo $code
}
is "kick --halt: the gateway ends, and not with 0" 1 halted
ok "kick --halt: the log says why" grep 'the server ended the session for good' "$work/gateway.log"

# A login.
profile client.ovpn tls-crypt auth-user-pass
gateway_start client.ovpn
asked() { [ "$(gateway_field question)" = 'User name and password' ]; }
ok "a login is asked for" wait_for 10 asked
interrupted() {
    timeout 120 python3 - "$program" login --control "$work/control" <<'END'
import os, pty, signal, sys, termios
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
def echo():
    return bool(termios.tcgetattr(master)[3] & termios.ECHO)
said = b""
def wait_for(text):
    global said
    while text not in said:
        said += os.read(master, 4096)
wait_for(b"User name: ")
os.write(master, b"me\n")
wait_for(b"Password: ")
while echo():
    pass
os.write(master, b"\x03")
try:
    while os.read(master, 4096):
        pass
except OSError:
    pass
_, status = os.waitpid(pid, 0)
print("echo", echo(), "signal", os.WTERMSIG(status))
END
}
is "Ctrl-C at the password: echo is back, and it ended by that" "echo True signal $(kill -l INT)" interrupted
ok "still asked for" asked
login_says() { printf 'me\nsecret\n' | timeout 120 "$program" login --control "$work/control" 2>&1 | grep "$1"; }
ok "the right answer: waits, and says that it worked" login_says 'logged in: connected'
is "it did" true gateway_field up
gateway_stop
finish
