#include "gateway/openvpn/config/config_options.h"
#include "gateway/base/spelling.h"

static void set_flag(struct config_builder *b,
                     const struct config_option *option,
                     const struct config_line *line)
{
    (void)line;
    void *field = (char *)b->config + option->field;
    bool *flag = field;
    *flag = true;
}

static void set_number(struct config_builder *b,
                       const struct config_option *option,
                       const struct config_line *line)
{
    void *field = (char *)b->config + option->field;
    uint32_t *number = field;
    (void)!config_builder_limit32(b, line, 1, option->first, option->last,
                                  number);
}

static void set_number16(struct config_builder *b,
                         const struct config_option *option,
                         const struct config_line *line)
{
    uint32_t value;
    if (!config_builder_limit32(b, line, 1, option->first, option->last,
                                &value))
        return;
    void *field = (char *)b->config + option->field;
    uint16_t *number = field;
    *number = (uint16_t)value;
}

/* Nothing is lost by ignoring it: not worth a word unless there is a text. */
static void ignore(struct config_builder *b, const struct config_option *option,
                   const struct config_line *line)
{
    if (option->text)
        config_builder_warn(b, "`%s' is ignored: %s", line->name, option->text);
}

static void refuse(struct config_builder *b, const struct config_option *option,
                   const struct config_line *line)
{
    config_builder_error(b, "`%s' is refused: %s", line->name, option->text);
}

/* Hand-edited Linux profiles call one of two helpers that tell the system its
 * resolvers. The gateway does that itself, so that nothing is lost. */
static void refuse_script(struct config_builder *b,
                          const struct config_option *option,
                          const struct config_line *line)
{
    static const char *const helpers[] = {"update-resolv-conf",
                                          "update-systemd-resolved"};
    const char *command = config_builder_argument(line, 1);
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++) {
        size_t n = command ? strcspn(command, " \t") : 0;
        size_t m = strlen(helpers[i]);
        if (n >= m && !memcmp(command + n - m, helpers[i], m) &&
            (n == m || command[n - m - 1] == '/')) {
            config_builder_warn(b,
                                "`%s' is not run: this program runs no "
                                "scripts, and uses the server's resolvers "
                                "without `%s'",
                                line->name, helpers[i]);
            return;
        }
    }
    refuse(b, option, line);
}

/* As `refuse`, where the profile is not a client's at all. */
static void refuse_mode(struct config_builder *b,
                        const struct config_option *option,
                        const struct config_line *line)
{
    b->refused_mode = true;
    refuse(b, option, line);
}

#define FIELD(member) offsetof(struct config, member)
#define FLAG(name, member)                                                     \
    {                                                                          \
        name, 0, 0, 0, set_flag, FIELD(member), 0, 0, NULL                     \
    }
#define NUMBER(name, member, first, last)                                      \
    {                                                                          \
        name, 1, 1, 0, set_number, FIELD(member), first, last, NULL            \
    }
#define NUMBER16(name, member, first, last)                                    \
    {                                                                          \
        name, 1, 1, 0, set_number16, FIELD(member), first, last, NULL          \
    }
#define CALL(name, least, most, places, handler)                               \
    {                                                                          \
        name, least, most, places, config_options_##handler, 0, 0, 0, NULL     \
    }
#define TUNNEL(name, least, most) CALL(name, least, most, 0, tunnel_option)
#define QUIET(name)                                                            \
    {                                                                          \
        name, 0, CONFIG_TOKENS_MAX, CONFIG_IN_CONNECTION, ignore, 0, 0, 0,     \
            NULL                                                               \
    }
#define IGNORE(name, why)                                                      \
    {                                                                          \
        name, 0, CONFIG_TOKENS_MAX, CONFIG_IN_CONNECTION | CONFIG_AS_BLOCK,    \
            ignore, 0, 0, 0, why                                               \
    }
#define REFUSE(name, why)                                                      \
    {                                                                          \
        name, 0, CONFIG_TOKENS_MAX, CONFIG_IN_CONNECTION | CONFIG_AS_BLOCK,    \
            refuse, 0, 0, 0, why                                               \
    }
#define REFUSE_MODE(name, why)                                                 \
    {                                                                          \
        name, 0, CONFIG_TOKENS_MAX, CONFIG_AS_BLOCK, refuse_mode, 0, 0, 0, why \
    }
