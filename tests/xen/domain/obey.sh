# shellcheck shell=sh
# A domain does what dom0 writes into its xenstore directory, and answers there.
#
#   data/lab/command    NUMBER COMMAND
#   data/lab/answer     NUMBER STATUS, then on further lines the end of what the command printed

obey() { # NUMBER COMMAND
    eval "$2" >/tmp/printed 2>&1 </dev/null
    status=$?
    xenstore-write -R data/lab/answer "$1 $status
$(tail -c 3000 /tmp/printed)"
}

obey_dom0() {
    xenstore-write data/lab/answer "0 0"
    done=0
    xenstore-watch data/lab/command | while read -r _; do
        command=$(xenstore-read -R data/lab/command 2>/dev/null) || continue
        number=${command%% *}
        [ "$number" != "$done" ] || continue
        done=$number
        # In a shell of its own: what it sets or breaks is its own.
        (obey "$number" "${command#* }")
    done
}
