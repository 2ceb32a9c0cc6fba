# shellcheck shell=bash
# Bash's completion of vpn-gateway. Commands and options are those of the program's own help.

_vpn_gateway() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words=
    local program=${COMP_WORDS[0]}
    if [ "$COMP_CWORD" = 1 ] || { [ "$COMP_CWORD" = 2 ] && [ "$command" = help ]; }; then
        words=$("$program" help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\).*/\1/p')
    elif [[ $word == -* ]]; then
        words="$("$program" help "$command" 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u) --help"
    elif [ "$command" = log-level ]; then
        words='error warn info debug default'
    elif [ "$command" = genkey ] && [ "$COMP_CWORD" = 2 ]; then
        words='wireguard tls-auth tls-crypt tls-crypt-v2-server tls-crypt-v2-client'
    elif [ "$before" = --qubesdb ]; then
        words='vchan none'
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    # Without a word of ours: files.
    [ -n "$words" ] || compopt -o default 2>/dev/null || true
}
complete -F _vpn_gateway vpn-gateway
