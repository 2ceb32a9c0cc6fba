/*
 * The meaning, to a server, of the directives that are not its own: of a
 * client's profile, of how the process runs, of other platforms. A directive
 * that restricts who comes in, or what clients may do there, is done or
 * refused, and never ignored; every directive of config_options.c stands here
 * or in the server's own table.
 */
#include "gateway/openvpn/server_config/server_config_options.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#define HANDLER(verb) static CONFIG_OPTIONS_HANDLER(verb)

HANDLER(quiet)
{
    (void)b;
    (void)option;
    (void)line;
}

HANDLER(warn)
{
    config_builder_warn(b, "`%s' is ignored: %s", line->name, option->text);
}

HANDLER(refuse)
{
    config_builder_error(b, "`%s' is refused: %s", line->name, option->text);
}

/* It decided who comes in, so that what else is missing for that follows from
 * its being refused. */
HANDLER(refuse_judge)
{
    struct server_config_builder *s = server_config_options_builder(b);
    s->refused_judge = true;
    refuse(b, option, line);
}

HANDLER(push_it)
{
    (void)option;
    config_builder_warn(b,
                        "`%s' is ignored: it is a client's; if it is for the "
                        "clients, write `push \"%s ...\"'",
                        line->name, line->name);
}

HANDLER(refuse_clients)
{
    (void)option;
    config_builder_error(b,
                         "`%s' is a client's option; if it is for the clients, "
                         "write `push \"%s ...\"'",
                         line->name, line->name);
}

HANDLER(dev_type)
{
    (void)option;
    if (strcmp(config_builder_argument(line, 1), "tun") != 0)
        config_builder_error(b, "`dev-type tap' is refused: Ethernet tunnels "
                                "are not supported, only IP (tun)");
}

HANDLER(bind)
{
    (void)option;
    if (config_builder_argument(line, 1))
        config_builder_error(b, "`bind ipv6only' is refused: write `local ::', "
                                "which takes no IPv4");
}

HANDLER(verify_x509_name)
{
    static const char *const kinds[] = {"subject", "name", "name-prefix"};
    const char *kind = config_builder_argument(line, 2);
    bool known = !kind;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        known |= kind && strcmp(kind, kinds[i]) == 0;
    const struct config_option *common = config_options_find(option->name);
    if (known)
        common->apply(b, common, line);
    else
        config_builder_error(b, "`verify-x509-name' wants clients' names: a "
                                "text and one of subject, name, name-prefix");
}

enum { ANY = CONFIG_TOKENS_MAX };

/* As in a profile. */
#define SAME(name)                                                             \
    {                                                                          \
        name, 0, 0, 0, NULL, 0, 0, 0, NULL                                     \
    }
#define CALL(name, least, most, handler)                                       \
    {                                                                          \
        name, least, most, 0, handler, 0, 0, 0, NULL                           \
    }
#define LINE(name, handler, why)                                               \
    {                                                                          \
        name, 0, ANY, CONFIG_AS_BLOCK, handler, 0, 0, 0, why                   \
    }
#define QUIET(name)       LINE(name, quiet, NULL)
#define IGNORE(name, why) LINE(name, warn, why)
#define REFUSE(name, why) LINE(name, refuse, why)
#define JUDGE(name, why)  LINE(name, refuse_judge, why)
#define PUSH(name)        LINE(name, push_it, NULL)
#define CLIENT(name)      LINE(name, refuse_clients, NULL)
#define UNIT(name)                                                             \
    REFUSE(name, "this program runs no scripts; the system's unit can run "    \
                 "one before and behind it (ExecStartPre, ExecStopPost)")
#define PROCESS(name) IGNORE(name, "the system's unit decides how this runs")
#define FOREIGN(name) REFUSE(name, "this program loads no foreign code")
#define ETHERNET(name)                                                         \
    REFUSE(name, "Ethernet tunnels are not supported, only IP")
#define LIBRARY(name) IGNORE(name, "this program uses another library")
#define LOG(name)                                                              \
    IGNORE(name, "the log goes to standard error, and with a unit to its "     \
                 "journal")
#define MANAGER                                                                \
    "no management socket is opened; `status', `kick' and "                    \
    "`update' of this program ask and order it"

