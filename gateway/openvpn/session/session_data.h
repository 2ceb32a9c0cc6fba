/*
 * The data channel of a session: which generation of keys a burst is sealed
 * with, which one opens a datagram, and what of it is no packet but a word
 * between the two ends (ping, goodbye).
 */
#ifndef OPENVPN_SESSION_SESSION_DATA_H
#define OPENVPN_SESSION_SESSION_DATA_H

#include "gateway/openvpn/session/session.h"

/* Derives the first data keys; later generations follow by themselves. False
 * if the cipher or the exporter cannot be had: `why` is set. */
MUST_USE bool session_data_establish(struct session *s, struct instant now,
                                     const struct session_data_options *o);
/* The same for one generation; for session.c. */
MUST_USE bool session_data_derive(struct session *s, struct session_key *key);

/* The place for inner packets; all zero without keys. */
struct burst_layout session_data_layout(const struct session *s);

/* Seals in place. False without keys. */
MUST_USE bool session_data_seal(struct session *s, struct instant now,
                                struct burst *burst);
/* Opens datagrams [first, first + count), all of the data channel. */
void session_data_open(struct session *s, struct instant now,
                       struct burst *burst, size_t first, size_t count);
/* The number of opened datagrams, since the last call, whose packets will never
 * be whole. */
uint64_t session_data_lost(struct session *s);

/* A datagram of our own in `s->datagram`: a ping, or what is said by those
 * without a control channel to say it on. Empty without keys. */
enum session_data_word {
    SESSION_DATA_PING,
    SESSION_DATA_REQUEST, /* of a peer's options: OpenVPN answers */
    SESSION_DATA_GOODBYE,
};
struct bytes session_data_say(struct session *s, struct instant now,
                              enum session_data_word word);

/* The channel that seals, or NULL. */
struct data_channel *session_data_sender(const struct session *s,
                                         struct instant now);

#endif
