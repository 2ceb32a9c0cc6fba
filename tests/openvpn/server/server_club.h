/* A server and some clients in one process, without a path between them: what
 * one says the other hears at once. */
#ifndef TESTS_OPENVPN_SERVER_SERVER_CLUB_H
#define TESTS_OPENVPN_SERVER_SERVER_CLUB_H

#include "gateway/openvpn/client/client.h"
#include "gateway/openvpn/server/server.h"

enum { SERVER_CLUB_MEMBERS = 256, SERVER_CLUB_INNER = 100 };

struct server_club_member {
    struct config config;
    struct client *client;
    struct server_path path;
    struct tunnel tunnel;
    bool up, hung_up;
    uint64_t received;
    uint64_t ups;
    char text[512]; /* of the last DOWN or STOPPED */
};

struct server_club {
    struct instant now;
    uint32_t random;
    struct server_config config;
    struct server_env env;
    struct server *server;
    const char *username, *password; /* of who joins from now on; or NULL */
    const char *wrap_key;     /* the same, where it is not the server's own */
    bool without_certificate; /* the same */
    bool without_cookie;      /* the same: OpenVPN 2.5, whose key comes once */
    const char *filtered;     /* the same: an option that it ignores */
    enum config_compression compression; /* the same */
    size_t count;
    struct server_club_member members[SERVER_CLUB_MEMBERS];
};

/* The usual configuration, for the test to change; then the server. */
void server_club_init(struct server_club *c);
void server_club_open(struct server_club *c);
void server_club_clear(struct server_club *c);

/* One more client, which begins; its certificate, or NULL for the usual. */
struct server_club_member *server_club_join(struct server_club *c,
                                            const char *certificate,
                                            const char *key);
/* Everything that is to happen now, and until `length` later. */
void server_club_run(struct server_club *c, struct duration length);

/* The club's wishes that are done once a client is connected. */
void server_club_downgrade(const struct server_club *c,
                           struct server_club_member *m);
/* The server's verdict on a datagram. */
enum drop server_club_hear(struct server_club *c,
                           const struct server_path *from,
                           struct bytes datagram, struct datagram *out);
/* A datagram of the member with an inner packet; the size, 0 if not taken. */
size_t server_club_seal(struct server_club *c, struct server_club_member *m,
                        uint32_t source, uint32_t destination,
                        uint8_t out[2048]);
struct server_status server_club_status(const struct server_club *c);

#endif
