/*
 * Profiles as files. What a profile refers to is read only from its own
 * directory and below: a profile comes from somebody else, and
 * `auth-user-pass /etc/shadow` would send two lines of a file away. An
 * absolute path that leads elsewhere is looked for there by its end.
 */
#ifndef VPN_PROFILE_H
#define VPN_PROFILE_H

#include "gateway/openvpn/config/config_parser.h"
#include "gateway/openvpn/server/server_config_parser.h"

enum { PROFILE_WHY_SIZE = 512 };

/* Reads and parses. Each file that is read is noted, with where its content
 * goes, and one that a profile beside this one uses as well is warned of
 * (profile_files.h). True if the profile is usable; false with one error
 * reported at least. The caller clears *out in both cases. */
MUST_USE bool profile_read(const char *path, config_report *report,
                           void *context, struct config *out);

/* The same, with problems in the log as `check` prints them: FILE:LINE: error:
 * ... The first error, in the same form, is in `why` as well, which may be
 * NULL. */
MUST_USE bool profile_load(const char *path, struct config *out,
                           char why[PROFILE_WHY_SIZE]);

/* Only whether it would; errors are logged. */
MUST_USE bool profile_usable(const char *path);

/* A server's configuration, which is its administrator's own: the files that it
 * names may lie anywhere. The caller clears *out in both cases. */
MUST_USE bool profile_load_server(const char *path, struct server_config *out);

/* A file that it named, again; with a NUL behind it. False, and the log says
 * why. */
MUST_USE bool profile_read_again(const char *path, const char *file,
                                 struct blob *out);

#endif
