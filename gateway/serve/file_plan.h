/*
 * Plans which file of a running server is written, or looked at, when. Decides
 * and does nothing: no I/O, no clock; serve_files does what it says.
 *
 *   leases     every so many seconds and at the end; but only if what the file
 *              held has been taken over, so that nothing is lost
 *   status     at once, every so many seconds, and at the end
 *   revoked    looked at every few seconds; read again when it is another file
 *              than the one that was read last
 */
#ifndef SERVE_FILE_PLAN_H
#define SERVE_FILE_PLAN_H

#include "gateway/base/bytes.h"
#include "gateway/base/instant.h"

enum file_plan_file {
    FILE_PLAN_LEASES,
    FILE_PLAN_STATUS,
    FILE_PLAN_REVOKED,
    FILE_PLAN_FILES,
};

enum { FILE_PLAN_LOOK_SECONDS = 5 };

/* Tells a file from the one that was there before. */
struct file_plan_mark {
    int64_t seconds, nanoseconds; /* of its last change */
    int64_t size;
    uint64_t inode;
};

struct file_plan_entry {
    bool used;
    bool ready; /* it may be written */
    bool last;  /* it is to be written once more */
    bool failed;
    uint32_t seconds;
    struct instant due;
};

/* All zeros: nothing to do. */
struct file_plan {
    struct file_plan_entry files[FILE_PLAN_FILES];
    struct file_plan_mark revoked;
    bool ending;
};

/* There is such a file. Leases with 0 seconds are only read, and never
 * written; they are written at all only after file_plan_taken_over(). */
void file_plan_add(struct file_plan *p, enum file_plan_file file,
                   uint32_t seconds, struct instant now);
/* All that the file of leases held is known to us. */
void file_plan_taken_over(struct file_plan *p);
/* From now on each is written once more, and then nothing is due. */
void file_plan_end(struct file_plan *p);

/* The next file that is due, which is planned anew. */
MUST_USE bool file_plan_next(struct file_plan *p, struct instant now,
                             enum file_plan_file *file);
struct instant file_plan_deadline(const struct file_plan *p);

/* How it went. True if a person is to be told: the first time that it fails. */
bool file_plan_done(struct file_plan *p, enum file_plan_file file, bool good);

/* Whether the list of revoked certificates is to be read, which has that mark
 * now. */
bool file_plan_is_news(const struct file_plan *p,
                       const struct file_plan_mark *mark);
/* It was read; where it could not be, it stays news. */
void file_plan_saw(struct file_plan *p, const struct file_plan_mark *mark);

#endif
