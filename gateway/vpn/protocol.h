/*
 * The door of a VPN protocol: a const struct of functions per kind, behind it a
 * client core without I/O. The core is told what happened and when; it says
 * what is to be done. It owns no socket, reads no clock, opens no file. The
 * rooms above (vpn, dom0, control) know a protocol by this page alone, and a
 * protocol knows nothing else of them.
 *
 *   recognises -> read -> overlay -> make -> start -> inputs ... -> free
 *
 * After each input, open() included, the caller does
 * `while (poll(p, &action)) perform(&action)` and sets its timer to
 * deadline(), which lies in the past while poll() has something to say. After
 * seal() it only sets the timer: packets are on their way, which is no time to
 * change the tunnel in. No input is given from inside of poll(). Pointers in
 * an action are valid until the next call of any kind.
 *
 * UP and DOWN and the state are two things. UP says that the router may send
 * and that seal() takes packets; the state says what a person reads. So a
 * protocol may be UP without a key, and hold packets until it has one; it may
 * be UP and still CONNECTING, as long as nothing has come back; and it may go
 * DOWN, try on by itself, and come UP again without CONNECT or DISCONNECT in
 * between.
 *
 * Peers are numbered: an endpoint's number is the protocol's own choice, below
 * PROTOCOL_ENDPOINTS_MAX. A protocol with one server at a time uses 0. The
 * caller keeps one address for each number (CONNECT, AIM); a datagram that
 * leaves names its number, one that came has its source in the burst. Only
 * the protocol knows which datagram was authentic, so it alone moves an
 * endpoint, by AIM.
 */
#ifndef VPN_PROTOCOL_H
#define VPN_PROTOCOL_H

#include "gateway/base/address.h"
#include "gateway/base/blob.h"
#include "gateway/base/drop.h"
#include "gateway/base/instant.h"
#include "gateway/base/tunnel.h"
#include "gateway/base/vpn_state.h"
#include "gateway/packet/burst.h"

enum {
    PROTOCOL_HOST_SIZE = 256,
    PROTOCOL_USERNAME_SIZE = 256,
    PROTOCOL_WHY_SIZE = 256,
    PROTOCOL_WAITING_SIZE = 512,
    PROTOCOL_SERVERS_MAX = 8, /* in an overlay */
    PROTOCOL_ENDPOINTS_MAX = BURST_ENDPOINTS_MAX,
    PROTOCOL_FACTS_MAX = 16,
};

struct protocol_kind;

/* --- Servers ------------------------------------------------------------- */

enum protocol_transport {
    PROTOCOL_ANY_TRANSPORT, /* in an overlay alone: the profile's */
    PROTOCOL_UDP,
    PROTOCOL_TCP,
};

enum protocol_proxy_kind {
    PROTOCOL_PROXY_NONE,
    PROTOCOL_PROXY_HTTP, /* carries TCP alone */
    PROTOCOL_PROXY_SOCKS,
};

/* Text is borrowed: NULL means absent. */
struct protocol_proxy {
    enum protocol_proxy_kind kind;
    const char *host; /* name or literal address */
    uint16_t port;
    const char *username, *password;
    const char *headers; /* HTTP: more lines, each with its CRLF */
    bool http_1_1;
};

/* One place to connect to. */
struct protocol_server {
    const char *host; /* name or literal address; NULL: the peer speaks first */
    uint16_t port;
    enum protocol_transport transport;
    enum address_family family; /* NONE: either */
    struct protocol_proxy proxy;
    /* UDP without a proxy: it may move, or several endpoints are in force. Its
     * uplink takes what anybody sends, and sends where AIM says. */
    bool moves;
};

/* --- Profiles ------------------------------------------------------------ */

enum protocol_severity { PROTOCOL_ERROR, PROTOCOL_WARNING, PROTOCOL_NOTE };

/* The destination of the content of a file that a profile names. */
enum protocol_fate {
    PROTOCOL_FATE_STAYS,
    PROTOCOL_FATE_SHOWN,  /* to the server: who we are */
    PROTOCOL_FATE_SERVER, /* sent there: name and password */
    PROTOCOL_FATE_PROXY,  /* sent there */
};

