/*
 * A QubesDB daemon for tests, written from the behaviour of the real one and
 * without the client's codec, so that one checks the other. It has all its
 * oddities: an event for each registration of a watch, own writes echoed, a
 * whole database in descending order, a removed directory as one event, a
 * body behind WATCH left in the stream, bad writes answered and hung up on.
 *
 * It has no thread: the test lets it take turns. It can be told to die after
 * so many bytes, to send in pieces, and to act as dom0's daemon.
 */
#ifndef TESTS_QUBESDB_DAEMON_H
#define TESTS_QUBESDB_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

struct daemon;

struct daemon *daemon_new(void);
void daemon_free(struct daemon *d);

/* Takes clients on a Unix socket, which it makes. */
void daemon_listen(struct daemon *d, const char *path);

/* Takes one client, whose descriptor becomes the daemon's, as dom0 does over
 * vchan: only WRITE, RM and one MULTIREAD, all else ends the daemon. */
void daemon_adopt(struct daemon *d, int fd);

/* Hangs up on everyone and listens no more; the database stays. */
void daemon_kill(struct daemon *d);

/* It is killed as soon as it has sent so many bytes more. */
void daemon_kill_after_sending(struct daemon *d, size_t bytes);
/* The same for bytes received. */
void daemon_kill_after_receiving(struct daemon *d, size_t bytes);
bool daemon_is_dead(const struct daemon *d);
/* After such a death, and one only, it listens again at once. */
void daemon_revive(struct daemon *d);

/* At most this many bytes a send. */
void daemon_send_in_pieces(struct daemon *d, size_t bytes);

/* WRITE and RM of clients are refused. */
void daemon_read_only(struct daemon *d);

/* Requests are taken and never answered. */
void daemon_mute(struct daemon *d);

/* Bytes sent so far. */
size_t daemon_sent(const struct daemon *d);
size_t daemon_received(const struct daemon *d);
/* How often dom0's client has answered OK. */
unsigned daemon_acknowledged(const struct daemon *d);

/* dom0's deeds: with events, and pushed to dom0's client. */
void daemon_write(struct daemon *d, const char *path, const char *value);
bool daemon_remove(struct daemon *d, const char *path);

/* The value as a C string, or NULL. */
const char *daemon_value(const struct daemon *d, const char *path);

/* Waits so long for something to do and does it; true if it did something. A
 * further descriptor ends the wait too when it is readable; -1 for none. */
bool daemon_turn(struct daemon *d, int milliseconds, int further);

#endif
