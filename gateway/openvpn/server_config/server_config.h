/*
 * A server's configuration, in OpenVPN's own directives. The part in common
 * with a client's profile (TLS, ciphers, timers, the control channel's
 * wrapping) lies in `common`, as config.h has it: the wrapping, the tunnel's
 * MTU and mssfix in its only remote.
 */
#ifndef OPENVPN_SERVER_CONFIG_SERVER_CONFIG_H
#define OPENVPN_SERVER_CONFIG_SERVER_CONFIG_H

#include "gateway/openvpn/config/config.h"

enum {
    SERVER_CONFIG_DEVICE_SIZE = 16,
    SERVER_CONFIG_ROUTES_MAX = 64,
    SERVER_CONFIG_CLIENTS_MAX = 65536,
    SERVER_CONFIG_PUSHES_MAX = 2048,
    SERVER_CONFIG_CLIENT_ROUTES_MAX = 256, /* unless it says otherwise */
    SERVER_CONFIG_PUSH_SIZE = 256,         /* of one option, with its NUL */
};

enum server_config_certificate {
    SERVER_CERTIFICATE_REQUIRED,
    SERVER_CERTIFICATE_OPTIONAL, /* none, or a good one */
    SERVER_CERTIFICATE_NONE,
};

/* One for each protocol, by enum config_protocol. */
enum { SERVER_CONFIG_PROTOCOLS = CONFIG_TCP + 1 };

struct server_config_socket {
    bool open;
    struct endpoint local; /* family NONE: every address of the host */
};

/* How clients see the network that they are in. */
enum server_config_topology {
    SERVER_CONFIG_SUBNET,
    SERVER_CONFIG_NET30, /* a /30 for each, of which two are its ends */
    SERVER_CONFIG_P2P,   /* the other end is the server's own address */
    SERVER_CONFIG_TOPOLOGY_LAST = SERVER_CONFIG_P2P,
};
/* As the directive has it. */
const char *server_config_topology_name(enum server_config_topology t);

struct server_config {
    struct config common;

    /* where clients find it */
    struct server_config_socket sockets[SERVER_CONFIG_PROTOCOLS];
    char device[SERVER_CONFIG_DEVICE_SIZE];

    /* inside the tunnel */
    enum server_config_topology topology;
    struct prefix ipv4; /* the network, in its address the server's own */
    uint32_t pool_first, pool_last; /* host order, both included; 0: none */
    struct prefix ipv6;             /* family NONE: no IPv6 */
    struct address ipv6_first;      /* of the pool; family NONE: no such */
    struct prefix routes[SERVER_CONFIG_ROUTES_MAX]; /* `route' */
    size_t route_count;
    bool keeps_routes; /* route-noexec: they are for its clients only */
    bool keeps_device; /* ifconfig-noexec: somebody else configures it */
    char **pushes;     /* owned; options as a client gets them */
    size_t push_count;
    uint32_t ping, ping_restart; /* s, pushed; the server waits twice as
                                    long */

    /* who may come */
    enum server_config_certificate certificate;
    char *revoked_file; /* owned: where the list in `common` is from, or NULL */
    char *users;        /* owned: a file of names and hashes, or NULL */
    char *helper;       /* owned: the socket of who judges, or NULL */
    char *clients_directory; /* owned: client-config-dir, or NULL */
    bool clients_exclusive;  /* nobody without a file of his own */
    bool username_as_common_name;
    bool tokens;             /* auth-gen-token */
    uint32_t token_lifetime; /* s; 0: without end */
    uint32_t token_renewal;  /* s */
    struct blob token_key;   /* size 0: a new one at each start */
    bool duplicate_cn;
    bool client_to_client;
    bool clients_by_kernel; /* their packets to each other, too */
    uint32_t max_clients;
    uint32_t client_routes_max; /* max-routes-per-client */
    bool exporter_only;         /* nobody whose keys TLS does not export */
    uint32_t first_answers, first_seconds; /* connect-freq-initial */
    uint32_t logins, logins_seconds;       /* connect-freq; 0: any */
    uint32_t wrapped_key_days;             /* tls-crypt-v2-max-age; 0: any */
    bool cookie_only;                      /* tls-crypt-v2 force-cookie */
    struct blob wrapped_key_texts;         /* tls-crypt-v2-metadata: what may
                                                     stand in one, a line each */
    char *pool_file;                       /* owned: ifconfig-pool-persist */
    uint32_t pool_seconds;                 /* between writing it; 0: never */
    char *status_file;                     /* owned: status */
    uint32_t status_seconds;
    uint32_t status_version;
    bool exit_notify;  /* say RESTART at the end ... */
    bool exit_advance; /* ... and go to the next remote */

    /* The bits of a client's IV_PROTO that count; all by default. Not in the
     * file: for tests that want an older server. */
    uint32_t protocol_bits;
};

void server_config_init(struct server_config *c);
void server_config_clear(struct server_config *c); /* wipes */

/* Addresses from one client's to the next's. */
uint32_t server_config_pool_step(const struct server_config *c);
/* How many clients the pool is for. */
uint32_t server_config_pool_count(const struct server_config *c);

/* Can a push message have it as an option? Printable ASCII without a comma,
 * and not too long. */
bool server_config_is_option(const char *text);

static inline const struct config_remote *
server_config_remote(const struct server_config *c)
{
    return &c->common.remotes[0];
}

#endif