struct protocol_reference {
    const char *path, *option; /* as the profile has them */
    unsigned line;
    enum protocol_fate fate;
    const char *use; /* the same for a person, a constant text: "it is shown to
                        the server" */
};

/* `line` is 0 for what concerns the whole profile. `text` is one sentence
 * without a line feed, valid during the call; it never holds a secret. */
typedef void protocol_report(void *context, enum protocol_severity severity,
                             unsigned line, const char *text);

/* The reader's needs of the world. */
struct protocol_reader {
    void *context;
    protocol_report *report;
    /* The file that a profile names, relative to it; *out is the caller's, from
     * the heap. NULL, or a phrase that says why it cannot be read. */
    const char *(*read_file)(void *context,
                             const struct protocol_reference *reference,
                             struct blob *out);
};

/* First member of every kind's profile. */
struct protocol_profile {
    const struct protocol_kind *kind;
    /* In the order of their use, with the overlay on them; the profile's. */
    const struct protocol_server *servers;
    size_t server_count;
    const char *username; /* or NULL */
};

/* Settings that stand above a profile. A member that is 0 or "" is the
 * profile's. */
struct protocol_overlay_server {
    char host[PROTOCOL_HOST_SIZE];
    uint16_t port;
    enum protocol_transport transport;
};

struct protocol_overlay {
    size_t server_count;
    struct protocol_overlay_server servers[PROTOCOL_SERVERS_MAX];
    enum protocol_proxy_kind proxy;
    struct protocol_overlay_server proxy_server; /* without a transport */
    char username[PROTOCOL_USERNAME_SIZE];
};

/* --- A protocol at work -------------------------------------------------- */

/* The core's needs of the world besides time. */
struct protocol_env {
    void *context;
    /* Cryptographic randomness; cannot fail. */
    void (*random)(void *context, uint8_t *out, size_t size);
    /* The wall clock, nanoseconds since 1970. It may be wrong, and jump. */
    int64_t (*wall_clock)(void *context);
    /* The latest wall clock that a server was told, 0 at first. The protocol
     * reads and writes it; it lives longer than the protocol, so that stamps
     * never fall, whatever the clock does in between. */
    int64_t *latest_stamp;
};

/* First member of every protocol. */
struct protocol {
    const struct protocol_kind *kind;
    struct protocol_profile *profile; /* that it was made of; the protocol's */
};

enum protocol_action_type {
    PROTOCOL_ACTION_RESOLVE,    /* look up the host of `server`, or of its
                                   proxy if it has one, and say resolved() for
                                   `endpoint`. Takes the place of a question
                                   for the same endpoint */
    PROTOCOL_ACTION_CONNECT,    /* open an uplink to `server` at `to`, its
                                   proxy's address if it has one, where
                                   datagrams for `endpoint` go. Then say
                                   connected() or failed(). One that stands is
                                   closed before */
    PROTOCOL_ACTION_AIM,        /* datagrams for `endpoint` go to `to` from now
                                   on; `to` of family NONE: nowhere. For an
                                   uplink to a server that `moves`, at any
                                   time after its CONNECT, which forgets the
                                   aims before it */
    PROTOCOL_ACTION_SEND,       /* one datagram, `bytes`, to `endpoint`, with
                                   `tos` in its outer header */
    PROTOCOL_ACTION_DISCONNECT, /* close the uplink and ask nothing more */
    PROTOCOL_ACTION_UP,         /* the tunnel stands: `tunnel`. Comes again when
                                   it is another */
    PROTOCOL_ACTION_DOWN,       /* it no longer does; `text` says why, or is
                                   NULL after an order */
    PROTOCOL_ACTION_ASK,        /* a person has to answer `text`, by
                                   credentials() */
    PROTOCOL_ACTION_STOPPED,    /* for good; `text` says why, or is NULL after
                                   stop(). An end of UP, too */
};

struct protocol_action {
    enum protocol_action_type type;
    uint8_t endpoint;                     /* RESOLVE, CONNECT, AIM, SEND */
    uint8_t tos;                          /* SEND */
    const struct protocol_server *server; /* RESOLVE, CONNECT */
    struct endpoint to;                   /* CONNECT, AIM */
    struct bytes bytes;                   /* SEND */
    const struct tunnel *tunnel;          /* UP */
    const char *text;                     /* DOWN, ASK, STOPPED */
};

