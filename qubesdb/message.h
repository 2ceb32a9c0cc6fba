/*
 * One message of the QubesDB protocol, as qubesdb-daemon 4.3 speaks it:
 *
 *    0        type
 *    1 .. 64  path, NUL-terminated, at most 63 characters
 *   65 .. 67  padding: sent as zero, ignored when received
 *   68 .. 71  size of the data, little endian
 *   72 ..     data, without a NUL
 *
 * Encoding refuses what a daemon would answer by closing the connection or,
 * over vchan, by exiting. Source: qubes-core-qubesdb, include/qubesdb.h and
 * daemon/db-cmds.c.
 */
#ifndef QUBESDB_MESSAGE_H
#define QUBESDB_MESSAGE_H

#include "gateway/base/bytes.h"

enum message_type {
    MESSAGE_READ,
    MESSAGE_WRITE,
    MESSAGE_MULTIREAD,
    MESSAGE_LIST,
    MESSAGE_RM,
    MESSAGE_WATCH,
    MESSAGE_UNWATCH,
    MESSAGE_OK,
    MESSAGE_ERROR_NOENT,
    MESSAGE_ERROR,
    MESSAGE_VALUE,      /* answers READ */
    MESSAGE_ENTRY,      /* answers MULTIREAD; the last one has no path */
    MESSAGE_LIST_ENTRY, /* answers LIST; the last one has no path */
    MESSAGE_EVENT,      /* a watched path changed; comes at any moment */
    MESSAGE_TYPE_COUNT
};

enum {
    MESSAGE_HEADER_SIZE = 72,
    MESSAGE_PATH_SIZE = 64,  /* with the NUL */
    MESSAGE_DATA_MAX = 3071, /* the daemon refuses 3072, QDB_MAX_DATA */
    MESSAGE_SIZE_MAX = MESSAGE_HEADER_SIZE + MESSAGE_DATA_MAX,
};

struct message {
    enum message_type type;
    char path[MESSAGE_PATH_SIZE];
    struct bytes data; /* borrowed */
};

/* Begins with '/', has at most 63 characters, all of [A-Za-z0-9_./:@-]. */
MUST_USE bool message_path_valid(const char *path);

/* A value that can be written: at most 3071 bytes, none of them NUL. */
MUST_USE bool message_data_valid(struct bytes data);

/* False for a path or data that the type cannot have, or without room. */
MUST_USE bool message_encode(struct writer *w, const struct message *m);

enum message_result { MESSAGE_WHOLE, MESSAGE_PARTIAL, MESSAGE_MALFORMED };

/* The message at the front of `stream`; *size is what it takes of it. The
 * path's characters are not judged: a daemon may know more of them. */
MUST_USE enum message_result message_decode(struct bytes stream,
                                            struct message *out, size_t *size);

#endif
