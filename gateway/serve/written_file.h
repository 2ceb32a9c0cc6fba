/*
 * A file that is written again and again as a whole. Where its directory
 * allows that a new one takes its place, so that a reader never sees a half
 * one; else it is rewritten in place.
 */
#ifndef SERVE_WRITTEN_FILE_H
#define SERVE_WRITTEN_FILE_H

#include "gateway/base/bytes.h"

struct written_file {
    int fd;      /* -1: closed */
    char *path;  /* owned, without symbolic links; NULL: it has no name */
    char *fresh; /* owned: what is renamed to it; NULL: in place */
};

/* Makes it where it is missing. `replace`: by renaming, if that can be. False
 * with errno; then it is closed. */
MUST_USE bool written_file_open(struct written_file *f, const char *path,
                                bool replace);
void written_file_close(struct written_file *f);

/* False with errno; a file that is replaced is then as it was before. */
MUST_USE bool written_file_write(struct written_file *f, struct bytes text);

/* The directory in which it is replaced, for the caller to free; NULL: it is
 * written in place. */
char *written_file_directory(const struct written_file *f);

#endif
