/*
 * The whole backend but Xen, on a loop of its own: netback with the real
 * libxenstore, a xenstored, doubles of the other two libraries, and up to
 * STAGE_QUBES frontends. A test is the toolstack, the frontends, and the
 * link's owner.
 */
#ifndef TESTS_LINK_STAGE_H
#define TESTS_LINK_STAGE_H

#include "gateway/link/xen/netback.h"
#include "tests/link/xen/fake_card.h"
#include "tests/link/xen/xen_double.h"
#include "tests/unit.h"

enum { STAGE_QUBES = 4, STAGE_RECORDED_MAX = 4096, STAGE_PATIENCE_MS = 60000 };

/* The link's owner, as a witness. */
struct stage_qube {
    bool present;
    char name[32];
    struct address ipv4, ipv6;
    uint32_t packets, bytes;
    struct link_port *port;
};

extern struct stage {
    struct loop *loop;
    struct loop_timer clock;
    struct instant deadline;
    bool (*condition)(void);
    bool met;
    unsigned ticks;
    struct fake_xenstored *xenstored;
    struct link *link;
    struct stage_qube qubes[STAGE_QUBES];
    bool refuse; /* new qubes */
    bool echo;   /* send every packet back to its qube */
    unsigned added, removed;
    uint8_t order[STAGE_RECORDED_MAX]; /* whose packets came, one a packet */
    uint32_t order_count;
    struct packet last;
    uint8_t last_bytes[2000];
} stage;

/* The qubes of domains 10, 11, ... */
extern struct fake_frontend *stage_fronts[STAGE_QUBES];
extern const char *const stage_addresses[STAGE_QUBES];
extern const uint8_t stage_qube_mac[6];
extern const struct link_owner stage_owner;

/* cmocka's, around each test: an open link and no qubes; and all is given
 * back. */
int stage_set_up(void **state);
int stage_tear_down(void **state);
bool stage_open_link(void);
void stage_close_link(void);

/* --- Time: the condition is asked after each turn ------------------------ */

bool stage_comes_true(bool (*condition)(void), int milliseconds);
#define STAGE_UNTIL(condition)                                                 \
    assert_true(stage_comes_true(condition, STAGE_PATIENCE_MS))
void stage_turn(int milliseconds);
/* The expected has happened. */
void stage_settle(void);

/* --- Cards --------------------------------------------------------------- */

uint32_t stage_domain(int i);
/* The owner's qube of the i-th domain. */
struct qube *stage_qube(int i);
/* The owner's view of a vif, or NULL. */
const struct stage_qube *stage_owned(const char *name);

/* Keys of the backend's and of the frontend's directory. */
void stage_back(uint32_t domain, uint32_t handle, const char *key,
                const char *value);
void stage_front(uint32_t domain, uint32_t handle, const char *key,
                 const char *value);
bool stage_back_is(uint32_t domain, uint32_t handle, const char *key,
                   const char *value);

void stage_attach(uint32_t domain, uint32_t handle, const char *ip);
void stage_detach(uint32_t domain, uint32_t handle);
/* Without asking: what is there is gone. */
void stage_take_away(uint32_t domain);
void stage_ask(uint32_t domain);
/* The i-th qube gets its card and uses it. */
void stage_connect(int i);

/* Conditions: the backend's state of the first qube's card. */
bool stage_first_waits(void);
bool stage_first_connected(void);
bool stage_first_closing(void);
bool stage_first_closed(void);
bool stage_first_gone(void);

/* Conditions about the card of the qube that this names. */
extern int stage_waited_for;
bool stage_that_one_waits(void);
bool stage_that_one_connected(void);

/* --- Packets ------------------------------------------------------------- */

/* An Ethernet frame with a UDP packet from the i-th qube; its size. */
uint32_t stage_make_frame(uint8_t *frame, int i, uint32_t size);
void stage_send_from(int i, uint32_t count, uint32_t size);
/* As many packets in all as that have come. */
void stage_until_packets(uint32_t count);
/* As from the tunnel: to the first qube. */
enum drop stage_send_to_first(uint32_t size);
uint32_t stage_answers_taken(int i);
void stage_post_pages(struct fake_frontend *f, uint32_t count);

/* A condition, and the frame. */
extern struct fake_frame stage_taken;
bool stage_first_gets_a_frame(void);

#endif
