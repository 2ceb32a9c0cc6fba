/*
 * A profile as data: what config_parser read out of an .ovpn file, with the
 * defaults of OpenVPN 2.6 where the file is silent. Heap strings and blobs
 * are owned; NULL or size 0 means absent. Everything downstream borrows it.
 */
#ifndef OPENVPN_CONFIG_CONFIG_H
#define OPENVPN_CONFIG_CONFIG_H

#include "gateway/base/address.h"
#include "gateway/base/blob.h"

enum config_protocol { CONFIG_UDP, CONFIG_TCP };

enum config_wrap {
    CONFIG_WRAP_NONE,
    CONFIG_WRAP_TLS_AUTH,
    CONFIG_WRAP_TLS_CRYPT,
    CONFIG_WRAP_TLS_CRYPT_V2,
};

enum config_tls_version {
    CONFIG_TLS_ANY,
    CONFIG_TLS_1_0,
    CONFIG_TLS_1_1,
    CONFIG_TLS_1_2,
    CONFIG_TLS_1_3
};

/* OpenVPN's default is legacy, and so is ours: old providers' chains must go
 * on working. */
enum config_cert_profile {
    CONFIG_PROFILE_LEGACY,    /* SHA-1, RSA 1024: old providers' chains */
    CONFIG_PROFILE_PREFERRED, /* SHA-2, RSA 2048, P-256 */
    CONFIG_PROFILE_SUITEB,
    CONFIG_PROFILE_INSECURE
};

enum config_name_type {
    CONFIG_NAME_NONE,
    CONFIG_NAME_SUBJECT, /* the whole DN */
    CONFIG_NAME_CN,
    CONFIG_NAME_PREFIX /* of the CN */
};

enum config_auth_retry {
    CONFIG_RETRY_NONE,
    CONFIG_RETRY_NOINTERACT,
    CONFIG_RETRY_INTERACT
};

/* none; prefix FA; byte swap with FB; stub-v2 (openvpn: comp.h) */
enum config_compression {
    CONFIG_COMPRESSION_NONE,
    CONFIG_COMPRESSION_LZO,  /* FA framing, LZO accepted on receive */
    CONFIG_COMPRESSION_STUB, /* swap */
    CONFIG_COMPRESSION_STUB_V2,
};

enum config_pull_action {
    CONFIG_PULL_ACCEPT,
    CONFIG_PULL_IGNORE,
    CONFIG_PULL_REJECT
};

enum {
    CONFIG_HOST_SIZE = 256,
    CONFIG_CIPHERS_SIZE = 256,
    CONFIG_REMOTES_MAX = 256,
    CONFIG_CREDENTIAL_SIZE = 4096,
    CONFIG_KU_REQUIRED = 0xffff,
};

enum config_proxy_kind {
    CONFIG_PROXY_NONE,
    CONFIG_PROXY_HTTP,
    CONFIG_PROXY_SOCKS
};

struct config_proxy {
    enum config_proxy_kind kind;
    char host[CONFIG_HOST_SIZE];
    uint16_t port;
    char *username; /* owned */
    char *password; /* owned, wiped */
    char *headers;  /* owned, HTTP: more header lines, each with its CRLF */
    bool http_1_1;  /* `http-proxy-option VERSION 1.1`; else 1.0 */
};

/* One place to connect to: a `remote` line or a <connection> block. */
struct config_remote {
    char host[CONFIG_HOST_SIZE]; /* name or literal address */
    uint16_t port;
    enum config_protocol protocol;
    enum address_family family; /* ADDRESS_NONE: either */
    uint32_t connect_timeout;   /* s */
    uint16_t tun_mtu;
    int32_t mssfix;         /* -1: default, 0: off */
    bool mssfix_with_outer; /* `mssfix n mtu`: n counts IP and transport too */
    bool mssfix_fixed;      /* `mssfix n fixed`: n is an inner packet's size */
    uint16_t fragment;      /* UDP: the largest datagram; 0: none is cut */
    bool fragment_with_outer; /* `fragment n mtu`: as with mssfix */
    bool explicit_exit_notify;
    bool floating; /* UDP: the server may move while connected */
    struct config_proxy proxy;
    /* wrapping, which a <connection> may override */
    enum config_wrap wrap;
    int key_direction; /* -1: both ways alike */
    struct blob wrap_key;
};

