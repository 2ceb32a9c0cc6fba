/*
 * A QubesDB daemon for tests, written from the daemon's behaviour and without
 * the client's codec, so that one checks the other. It has the real one's
 * oddities: an event for each registration of a watch, own writes echoed, a
 * whole database in descending order, a removed directory as one event, a
 * body behind WATCH left in the stream, bad writes answered and hung up on.
 *
 * It has no thread: the test lets it take turns. It can be told to die after
 * so many bytes, to send in pieces, and to act as dom0's daemon.
 */
#ifndef TESTS_QUBESDB_SERVER_H
#define TESTS_QUBESDB_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct server;

struct server *server_new(void);
void server_free(struct server *s);

/* Takes clients on a Unix socket, which it makes. */
void server_listen(struct server *s, const char *path);

/* Takes one client, whose descriptor becomes the server's, as dom0 does over
 * vchan: only WRITE, RM and one MULTIREAD, all else ends the daemon. */
void server_adopt(struct server *s, int fd);

/* Hangs up on everyone and listens no more; the database stays. */
void server_kill(struct server *s);

/* It is killed as soon as it has sent so many bytes more. */
void server_kill_after_sending(struct server *s, size_t bytes);
/* The same for bytes received. */
void server_kill_after_receiving(struct server *s, size_t bytes);
bool server_is_dead(const struct server *s);

/* At most this many bytes a send. */
void server_send_in_pieces(struct server *s, size_t bytes);

/* WRITE and RM of clients are refused. */
void server_read_only(struct server *s);

/* Requests are taken and never answered. */
void server_mute(struct server *s);

/* Bytes sent so far. */
size_t server_sent(const struct server *s);
size_t server_received(const struct server *s);
/* How often dom0's client has answered OK. */
unsigned server_acknowledged(const struct server *s);

/* What dom0 does: with events, and pushed to dom0's client. */
void server_write(struct server *s, const char *path, const char *value);
bool server_remove(struct server *s, const char *path);

/* The value as a C string, or NULL. */
const char *server_value(const struct server *s, const char *path);

/* Waits so long for something to do and does it; true if it did something. A
 * further descriptor ends the wait too when it is readable; -1 for none. */
bool server_turn(struct server *s, int milliseconds, int further);

#endif
