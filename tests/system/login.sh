# shellcheck shell=bash
# A server that deals with everyone in another way, and answers to what the gateway asks.
# shellcheck disable=SC2034,SC2154 # what is of lib.sh, and what tests use

# Lines of a server's configuration.
login_lines=()

# The name says how the server deals with it. Its questions are kept in $work/asked.
login_scripts() {
    cat >"$work/verify" <<END
#!/bin/bash
{ read -r name && read -r password; } <"\$1"
echo "\$name \$password" >>"$work/asked"
encoded() { printf %s "\$1" | base64; }
pending() { # METHOD TEXT
    printf '600\n%s\n%s\n' "\$1" "\$2" >"\$auth_pending_file"
    for ((turn = 0; turn < 6000; turn++)); do
        [ ! -e "$work/approved" ] || { echo 1 >"\$auth_control_file" && exit; }
        sleep 0.1
    done >/dev/null 2>&1 &
    exit 2
}
case \$name in
plain) [ "\$password" = correct-horse-battery ] ;;
static) [ "\$password" = "SCRV1:\$(encoded correct-horse-battery):\$(encoded 271828)" ] ;;
dynamic)
    [ "\$password" != CRV1::state-77::blue ] || exit 0
    [ "\$password" != correct-horse-battery ] ||
        printf 'CRV1:R,E:state-77:%s:Favourite colour?' "\$(encoded dynamic)" >"\$auth_failed_reason_file"
    exit 1
    ;;
busy)
    [ -e "$work/busy" ] && exit 0
    touch "$work/busy"
    printf 'TEMP[backoff 1,advance no]:come back soon' >"\$auth_failed_reason_file"
    exit 1
    ;;
patient) exit 2 ;;
browser) pending webauth WEB_AUTH::https://login.example.net/q ;;
text) pending crtext 'CR_TEXT:R,E:The number on your card?' ;;
*) exit 1 ;;
esac
END
    # The answer to CR_TEXT.
    cat >"$work/answered" <<END
#!/bin/bash
[ "\$(base64 -d "\$1")" != 4711 ] || touch "$work/approved"
END
    chmod 755 "$work/verify" "$work/answered"
    login_lines=('script-security 2' "auth-user-pass-verify $work/verify via-file" "client-crresponse $work/answered")
}

question_is() { [ "$(gateway_field question)" = "$1" ]; }
login() { # ANSWER...: how it ended is in $login_code
    login_code=0
    printf '%s\n' "$@" | "$program" login --control "$work/control" || login_code=$?
}
