/*
 * The command line of `vpn-gateway run` as one plain struct. Strings borrow
 * from argv.
 */
#ifndef PROCESS_SETTINGS_H
#define PROCESS_SETTINGS_H

#include "gateway/base/address.h"
#include "gateway/link/xen/vchan.h"

enum { SETTINGS_DOWNSTREAMS_MAX = 128, SETTINGS_INTERFACE_SIZE = 16 };

#define SETTINGS_CONTROL_DEFAULT  "/run/vpn-gateway/control"
#define SETTINGS_PROFILES_DEFAULT "/rw/config/vpn-gateway"
#define SETTINGS_QUBESDB_DEFAULT  "/var/run/qubes/qubesdb.sock"

enum downstream_kind { DOWNSTREAM_TAP, DOWNSTREAM_VCHAN, DOWNSTREAM_XEN };

/* One --downstream SPEC; of the rest XEN has nothing. */
struct downstream {
    enum downstream_kind kind;
    char interface[SETTINGS_INTERFACE_SIZE]; /* of a TAP */
    uint32_t domain;                         /* of a vchan's qube */
    char path[VCHAN_PATH_SIZE];              /* below its home in xenstore */
    struct address ipv4;
    struct address ipv6;    /* or unset */
    struct address gateway; /* as the qube knows us; or unset */
    uint8_t mac[6];         /* all zero: learnt */
};

struct settings {
    const char *profile;  /* NULL: dom0 names one */
    const char *profiles; /* the directory of those */
    const char *qubesdb;  /* a socket's path, "vchan", or NULL: none */
    const char *rules;    /* or NULL */
    const char *control;
    const char *announce; /* or NULL */
    const char *pcap;     /* or NULL */
    bool no_sandbox, require_wall;
    bool verbose; /* whatever dom0 says about it */
    size_t downstream_count;
    struct downstream downstreams[SETTINGS_DOWNSTREAMS_MAX];
};

/* Reads the arguments behind `run`. On false, *why is a sentence. */
MUST_USE bool settings_parse(int argc, char **argv, struct settings *out,
                             const char **why);

/* Something of it is reached over a vchan. */
bool settings_name_vchan(const struct settings *s);

/* On a machine with Xen's grant device "xen" is the default. */
#define SETTINGS_XEN_DEVICE "/dev/xen/gntdev"

/* "tap:IFNAME,ip=A[,ip6=A][,gw=A][,mac=M]", "vchan:DOMID:PATH,ip=A..." or
 * "xen". */
MUST_USE bool settings_parse_downstream(const char *spec,
                                        struct downstream *out,
                                        const char **why);

/* "DOMID:PATH": another domain, and where in its part of xenstore, or ours. */
MUST_USE bool settings_parse_place(struct bytes text, uint32_t *domain,
                                   char path[VCHAN_PATH_SIZE],
                                   const char **why);

#endif