#define SCRIPT_MAYBE(name)                                                     \
    {                                                                          \
        name, 0, CONFIG_TOKENS_MAX, CONFIG_IN_CONNECTION, refuse_script, 0, 0, \
            0, "this program runs no scripts"                                  \
    }
#define SCRIPT(name)  REFUSE(name, "this program runs no scripts")
#define PLUGIN(name)  REFUSE(name, "this program loads no foreign code")
#define SERVER(name)  IGNORE(name, "it is a server's option")
#define WRITES(name)  IGNORE(name, "a profile may not say what is written where")
#define PROCESS(name) IGNORE(name, "the system's unit decides how this runs")
#define WINDOWS(name) QUIET(name)

enum {
    BOTH = CONFIG_IN_CONNECTION | CONFIG_AS_BLOCK,
    CONN = CONFIG_IN_CONNECTION,
    BLOCK = CONFIG_AS_BLOCK,
    DAY = 86400,
    ANY = 16, /* arguments */
};

static const struct config_option table[] = {
    /* where to connect to */
    CALL("remote", 1, 3, CONN, remote),
    CALL("proto", 1, 1, CONN, proto),
    CALL("proto-force", 1, 1, 0, proto_force),
    CALL("port", 1, 1, CONN, port),
    CALL("rport", 1, 1, CONN, port),
    CALL("lport", 1, 1, CONN, local_port),
    FLAG("remote-random", remote_random),
    FLAG("remote-random-hostname", remote_random_hostname),
    CALL("connect-timeout", 1, 1, CONN, connect_timeout),
    CALL("server-poll-timeout", 1, 1, CONN, connect_timeout),
    CALL("connect-retry", 1, 2, CONN, connect_retry),
    CALL("connect-retry-max", 1, 1, CONN, connect_retry_max),
    QUIET("resolv-retry"), /* names are asked for until they resolve */
    QUIET("resolve-in-advance"),
    QUIET("preresolve"),
    {"float", 0, 0, CONN, set_flag, FIELD(floating), 0, 0, NULL},
    QUIET("nobind"),
    IGNORE("bind", "a port of the system's choice is always used"),
    IGNORE("local", "the system's routes choose the local address"),
    CALL("http-proxy", 2, 4, CONN, http_proxy),
    CALL("http-proxy-option", 2, 3, CONN, http_proxy_option),
    CALL("http-proxy-user-pass", 1, 1, BOTH, http_proxy_user_pass),
    QUIET("http-proxy-retry"),
    QUIET("http-proxy-timeout"),
    CALL("socks-proxy", 1, 3, CONN, socks_proxy),
    QUIET("socks-proxy-retry"),
    CALL("explicit-exit-notify", 0, 1, CONN, explicit_exit_notify),

    /* the control channel's wrapping */
    CALL("tls-auth", 1, 2, BOTH, tls_auth),
    CALL("tls-crypt", 1, 1, BOTH, tls_crypt),
    CALL("tls-crypt-v2", 1, 2, BOTH, tls_crypt_v2),
    CALL("key-direction", 1, 1, CONN, key_direction),

    /* what kind of profile this is */
    CALL("client", 0, 0, 0, client),
    CALL("tls-client", 0, 0, 0, client),
    FLAG("pull", pull),
    CALL("mode", 1, 1, 0, mode),
    CALL("dev", 1, 1, 0, dev),
    CALL("dev-type", 1, 1, 0, dev_type),
    WINDOWS("dev-node"),
    CALL("compat-mode", 1, 1, 0, compat_mode),
    REFUSE_MODE("tls-server", "it makes the profile a server's"),
    REFUSE_MODE("server", "it makes the profile a server's"),
    REFUSE_MODE("server-ipv6", "it makes the profile a server's"),
    REFUSE_MODE("server-bridge", "it makes the profile a server's"),
    CALL("secret", 1, 2, BLOCK, secret),
    REFUSE("no-replay", "it switches replay protection off"),
    REFUSE("no-iv", "it makes encryption predictable"),

    /* the server's and our identity */
    CALL("ca", 1, 1, BLOCK, ca),
    CALL("cert", 1, 1, BLOCK, cert),
    CALL("key", 1, 1, BLOCK, key),
    CALL("extra-certs", 1, 1, BLOCK, extra_certs),
    CALL("pkcs12", 1, 1, BLOCK, pkcs12),
    CALL("crl-verify", 1, 2, BLOCK, crl_verify),
    CALL("askpass", 0, 1, BLOCK, askpass),
    CALL("peer-fingerprint", 1, 1, BLOCK, peer_fingerprint),
    CALL("remote-cert-tls", 1, 1, 0, remote_cert_tls),
    CALL("remote-cert-ku", 0, ANY, 0, remote_cert_ku),
    CALL("remote-cert-eku", 1, 1, 0, remote_cert_eku),
    CALL("ns-cert-type", 1, 1, 0, ns_cert_type),
    CALL("verify-x509-name", 1, 2, 0, verify_x509_name),
    REFUSE("verify-hash", "fingerprints of a certificate authority are not "
                          "supported; use `peer-fingerprint' or `ca'"),
    REFUSE("tls-remote", "it was removed from OpenVPN; write "
                         "`verify-x509-name NAME name'"),
    REFUSE("capath", "a directory of authorities is not supported; use `ca'"),
    CALL("x509-username-field", 1, ANY, 0, x509_username_field),

    /* TLS */
    CALL("tls-version-min", 1, 2, 0, tls_version_min),
    CALL("tls-version-max", 1, 1, 0, tls_version_max),
    CALL("tls-cert-profile", 1, 1, 0, tls_cert_profile),
    CALL("tls-cipher", 1, 1, 0, tls_cipher),
    CALL("tls-ciphersuites", 1, 1, 0, tls_ciphersuites),
    CALL("tls-groups", 1, 1, 0, tls_groups),
    CALL("ecdh-curve", 1, 1, 0, tls_groups),
    NUMBER("hand-window", hand_window, 1, DAY),
    NUMBER("tran-window", tran_window, 1, DAY),
    NUMBER("tls-timeout", tls_timeout, 1, 3600),
    NUMBER16("max-packet-size", max_packet_size, 154, 2048),
    QUIET("tls-exit"),
    QUIET("single-session"),
    QUIET("key-method"),

    /* the data channel */
    CALL("cipher", 1, 1, 0, cipher),
    CALL("data-ciphers", 1, 1, 0, data_ciphers),
    CALL("ncp-ciphers", 1, 1, 0, data_ciphers),
    CALL("data-ciphers-fallback", 1, 1, 0, data_ciphers_fallback),
    CALL("auth", 1, 1, 0, auth),
    CALL("compress", 0, 1, 0, compress),
    CALL("comp-lzo", 0, 1, 0, comp_lzo),
    CALL("allow-compression", 1, 1, 0, allow_compression),
    CALL("replay-window", 1, 2, 0, replay_window),
    CALL("reneg-sec", 1, 2, 0, reneg_sec),
    {"reneg-bytes", 1, 1, 0, config_options_reneg_limit, FIELD(reneg_bytes), 0,
     0, NULL},
    {"reneg-pkts", 1, 1, 0, config_options_reneg_limit, FIELD(reneg_packets), 0,
     0, NULL},
    QUIET("keysize"), /* the cipher's name says it */
    QUIET("ncp-disable"),
    QUIET("comp-noadapt"),
    QUIET("prng"),
    FLAG("disable-occ", disable_occ),
    QUIET("disable-dco"),

    /* packets */
    CALL("tun-mtu", 1, 2, CONN, tun_mtu),
    CALL("mssfix", 0, 2, CONN, mssfix),
    CALL("fragment", 1, 2, CONN, fragment),
    QUIET("tun-mtu-extra"),
    QUIET("tun-mtu-max"),
    QUIET("link-mtu"),
    QUIET("udp-mtu"),
    QUIET("mtu-disc"),
    QUIET("mtu-test"),
    QUIET("mtu-dynamic"),
    QUIET("sndbuf"), /* the gateway sizes its own buffers */
    QUIET("rcvbuf"),
    QUIET("txqueuelen"),
    QUIET("fast-io"),
    QUIET("multihome"),
    IGNORE("mark", "the system's routes choose the way to the server"),
    IGNORE("bind-dev", "the system's routes choose the way to the server"),
    QUIET("socket-flags"),
    QUIET("passtos"),
    IGNORE("shaper", "traffic is not limited"),

    /* authentication */
    CALL("auth-user-pass", 0, 1, BLOCK, auth_user_pass),
    FLAG("auth-nocache", auth_nocache),
    CALL("auth-retry", 1, 1, 0, auth_retry),
    CALL("static-challenge", 2, 3, 0, static_challenge),
    FLAG("push-peer-info", push_peer_info),
    IGNORE("auth-token", "only a server gives one"),
    IGNORE("auth-token-user", "only a server gives one"),

    /* timers */
    NUMBER("ping", ping, 0, DAY),
    CALL("ping-restart", 1, 1, 0, ping_restart),
    CALL("ping-exit", 1, 1, 0, ping_restart),
    CALL("keepalive", 2, 2, 0, keepalive),
    CALL("inactive", 1, 2, 0, inactive),
    NUMBER("session-timeout", session_timeout, 0, UINT32_MAX),
    QUIET("ping-timer-rem"),
    QUIET("remap-usr1"),

    /* what is in the tunnel */
    TUNNEL("ifconfig", 2, 2),
    TUNNEL("ifconfig-ipv6", 1, 2),
    TUNNEL("topology", 1, 1),
    TUNNEL("route", 1, 4),
    TUNNEL("route-ipv6", 1, 3),
    TUNNEL("route-gateway", 1, 1),
    TUNNEL("route-metric", 1, 1),
    TUNNEL("redirect-gateway", 0, ANY),
    TUNNEL("redirect-private", 0, ANY),
    TUNNEL("block-ipv6", 0, 0),
    TUNNEL("dhcp-option", 1, ANY),
    TUNNEL("dns", 2, ANY),
    FLAG("route-nopull", route_nopull),
    CALL("pull-filter", 2, 2, 0, pull_filter),
    IGNORE("allow-pull-fqdn", "names in pushed routes are not resolved"),
    IGNORE("client-nat", "it would rewrite addresses inside the tunnel"),
    IGNORE("route-noexec", "no route of the system's is changed; what goes "
                           "through the tunnel the server's routes say"),
    IGNORE("ifconfig-noexec", "no device of the system's is configured"),
    QUIET("ifconfig-nowarn"),
    QUIET("route-delay"),
    QUIET("max-routes"),
    QUIET("allow-recursive-routing"),
    QUIET("block-outside-dns"), /* DNS goes nowhere else here */
    QUIET("tun-ipv6"),
    QUIET("persist-tun"), /* the gateway fails closed in any case */
    QUIET("persist-key"),
    QUIET("persist-remote-ip"),
    QUIET("persist-local-ip"),
    IGNORE("lladdr", "there is no TAP device"),

    /* Windows */
    WINDOWS("route-method"),
    WINDOWS("ip-win32"),
    WINDOWS("register-dns"),
    WINDOWS("dhcp-renew"),
    WINDOWS("dhcp-release"),
    WINDOWS("dhcp-pre-release"),
    WINDOWS("dhcp-internal"),
    WINDOWS("tap-sleep"),
    WINDOWS("win-sys"),
    WINDOWS("service"),
    WINDOWS("pause-exit"),
    WINDOWS("show-net-up"),
    WINDOWS("windows-driver"),
    WINDOWS("allow-nonadmin"),
    WINDOWS("rdns-internal"),

    /* how it talks and runs */
    QUIET("verb"),
    QUIET("mute"),
    QUIET("mute-replay-warnings"),
    QUIET("suppress-timestamps"),
    QUIET("machine-readable-output"),
    QUIET("echo"),
    QUIET("parameter"),
    QUIET("setenv-safe"),
    QUIET("gremlin"),
    QUIET("nice"),
    QUIET("mlock"),
    QUIET("daemon"),
    QUIET("syslog"),
    QUIET("errors-to-stderr"),
    QUIET("up-delay"),
    QUIET("up-restart"),
    QUIET("down-pre"),
    WRITES("status"),
    QUIET("status-version"),
    WRITES("log"),
    WRITES("log-append"),
    WRITES("writepid"),
    WRITES("replay-persist"),
    WRITES("tls-export-cert"),
    PROCESS("user"),
    PROCESS("group"),
    PROCESS("chroot"),
    PROCESS("cd"),
    PROCESS("setcon"),
    PROCESS("inetd"),
    PROCESS("tmp-dir"),
    IGNORE("script-security", "this program runs no scripts"),
    IGNORE("keying-material-exporter", "no script would get it"),
    IGNORE("x509-track", "no script would get it"),
    IGNORE("auth-user-pass-optional", "it is a server's option"),

    /* never because a profile asks */
    IGNORE("management", "no management socket is opened"),
    QUIET("management-client"),
    QUIET("management-client-auth"),
    QUIET("management-client-user"),
    QUIET("management-client-group"),
    QUIET("management-external-key"),
    QUIET("management-external-cert"),
    QUIET("management-forget-disconnect"),
    IGNORE("management-hold", "nobody could be waited for: there is no "
                              "management socket"),
    QUIET("management-log-cache"),
    QUIET("management-query-passwords"),
    QUIET("management-query-proxy"),
    QUIET("management-query-remote"),
    QUIET("management-signal"),
    QUIET("management-up-down"),
    SCRIPT_MAYBE("up"),
    SCRIPT_MAYBE("down"),
    SCRIPT("route-up"),
    SCRIPT("route-pre-down"),
    SCRIPT("ipchange"),
    SCRIPT("tls-verify"),
    SCRIPT("client-connect"),
    SCRIPT("client-disconnect"),
    SCRIPT("client-crresponse"),
    SCRIPT("learn-address"),
    SCRIPT("auth-user-pass-verify"),
    SCRIPT("tls-crypt-v2-verify"),
    SCRIPT("dns-updown"),
    SCRIPT("iproute"),
    PLUGIN("plugin"),
    IGNORE("engine", "this program loads no foreign code"),
    IGNORE("providers", "they are OpenSSL's, and this program uses another "
                        "library"),
    PLUGIN("pkcs11-providers"),
    PLUGIN("pkcs11-id"),
    PLUGIN("pkcs11-id-management"),
    PLUGIN("pkcs11-cert-private"),
    PLUGIN("pkcs11-pin-cache"),
    PLUGIN("pkcs11-private-mode"),
    PLUGIN("pkcs11-protected-authentication"),
    REFUSE("cryptoapicert", "the Windows certificate store is not here; use "
                            "`cert' and `key'"),
    REFUSE("config", "a profile is one file; put the other file's lines in"),

    /* servers */
    SERVER("dh"),
    SERVER("push"),
    SERVER("push-remove"),
    SERVER("push-reset"),
    SERVER("client-to-client"),
    SERVER("duplicate-cn"),
    SERVER("client-config-dir"),
    SERVER("ccd-exclusive"),
    SERVER("max-clients"),
    SERVER("max-routes-per-client"),
    SERVER("ifconfig-pool"),
    SERVER("ifconfig-ipv6-pool"),
    SERVER("ifconfig-pool-persist"),
    SERVER("ifconfig-pool-linear"),
    SERVER("ifconfig-push"),
    SERVER("ifconfig-push-constraint"),
    SERVER("ifconfig-ipv6-push"),
    SERVER("iroute"),
    SERVER("iroute-ipv6"),
    SERVER("verify-client-cert"),
    SERVER("client-cert-not-required"),
    SERVER("username-as-common-name"),
    SERVER("auth-gen-token"),
    SERVER("auth-gen-token-secret"),
    SERVER("opt-verify"),
    SERVER("hash-size"),
    SERVER("bcast-buffers"),
    SERVER("tcp-queue-limit"),
    SERVER("tcp-nodelay"),
    SERVER("port-share"),
    SERVER("connect-freq"),
    SERVER("connect-freq-initial"),
    SERVER("disable"),
    SERVER("stale-routes-check"),
    SERVER("vlan-tagging"),
    SERVER("vlan-accept"),
    SERVER("vlan-pvid"),
    SERVER("tls-crypt-v2-max-age"),
    SERVER("force-tls-key-material-export"),
    SERVER("override-username"),
    SERVER("bridge-gateway"),
};

const struct config_option *config_options_table(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

void config_options_apply(struct config_builder *b,
                          const struct config_option *option,
                          struct config_line *line)
{
    size_t arguments = line->is_inline ? 1 : line->tokens->count - 1;
    line->name = option->name;
    if (b->block && !(option->places & CONFIG_IN_CONNECTION)) {
        config_builder_warn(b,
                            "`%s' has no place in <connection> and is "
                            "ignored",
                            option->name);
    } else if (line->is_inline && !(option->places & CONFIG_AS_BLOCK)) {
        config_builder_error(b, "`%s' cannot be a block", option->name);
    } else if (arguments < option->least) {
        config_builder_error(b, "`%s' wants %s%u argument%s", option->name,
                             option->least == option->most ? "" : "at least ",
                             option->least, option->least == 1 ? "" : "s");
    } else {
        if (arguments > option->most)
            config_builder_warn(b,
                                "more than `%s' wants; the rest of the "
                                "line is ignored",
                                option->name);
        option->apply(b, option, line);
    }
}

const struct config_option *config_options_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

const char *config_options_nearest(const char *name)
{
    struct spelling spelling = spelling_of(name);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        spelling_offer(&spelling, table[i].name);
    return spelling.nearest;
}
