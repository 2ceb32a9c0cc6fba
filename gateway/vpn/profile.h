/*
 * Profiles as files. Files that a profile refers to are read only from its own
 * directory and below: a profile comes from somebody else, and `auth-user-pass
 * /etc/shadow` would send two lines of a file away. An absolute path that leads
 * elsewhere is looked for there by its end.
 */
#ifndef VPN_PROFILE_H
#define VPN_PROFILE_H

#include "gateway/base/log.h"
#include "gateway/vpn/protocol.h"

enum { PROFILE_WHY_SIZE = 512 };

/* Reads and parses, by the protocol whose profile it is. Each file that is
 * read is noted, with where its content goes, and one that a profile beside
 * this one uses as well is warned of (profile_files.h). As read() of
 * protocol_kind: to be forgotten, NULL where there is nothing to show. */
struct protocol_profile *profile_read(const char *path, protocol_report *report,
                                      void *context, bool *usable);

/* NULL where it is not usable. Problems are in the log as `check` prints them:
 * FILE:LINE: error: ... The first error, in the same form, is in `why` as well,
 * which may be NULL. */
struct protocol_profile *profile_load(const char *path,
                                      char why[PROFILE_WHY_SIZE]);

/* Only whether it would; errors are logged. */
MUST_USE bool profile_usable(const char *path);

/* The text alone, of a file that may be a profile or a server's configuration.
 * False after a report. */
MUST_USE bool profile_read_text(const char *path, protocol_report *report,
                                void *context, struct blob *text);

/* A problem in that form, and the level to log it at. */
enum log_level profile_problem(const char *path,
                               enum protocol_severity severity, unsigned line,
                               const char *text, char out[PROFILE_WHY_SIZE]);

#endif