static const struct config_option table[] = {
    /* who comes in: done */
    SAME("ca"),
    SAME("cert"),
    SAME("key"),
    SAME("extra-certs"),
    SAME("askpass"),
    SAME("peer-fingerprint"),
    SAME("remote-cert-ku"),
    SAME("remote-cert-eku"),
    CALL("verify-x509-name", 1, 2, verify_x509_name),
    SAME("tls-auth"),
    SAME("tls-crypt"),
    SAME("key-direction"),
    SAME("tls-version-min"),
    SAME("tls-version-max"),
    SAME("tls-cert-profile"),
    SAME("tls-cipher"),
    SAME("tls-ciphersuites"),
    SAME("tls-groups"),
    SAME("ecdh-curve"),
    SAME("data-ciphers"),
    SAME("ncp-ciphers"),
    SAME("data-ciphers-fallback"),
    SAME("auth"),
    SAME("replay-window"),
    SAME("session-timeout"),
    SAME("inactive"),

    /* who comes in: refused */
    SAME("verify-hash"),
    SAME("tls-remote"),
    SAME("capath"),
    SAME("x509-username-field"),
    SAME("no-replay"),
    SAME("no-iv"),
    REFUSE("pkcs12", "write `cert' and `key'"),
    JUDGE("management-client-auth",
          "nobody could be asked who may come in: there is no management "
          "socket; write `user-pass-socket PATH'"),
    JUDGE("plugin",
          "this program loads no foreign code; write `user-pass-file FILE' or "
          "`user-pass-socket PATH' where it checked passwords"),
    REFUSE("management-hold", "nobody could be waited for: there is no "
                              "management socket; start the unit later"),
    REFUSE("management-external-key", "there is no management socket; write "
                                      "`key'"),
    REFUSE("management-external-cert", "there is no management socket; write "
                                       "`cert'"),
    REFUSE("tls-verify",
           "this program runs no scripts; `crl-verify', `verify-x509-name' and "
           "`ccd-exclusive' say who may come in"),
    REFUSE("learn-address",
           "this program runs no scripts; a client's file of "
           "`client-config-dir' says which address it may have"),
    REFUSE(
        "client-disconnect",
        "this program runs no scripts; `status' shows the clients that are in"),
    REFUSE("client-crresponse", "this program runs no scripts; write "
                                "`user-pass-socket PATH'"),
    REFUSE("ifconfig-push-constraint",
           "addresses of `ifconfig-push' lie in the network of `server' in any "
           "case; leave it out, or `server' as narrow as it is"),
    REFUSE("opt-verify", "clients' options are not compared; leave it out, as "
                         "OpenVPN does from 2.7 on"),
    REFUSE("single-session",
           "a client that comes again takes its session's place; "
           "`connect-freq' and `max-clients' bound them"),
    REFUSE("bind-dev", "write `local ADDRESS' with an address of that "
                       "interface"),
    REFUSE("shaper", "traffic is not limited; tc(8) can do it at the device"),
    REFUSE("client-nat", "addresses are not rewritten; nft(8) can do it"),
    REFUSE("nobind", "a server is found at its port"),
    REFUSE("config", "a configuration is one file; put the other file's lines "
                     "in"),
    REFUSE("connection", "it is a client's block; a server has `local'"),
    CALL("bind", 0, 1, bind),
    CALL("dev-type", 1, 1, dev_type),
    ETHERNET("vlan-accept"),
    ETHERNET("vlan-pvid"),
    ETHERNET("bridge-gateway"),
    ETHERNET("lladdr"),

    /* a client's */
    CLIENT("client"),
    CLIENT("tls-client"),
    CLIENT("pull"),
    CLIENT("remote"),
    CLIENT("auth-user-pass"),
    CLIENT("http-proxy"),
    CLIENT("socks-proxy"),
    CLIENT("redirect-gateway"),
    CLIENT("redirect-private"),
    CLIENT("route-nopull"),
    PUSH("dhcp-option"),
    PUSH("dns"),
    PUSH("route-gateway"),
    PUSH("route-metric"),
    PUSH("block-outside-dns"),
    PUSH("register-dns"),
    PUSH("ping-exit"),
    PUSH("auth-token"),
    PUSH("auth-token-user"),
#define OF_CLIENT(name) IGNORE(name, "it is a client's")
    OF_CLIENT("auth-retry"),
    OF_CLIENT("connect-retry"),
    OF_CLIENT("connect-retry-max"),
    OF_CLIENT("connect-timeout"),
    OF_CLIENT("server-poll-timeout"),
    OF_CLIENT("proto-force"),
    OF_CLIENT("pull-filter"),
    OF_CLIENT("remote-random"),
    OF_CLIENT("remote-random-hostname"),
    OF_CLIENT("rport"),
    OF_CLIENT("static-challenge"),
    OF_CLIENT("push-peer-info"),
    OF_CLIENT("allow-pull-fqdn"),
    OF_CLIENT("http-proxy-option"),
    OF_CLIENT("http-proxy-user-pass"),
    OF_CLIENT("http-proxy-retry"),
    OF_CLIENT("http-proxy-timeout"),
    OF_CLIENT("socks-proxy-retry"),
    OF_CLIENT("auth-nocache"),
    QUIET("resolv-retry"),
    QUIET("resolve-in-advance"),
    QUIET("preresolve"),

    /* the tunnel and its packets */
    SAME("tun-mtu"),
    SAME("fragment"),
    SAME("mssfix"),
    SAME("max-packet-size"),
    SAME("hand-window"),
    SAME("tran-window"),
    SAME("tls-timeout"),
    SAME("reneg-sec"),
    SAME("reneg-bytes"),
    SAME("reneg-pkts"),
    SAME("disable-occ"),
    QUIET("float"), /* once a packet of the new place is proven */
    QUIET("tun-mtu-extra"),
    QUIET("tun-mtu-max"),
    QUIET("link-mtu"),
    QUIET("udp-mtu"),
    QUIET("mtu-disc"),
    QUIET("mtu-test"),
    QUIET("mtu-dynamic"),
    QUIET("sndbuf"),
    QUIET("rcvbuf"),
    QUIET("txqueuelen"),
    QUIET("fast-io"),
    QUIET("multihome"),
    QUIET("socket-flags"),
    QUIET("passtos"),
    IGNORE("mark", "packets of the tunnel are not marked; nft(8) knows them by "
                   "their port"),
    QUIET("keysize"),
    QUIET("key-method"),
    QUIET("comp-noadapt"),
    QUIET("prng"),
    IGNORE("ncp-disable", "the cipher is agreed on with each client"),
    QUIET("disable-dco"),
    QUIET("tls-exit"),
    QUIET("ping-timer-rem"),
    QUIET("remap-usr1"),
    QUIET("stale-routes-check"),
    QUIET("ifconfig-nowarn"),
    QUIET("max-routes"),
    QUIET("route-delay"),
    QUIET("allow-recursive-routing"),
    QUIET("tun-ipv6"),
    QUIET("persist-tun"),
    QUIET("persist-key"),
    QUIET("persist-remote-ip"),
    QUIET("persist-local-ip"),
    IGNORE("auth-user-pass-optional",
           "a client without a name and a password does not come in"),

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
    QUIET("script-security"), /* each script is named */
    LOG("log"),
    LOG("log-append"),
    IGNORE("writepid", "the system's unit knows its process"),
    IGNORE("replay-persist", "it is not written"),
    IGNORE("tls-export-cert", "no script would get it"),
    IGNORE("keying-material-exporter", "no script would get it"),
    IGNORE("x509-track", "no script would get it"),
    PROCESS("user"),
    PROCESS("group"),
    PROCESS("chroot"),
    PROCESS("cd"),
    PROCESS("setcon"),
    PROCESS("inetd"),
    PROCESS("tmp-dir"),
    IGNORE("management", MANAGER),
    QUIET("management-client"), /* with `management' */
    QUIET("management-client-user"),
    QUIET("management-client-group"),
    QUIET("management-forget-disconnect"),
    QUIET("management-log-cache"),
    QUIET("management-query-passwords"),
    QUIET("management-query-proxy"),
    QUIET("management-query-remote"),
    QUIET("management-signal"),
    QUIET("management-up-down"),
    UNIT("up"),
    UNIT("down"),
    UNIT("route-up"),
    UNIT("route-pre-down"),
    UNIT("ipchange"),
    UNIT("dns-updown"),
    UNIT("iproute"),
    LIBRARY("engine"),
    LIBRARY("providers"),
    FOREIGN("pkcs11-providers"),
    FOREIGN("pkcs11-id"),
    FOREIGN("pkcs11-id-management"),
    FOREIGN("pkcs11-cert-private"),
    FOREIGN("pkcs11-pin-cache"),
    FOREIGN("pkcs11-private-mode"),
    FOREIGN("pkcs11-protected-authentication"),
    SAME("cryptoapicert"),

    /* Windows */
    QUIET("dev-node"),
    QUIET("route-method"),
    QUIET("ip-win32"),
    QUIET("dhcp-renew"),
    QUIET("dhcp-release"),
    QUIET("dhcp-pre-release"),
    QUIET("dhcp-internal"),
    QUIET("tap-sleep"),
    QUIET("win-sys"),
    QUIET("service"),
    QUIET("pause-exit"),
    QUIET("show-net-up"),
    QUIET("windows-driver"),
    QUIET("allow-nonadmin"),
    QUIET("rdns-internal"),
};

const struct config_option *server_config_options_other(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name))
            return table[i].apply ? &table[i] : config_options_find(name);
    return NULL;
}
