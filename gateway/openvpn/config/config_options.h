/*
 * Every option that a profile may hold, in one table: its name, how many
 * arguments it has, where it may stand, and what is done with it or why not.
 */
#ifndef OPENVPN_CONFIG_CONFIG_OPTIONS_H
#define OPENVPN_CONFIG_CONFIG_OPTIONS_H

#include "gateway/openvpn/config/config_builder.h"

struct config_option;
typedef void config_option_handler(struct config_builder *b,
                                   const struct config_option *option,
                                   const struct config_line *line);

/* The beginning of a handler's definition. */
#define CONFIG_OPTIONS_HANDLER(name)                                           \
    void name(struct config_builder *b, const struct config_option *option,    \
              const struct config_line *line)

enum config_place {
    CONFIG_IN_PROFILE = 0,
    CONFIG_IN_CONNECTION = 1 << 0, /* also in a <connection> block */
    CONFIG_AS_BLOCK = 1 << 1,      /* also as <name> ... </name> */
};

struct config_option {
    const char *name;
    uint8_t least, most; /* arguments */
    uint8_t places;      /* bits of enum config_place */
    config_option_handler *apply;
    size_t field;         /* offset in struct config, for simple handlers */
    uint32_t first, last; /* range of a number */
    const char *text;     /* the reason, of what is ignored or refused */
};

/* Does what the option says, if it stands where it may and has as many
 * arguments as it wants; the line's name becomes the option's. */
void config_options_apply(struct config_builder *b,
                          const struct config_option *option,
                          struct config_line *line);

/* By exact name; NULL if there is none. */
const struct config_option *config_options_find(const char *name);
/* The option that a mistyped name may have meant, or NULL. */
const char *config_options_nearest(const char *name);
/* For tests: the whole table. */
const struct config_option *config_options_table(size_t *count);

/* config_options_connection.c: where to connect to */
config_option_handler config_options_remote, config_options_proto,
    config_options_proto_force, config_options_port, config_options_local_port,
    config_options_connect_timeout, config_options_connect_retry,
    config_options_connect_retry_max, config_options_tun_mtu,
    config_options_mssfix, config_options_fragment,
    config_options_explicit_exit_notify, config_options_http_proxy,
    config_options_http_proxy_option, config_options_http_proxy_user_pass,
    config_options_socks_proxy, config_options_tls_auth,
    config_options_tls_crypt, config_options_tls_crypt_v2,
    config_options_key_direction, config_options_secret;

/* config_options_tls.c: who the server is, and who we are */
config_option_handler config_options_ca, config_options_cert,
    config_options_key, config_options_extra_certs, config_options_pkcs12,
    config_options_crl_verify, config_options_askpass,
    config_options_peer_fingerprint, config_options_tls_version_min,
    config_options_tls_version_max, config_options_tls_cert_profile,
    config_options_tls_cipher, config_options_tls_ciphersuites,
    config_options_tls_groups, config_options_remote_cert_tls,
    config_options_remote_cert_ku, config_options_remote_cert_eku,
    config_options_ns_cert_type, config_options_verify_x509_name,
    config_options_x509_username_field;

/* config_options_tunnel.c: ciphers, credentials, and what is in the tunnel */
config_option_handler config_options_client, config_options_mode,
    config_options_dev, config_options_dev_type, config_options_cipher,
    config_options_data_ciphers, config_options_data_ciphers_fallback,
    config_options_auth, config_options_compress, config_options_comp_lzo,
    config_options_allow_compression, config_options_replay_window,
    config_options_reneg_sec, config_options_reneg_limit,
    config_options_auth_user_pass, config_options_auth_retry,
    config_options_static_challenge, config_options_pull_filter,
    config_options_keepalive, config_options_ping_restart,
    config_options_inactive, config_options_compat_mode,
    config_options_tunnel_option;

#endif
