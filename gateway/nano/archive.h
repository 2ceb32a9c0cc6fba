/*
 * Profiles come as a tar archive that dom0 writes onto the private volume
 * (`qvm-volume import`): blocks of 512 bytes, a header for each member and
 * then its content, two blocks of zeroes at the end, and whatever the volume
 * held behind them. Read are what GNU tar, busybox and POSIX' pax write
 * (POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block").
 *
 * Whoever made the archive is not trusted. Files and directories exist here,
 * below one directory; links, devices and sparse files do not. An archive is
 * taken as a whole or not at all: archive_check() first, then the members.
 */
#ifndef NANO_ARCHIVE_H
#define NANO_ARCHIVE_H

#include "gateway/base/bytes.h"

enum {
    ARCHIVE_BLOCK = 512,
    ARCHIVE_NAME_SIZE = 256,
    ARCHIVE_DEPTH_MAX = 4,     /* directories above a file */
    ARCHIVE_MEMBERS_MAX = 256, /* of any kind */
    ARCHIVE_FILE_MAX = 512 * 1024,
    ARCHIVE_CONTENT_MAX = 1024 * 1024, /* of all files */
    /* Beyond this nothing of a volume needs to be looked at. */
    ARCHIVE_SIZE_MAX =
        ARCHIVE_CONTENT_MAX + ARCHIVE_MEMBERS_MAX * 2 * ARCHIVE_BLOCK,
};

/* The content of a volume, by its first block. */
enum archive_kind {
    ARCHIVE_NOTHING, /* zeroes: as dom0 makes it */
    ARCHIVE_UNKNOWN, /* no tar archive */
    ARCHIVE_TAR,
};

enum archive_result {
    ARCHIVE_MEMBER,
    ARCHIVE_END,
    ARCHIVE_TRUNCATED,  /* it ends before its end */
    ARCHIVE_BAD_HEADER, /* no checksum or number that is right */
    ARCHIVE_BAD_NAME,   /* leads elsewhere, or has odd characters */
    ARCHIVE_LONG_NAME,  /* in an extension that is not read */
    ARCHIVE_BAD_TYPE,   /* neither file nor directory */
    ARCHIVE_TOO_MUCH,   /* more than the limits above */
    ARCHIVE_RESULT_COUNT
};

struct archive_member {
    char name[ARCHIVE_NAME_SIZE]; /* relative, no "." or ".." in it */
    bool is_directory;
    struct bytes content; /* borrowed */
};

struct archive {
    struct reader rest;
    size_t members, content; /* so far */
};

/* A phrase for people. */
const char *archive_result_text(enum archive_result result);

enum archive_kind archive_kind(struct bytes volume);

/* Borrows the volume's bytes. */
struct archive archive_of(struct bytes volume);

/* The next file or directory; the archive's own "." is passed over. After
 * anything but ARCHIVE_MEMBER there is nothing more; for what is wrong with
 * one member its name, as far as it is known, is in `out`. */
enum archive_result archive_next(struct archive *a, struct archive_member *out);

/* ARCHIVE_END if all of it can be taken; else why not, and the culprit. */
enum archive_result archive_check(struct bytes volume,
                                  struct archive_member *culprit);

#endif