struct config_pull_filter {
    enum config_pull_action action;
    char *prefix; /* owned */
};

/* Says in one sentence what was ignored, malformed or refused. */
typedef void config_note(void *context, const char *text);

struct config {
    char *path; /* of the profile, for messages */

    /* finding a server */
    struct config_remote *remotes;
    size_t remote_count;
    bool remote_random;
    bool remote_random_hostname;
    bool floating;               /* all of them */
    uint32_t connect_retry;      /* s */
    uint32_t connect_retry_max;  /* s, cap of the back-off; 0: not said */
    uint32_t connect_cycles_max; /* 0: for ever */

    /* TLS */
    struct blob ca, cert, key, extra_certs, pkcs12, crl;
    struct blob key_password;  /* from askpass inline; asked for else */
    struct blob *fingerprints; /* SHA-256, 32 bytes each */
    size_t fingerprint_count;
    enum config_tls_version tls_version_min, tls_version_max;
    enum config_cert_profile cert_profile;
    char *tls_cipher, *tls_ciphersuites, *tls_groups; /* colon lists */
    bool remote_cert_tls_server;
    bool remote_cert_tls_client; /* of a server */
    bool ns_cert_type_server;
    /* Key usage bit masks, any of them; CONFIG_KU_REQUIRED: the extension must
     * be there, whatever it says. */
    uint16_t *remote_cert_ku;
    size_t remote_cert_ku_count;
    char *remote_cert_eku; /* name or OID */
    enum config_name_type name_type;
    char *name;

    /* Instead of all that: the key of a tunnel without TLS, see
     * session_static.h; `cipher` and `auth` are its own then. */
    struct blob static_key;
    int static_key_direction; /* -1: both ways alike */
    bool disable_occ;         /* no questions to the peer */

    /* data channel */
    char data_ciphers[CONFIG_CIPHERS_SIZE]; /* colon list, upper case */
    char cipher[32];                        /* `cipher`, upper case, or "" */
    char data_ciphers_fallback[32];
    char auth[32]; /* digest, upper case; default SHA1 */
    enum config_compression compression;
    bool compression_lz4;     /* the profile names it */
    bool compression_set;     /* the profile said something about it */
    bool compression_refused; /* allow-compression no */
    uint32_t replay_packets, replay_seconds;
    uint32_t reneg_seconds;                         /* 0: off */
    uint64_t reneg_bytes, reneg_packets;            /* 0: off */
    uint32_t hand_window, tran_window, tls_timeout; /* s */

    /* authentication */
    bool auth_user_pass;       /* the server wants a name and a password */
    char *username, *password; /* from the file or inline; asked for else */
    bool auth_nocache;
    enum config_auth_retry auth_retry;
    char *static_challenge; /* text, or NULL */
    bool static_challenge_echo;
    bool static_challenge_concat;

    /* tunnel; what is pushed comes on top */
    bool pull;
    bool route_nopull;
    struct config_pull_filter *pull_filters;
    size_t pull_filter_count;
    char **options; /* ifconfig, route, dhcp-option, ... lines of the profile,
                       tokenised later like pushed ones */
    size_t option_count;
    uint32_t ping, ping_restart; /* s, 0: off */
    bool ping_restart_set;
    uint32_t inactive; /* s */
    uint64_t inactive_bytes;
    uint32_t session_timeout;
    uint16_t max_packet_size; /* control packets */

    /* what is told to the server */
    bool push_peer_info;
    char **peer_info; /* UV_ and IV_ settings, "NAME=VALUE" */
    size_t peer_info_count;
};

/* The defaults; owns nothing yet. */
void config_init(struct config *c);
/* The same for one remote: no host, port 1194, UDP. */
void config_remote_init(struct config_remote *r);
void config_remote_clear(struct config_remote *r);
/* A copy of a text for `config` to own; false when memory is short,
 * and then the old value stays. The old value is wiped and freed. */
MUST_USE bool config_set_text(char **field, struct bytes text);

/* The framing that an argument of `compress` (NULL: none) asks for. False if
 * there is no such thing. */
MUST_USE bool config_compression_named(const char *argument,
                                       enum config_compression *out);

static inline bool config_is_static(const struct config *c)
{
    return c->static_key.size > 0;
}

/* Frees and wipes. */
void config_clear(struct config *c);

#endif