/* A sign that a datagram of ours did not arrive. ICMP may be forged: it is a
 * hint, and never an end. */
enum protocol_refusal {
    PROTOCOL_REFUSED_PORT,        /* ICMP: nobody listens there */
    PROTOCOL_REFUSED_UNREACHABLE, /* ICMP: no way to the host or its network */
    PROTOCOL_REFUSED_PROHIBITED,  /* ICMP: a firewall on the way */
    PROTOCOL_REFUSED_NO_ROUTE,    /* this machine has no way there */
    PROTOCOL_REFUSED_DENIED,      /* a firewall of this machine */
};

/* In describe(): of the server where anybody could pretend to be it. */
#define PROTOCOL_NOT_VERIFIED "not verified"

/* A fact that only one protocol knows, for a person: ("cipher", "AES-256-GCM").
 * Names are lower case with _ for a blank, and the same in every call. */
struct protocol_fact {
    const char *name, *value;
};

/* For `status`. Text is borrowed until the next call. */
struct protocol_status {
    enum vpn_state state;      /* never BLOCKED */
    struct instant since;      /* of this state */
    struct instant next_try;   /* WAITING_TO_RETRY: when; else NEVER */
    struct instant wanted_try; /* WAITING_TO_RETRY: when a qube's wish may bring
                                  it forward to; NEVER: it may not */
    struct instant asked_try;  /* WAITING_TO_RETRY: not before, says the server;
                                  NEVER: it said nothing */
    struct protocol_server server; /* host NULL: none */
    const char *server_name;       /* as it has proved, or NULL */
    struct instant last_received;  /* anything authentic, while UP; or NEVER */
    const char *last_error;        /* why it is not connected, or NULL */
    const char *warning; /* what is wrong although it is connected, or NULL */
    bool wants_username, wants_password; /* in answer to ASK */
    bool wants_response;                 /* to a challenge */
    bool response_shown;                 /* while it is typed; else secret */
    const struct tunnel *tunnel;         /* while UP; or NULL */
    uint64_t packets_sealed, packets_opened;
    uint64_t bytes_sealed, bytes_opened; /* inner bytes */
    uint64_t handshakes;                 /* that came to an end */
    uint64_t reconnects; /* attempts or tunnels given up, for whatever reason */
    uint64_t answers;    /* attempts in which the server said anything, as far
                            as they are over */
    uint64_t rounds; /* times all servers failed since the tunnel was up; each
                        is the turn of another profile, if there is one */
    const struct drop_counters *drops;
    size_t fact_count;
    struct protocol_fact facts[PROTOCOL_FACTS_MAX];
};

struct protocol_kind {
    const char *name; /* for people: "OpenVPN" */
    /* The setting that sends everything through a tunnel that the server gave
     * no route to, for a person: "`redirect-gateway def1' in the profile". Or
     * NULL. */
    const char *takes_all;

    /* Whether a file is a profile of this protocol, by its content and not its
     * name; cheap, and true of a damaged one. */
    bool (*recognises)(struct bytes text);
    /* Reads a profile. Every problem is reported; *usable is true if none was
     * an error. A profile that is not usable may only be shown by describe()
     * and freed. NULL, with an error reported, where there is nothing to show.
     * Nothing of `text` and `path` is borrowed. */
    struct protocol_profile *(*read)(struct bytes text, const char *path,
                                     const struct protocol_reader *reader,
                                     bool *usable);
    /* The rest of `check`: keys and certificates as make() would take them.
     * Problems are reported; false if one was an error. `unix_time`, s, is for
     * what has a date. */
    bool (*verify)(const struct protocol_profile *profile, int64_t unix_time,
                   const struct protocol_env *env,
                   const struct protocol_reader *reader);
    /* A profile in a few lines for a person; nothing secret. */
    void (*describe)(const struct protocol_profile *profile,
                     void (*line)(void *context, const char *topic,
                                  const char *text),
                     void *context);
    /* Puts settings over a profile. False, and the profile is not to be used:
     * *why, a constant text, is for the person who made the settings. */
    bool (*overlay)(struct protocol_profile *profile,
                    const struct protocol_overlay *overlay, const char **why);
    /* Frees and wipes; NULL is none. */
    void (*forget)(struct protocol_profile *profile);

