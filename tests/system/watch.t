#!/bin/bash
# status as it is looked at: on a terminal of few rows, again and again, while the gateway starts anew; and without colours.
# shellcheck source=tests/system/tap.sh
. "$(dirname "$0")/tap.sh" || exit 1
start 90
flows=("udp/$gateway_address/$server_address/$server_port")
profile client.ovpn none
gateway_start client.ovpn

# A terminal of that many rows; what the program wrote on it is in $work/screen until it ends by itself or `text` is there.
cat >"$work/terminal" <<'END'
import fcntl, os, pty, select, signal, struct, sys, termios, time
rows, screen, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
pid, master = pty.fork()
if pid == 0: # sets the size itself, so that the program never sees another
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
    os.execvp(arguments[0], arguments)
with open(screen, "wb", buffering=0) as out:
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        out.write(data)
        if os.path.exists(screen + ".end"):
            os.unlink(screen + ".end")
            os.write(master, b"\x03")
_, status = os.waitpid(pid, 0)
print("signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "exit %d" % os.WEXITSTATUS(status))
END
terminal() { timeout 200 python3 "$work/terminal" "$@"; }
status=("$program" status --control "$work/control")

coloured() { grep -q $'\033\[3' "$work/screen"; }
is "on a terminal: exit" "exit 0" terminal 24 "$work/screen" env -u NO_COLOR TERM=xterm "${status[@]}"
ok "on a terminal: colours" coloured
is "NO_COLOR: exit" "exit 0" terminal 24 "$work/screen" env NO_COLOR=1 TERM=xterm "${status[@]}"
ok "NO_COLOR: none" not coloured
is "TERM=dumb: exit" "exit 0" terminal 24 "$work/screen" env -u NO_COLOR TERM=dumb "${status[@]}"
ok "TERM=dumb: none" not coloured

spawn "$work/watched" "$gateway" python3 "$work/terminal" 5 "$work/screen" env NO_COLOR=1 TERM=xterm "${status[@]}" --watch
shows() { tail -c "${2:-100000}" "$work/screen" | grep -q -- "$1"; }
ok "--watch: the other screen" wait_for 10 shows $'\033\[?1049h'
ok "--watch: the state" wait_for 10 shows 'connecting for'
ok "--watch: cut to the rows" wait_for 10 shows 'more lines: without --watch'
# From one beginning of the screen to the next there are no more lines than rows.
rows_kept() {
    perl -0777 -ne 'exit 1 if grep { tr/\n// > 4 } split /\e\[H/; exit 0' "$work/screen"
}
ok "--watch: never more than there are" rows_kept
gateway_stop
ok "--watch: the gateway is gone, and that is said" wait_for 10 shows 'no gateway answers at' 600
gateway_start client.ovpn
ok "--watch: it is back" wait_for 10 shows 'connecting for' 600
touch "$work/screen.end"
ok "--watch: Ctrl-C ends it" wait_for 10 grep -qx "signal $(kill -l INT)" "$work/watched"
ok "--watch: and the first screen is back" shows $'\033\[?1049l' 30

spawn "$work/lines" "$gateway" "${status[@]}" --watch --json
lines() { [ "$(grep -cE '^\{.*"state": .*\}$' "$work/lines")" -ge 2 ] && not grep -vE '^\{.*\}$' "$work/lines"; }
ok "--watch --json: one object a line" wait_for 10 lines

# A line for each change, and none for what only goes on.
code() {
    local code=0
    "$@" >"$work/printed" 2>&1 || code=$?
    echo $code
}
is "--quiet: not connected" 1 code "${status[@]}" --quiet
is "--quiet: not a word" 0 wc -c <"$work/printed"
spawn "$work/followed" "$gateway" "${status[@]}" --follow
spawn "$work/objects" "$gateway" "${status[@]}" --follow --json
time='[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}'
followed() { [ "$(grep -cE "^$time $1" "$work/followed")" = "$2" ]; }
ok "--follow: the state and its reason" wait_for 10 followed "connecting: no answer yet from $server_address:$server_port/udp" 1
ok "--follow: the qube" followed ".*, $qube_address: attached" 1
sleep 3
ok "--follow: no line for seconds that pass" followed "connecting: no answer yet from $server_address:$server_port/udp" 1
server_start none
ok "--follow: connected" wait_for 20 followed "connected to $server_address:$server_port/udp, address 10\.8\.0\.2/24" 1
is "--quiet: connected" 0 code "${status[@]}" --quiet
is "--quiet: not a word either" 0 wc -c <"$work/printed"
objects() { [ "$(grep -cE '^\{.*"state": "connected".*\}$' "$work/objects")" = 1 ]; }
ok "--follow --json: an object" wait_for 10 objects
gateway_stop
ok "--follow: the gateway is gone" wait_for 10 followed 'no gateway answers at' 1
is "--quiet: no gateway" 1 code "${status[@]}" --quiet
is "--quiet: no word of that" 0 wc -c <"$work/printed"
gateway_start client.ovpn
ok "--follow: it is back" wait_for 20 followed "connected to $server_address:$server_port/udp, address 10\.8\.0\.2/24" 2
is "one of the two ways" 2 code "${status[@]}" --watch --follow
finish
