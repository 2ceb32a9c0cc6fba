/*
 * The part that a client and one client of a server have in common: the control
 * channel and its wrapping, session ids, generations of keys, renegotiation.
 * The data channel's half is session_data.h; session_static.h makes one that
 * has nothing else. Sans I/O: packets go in through session_receive() and come
 * out of session_transmit(); session_next() tells what they meant.
 *
 * A generation of keys (struct session_key) has a key_id and passes through
 *
 *   HANDSHAKE -> EXCHANGED -> ACTIVE -> READY
 *   resets, TLS, both key     all we    data keys
 *   key method 2  messages    said is   may be used
 *                 are here    acked
 *
 * The first generation waits in ACTIVE until the owner knows how the data
 * channel is to be; the others are never in it, and open data packets from
 * EXCHANGED on.
 *
 * Two exist at most: when a soft reset begins, the present one becomes the
 * lame duck and carries data until the new one may be used
 * (openvpn: ssl.c, ssl_common.h). Where the new one comes to nothing the lame
 * duck goes on in its place for what is left of its time, and another is
 * tried.
 */
#ifndef OPENVPN_SESSION_SESSION_H
#define OPENVPN_SESSION_SESSION_H

#include "gateway/base/token_bucket.h"
#include "gateway/openvpn/control/control_message.h"
#include "gateway/openvpn/control/control_wrap.h"
#include "gateway/openvpn/data/compression.h"
#include "gateway/openvpn/data/data_channel.h"
#include "gateway/openvpn/data/fragmentation.h"
#include "gateway/openvpn/session/control_channel.h"
#include "gateway/openvpn/session/keepalive.h"
#include "gateway/openvpn/session/key_exchange.h"

enum {
    SESSION_KEYS = 2,
    SESSION_KEY_ID_LAST = 7, /* 0 only first, then 1..7 and 1 again */
    SESSION_DATAGRAM_MAX = CONTROL_PACKET_SIZE_MAX,
    SESSION_RESETS_PER_SECOND = 1, /* the peer's soft resets */
    SESSION_RESETS_AT_ONCE = 4,
    SESSION_RECORD_MAX = 8192, /* OpenVPN 2 sends 2048 at most */
    SESSION_TEXT_SIZE = TLS_ERROR_SIZE,
};

struct session_env {
    void *context;
    void (*random)(void *context, uint8_t *out, size_t size);
    uint32_t (*unix_time)(void *context);
};

struct session_options {
    enum openvpn_role role;
    struct tls_context *tls; /* borrowed */
    struct session_env env;
    struct duration tls_timeout;       /* first retransmission */
    struct duration hand_window;       /* a negotiation must be over by then */
    struct duration tran_window;       /* how long a lame duck lives */
    struct duration renegotiate_after; /* 0: never by time */
    uint64_t renegotiate_bytes;        /* 0: never */
    uint64_t renegotiate_packets;      /* 0: never */
    uint16_t max_packet_size;          /* of control datagrams */
    uint32_t replay_packets, replay_seconds;
    /* The wrapping's 256 bytes, for dynamic tls-crypt; borrowed until the
     * data keys are there. NULL without a wrapping. */
    const struct static_key *wrap_key;
};

/* How the data channel is to be, once both ends know. */
struct session_data_options {
    char cipher[32]; /* OpenVPN's name */
    uint32_t peer_id;
    const char *digest; /* for CBC, by OpenVPN's name; borrowed */
    bool exporter;      /* keys by the TLS exporter, not the old PRF */
    bool epoch;         /* the data format of OpenVPN 2.7 */
    bool dynamic_wrap;  /* later negotiations under dynamic tls-crypt */
    enum config_compression compression;
    bool compression_refused; /* compressed packets are not read */
    uint16_t fragment; /* the largest sealed datagram; 0: no `fragment' */
};

enum session_key_state {
    SESSION_KEY_NONE,
    SESSION_KEY_HANDSHAKE,
    SESSION_KEY_EXCHANGED,
    SESSION_KEY_ACTIVE,
    SESSION_KEY_READY,
};