    /* Takes the profile in any case. NULL when memory is short or its keys
     * cannot be used: `why` and the log say which. `env` is copied. */
    struct protocol *(*make)(struct protocol_profile *profile,
                             const struct protocol_env *env,
                             char why[PROTOCOL_WHY_SIZE]);
    /* Wipes; says nothing to anybody. NULL is none. */
    void (*free)(struct protocol *p);

    /* Inputs. */
    void (*start)(struct protocol *p, struct instant now);
    /* The answer to RESOLVE. `why` says, where the count is 0, what the
     * resolver met; it may be NULL. */
    void (*resolved)(struct protocol *p, struct instant now, unsigned endpoint,
                     const struct address *addresses, size_t count,
                     const char *why);
    /* The uplink of the last CONNECT stands. `outer_overhead` is what IP and
     * transport add to a datagram (28 for UDP over IPv4), `outer_mtu` the
     * path's MTU, 0 where any size will do. */
    void (*connected)(struct protocol *p, struct instant now,
                      uint16_t outer_overhead, uint16_t outer_mtu);
    /* Both as they are now. */
    void (*path_changed)(struct protocol *p, struct instant now,
                         uint16_t outer_overhead, uint16_t outer_mtu);
    /* It could not be opened, or broke; `why` for a person. */
    void (*failed)(struct protocol *p, struct instant now, const char *why);
    /* Once for each turn of the loop in which it was seen. */
    void (*refused)(struct protocol *p, struct instant now,
                    enum protocol_refusal what);
    /* A timer: at or after deadline(). */
    void (*expire)(struct protocol *p, struct instant now);
    /* A person says: tear down and connect again at once. */
    void (*reconnect)(struct protocol *p, struct instant now);
    /* The machine slept, or there is another way to the servers: what stood may
     * be gone, what failed may work now. A tunnel that can stay UP may stay. */
    void (*way_changed)(struct protocol *p, struct instant now);
    /* WAITING_TO_RETRY is over; whether it may be is the caller's matter. */
    void (*end_pause)(struct protocol *p, struct instant now);
    /* Answers ASK. Copied. A part that is NULL stays as it was. */
    void (*credentials)(struct protocol *p, struct instant now,
                        const char *username, const char *password,
                        const char *response);
    /* Say goodbye, where the protocol knows the word; STOPPED follows. */
    void (*stop)(struct protocol *p, struct instant now);

    /* Outputs. */
    bool (*poll)(struct protocol *p, struct protocol_action *out);
    struct instant (*deadline)(const struct protocol *p);

    /* Packets, once for each batch. */

    /* The place for inner packets: while UP, whether there is a key or not. */
    struct burst_layout (*layout)(const struct protocol *p);
    /* Seals in place. False, and nothing may be sent, unless UP. Sets the
     * endpoint of each datagram. One with a drop reason is not to be sent: it
     * is counted here, and lost, unless the reason is SEAL_HELD. Then it was
     * copied, and leaves by SEND when there is a key; what is held is bounded,
     * and what had to give way is counted as SEAL_HELD_FULL. */
    bool (*seal)(struct protocol *p, struct instant now, struct burst *burst);
    /* Takes in what the uplink received: data is opened in place (burst.h),
     * the rest is the protocol's own. Drops are counted here. Sets `proven` on
     * what nobody but the peer can have made. */
    void (*open)(struct protocol *p, struct instant now, struct burst *burst);

    /* For `status`. */
    void (*status)(const struct protocol *p, struct protocol_status *out);
    /* Says to a person, in one sentence, what is waited for and what may be the
     * reason, once that lasts. False if nothing is, or not for long. */
    bool (*waiting)(const struct protocol *p, struct instant now,
                    char out[PROTOCOL_WAITING_SIZE]);
};

#endif