struct session_key {
    enum session_key_state state;
    uint8_t key_id;
    bool asked;    /* SESSION_EXCHANGE_WANTED was said */
    bool sent;     /* our key method 2 message was written */
    bool received; /* the peer's was read */
    bool proven;   /* the peer used these data keys */
    struct instant started;
    struct instant active;
    struct instant expires;   /* of a lame duck, or one that was */
    struct key_source source; /* ours; wiped once the keys are derived */
    struct key_source peer_source;
    struct data_channel *data;
    struct control_channel control;
};

struct session {
    struct session_options options;
    struct session_id own, peer;
    bool peer_known;
    struct control_wrap wrap;
    struct control_wrap dynamic_wrap; /* for key_ids above 0 */
    bool has_dynamic_wrap;
    struct session_key *primary; /* the newest generation */
    struct session_key *lame;    /* the one before; state NONE if gone */
    struct session_key keys[SESSION_KEYS];
    struct session_data_options data;
    struct compression compression;
    struct fragmentation fragmentation;
    bool has_data;              /* session_data_establish() was called */
    bool is_static;             /* see session_static.h */
    bool renegotiation_due;     /* by bytes, packets or the cipher's limit */
    struct instant again;       /* not before, after one that failed */
    struct token_bucket resets; /* that the peer may begin */
    bool peer_exit;             /* it said goodbye on the data channel */
    bool failed;                /* sticky */
    bool failure_told;
    struct keepalive keepalive; /* its owner sets the seconds */
    struct bytes texts; /* control messages of `record` not yet handed out */
    char why[SESSION_TEXT_SIZE];
    uint8_t record[SESSION_RECORD_MAX];
    size_t record_size; /* of what was read last and is not wiped yet */
    uint8_t scratch[CONTROL_WRAP_SCRATCH];
    uint8_t datagram[SESSION_DATAGRAM_MAX];
};

/* Not to be moved afterwards; `wrap` is the owner's to set up before. False
 * when memory is short. */
MUST_USE bool session_init(struct session *s, const struct session_options *o,
                           struct instant now);
/* Wipes, `wrap` too; also after a failed init. */
void session_clear(struct session *s);

/* The client speaks first. */
void session_start(struct session *s, struct instant now);
/* Instead, for a server that has answered the client's reset without keeping
 * anything of it: `own` is the session id of that answer. */
void session_adopt(struct session *s, const struct session_id *own,
                   const struct session_id *peer);

/* Takes in one control datagram. */
enum drop session_receive(struct session *s, struct instant now,
                          struct bytes datagram);

enum session_event_type {
    SESSION_EXCHANGE_WANTED, /* say ours: session_exchange() */
    SESSION_EXCHANGE,        /* the peer's key method 2 message */
    SESSION_ACTIVE,          /* the first negotiation is over */
    SESSION_RENEGOTIATED,    /* a later one, and its keys are in use soon */
    SESSION_MESSAGE,         /* of the peer */
    SESSION_PEER_EXIT,       /* goodbye on the data channel */
    SESSION_FAILED,          /* for good; `why` in one line */
};

struct session_event {
    enum session_event_type type;
    struct key_exchange exchange; /* texts borrowed */
    struct control_message message;
    const char *why; /* FAILED */
};

/* An event. The memory that it borrows is valid until the next call. */
MUST_USE bool session_next(struct session *s, struct instant now,
                           struct session_event *out);

/* Answers SESSION_EXCHANGE_WANTED; `message->source` is filled in here. False
 * if it does not fit into a record. */
MUST_USE bool session_exchange(struct session *s, struct instant now,
                               struct key_exchange *message);
/* One control message, without its NUL. False unless TLS stands. */
MUST_USE bool session_send(struct session *s, struct instant now,
                           const char *text);
/* A soft reset from our side; nothing while another one is under way. */
void session_renegotiate(struct session *s, struct instant now);
/* Repeats at once what the peer has not acknowledged. */
void session_hasten(struct session *s, struct instant now);

/* The next control datagram to send, valid until the next call. */
MUST_USE bool session_transmit(struct session *s, struct instant now,
                               struct bytes *datagram);
/* A timer: call at or after session_deadline(). */
void session_expire(struct session *s, struct instant now);
struct instant session_deadline(const struct session *s);

/* The peer has answered at all. */
bool session_heard(const struct session *s);

#endif
