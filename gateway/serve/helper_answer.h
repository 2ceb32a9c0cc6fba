/*
 * Reads the word of the program behind `user-pass-socket' on a login, see
 * password_helper.h: one JSON object.
 */
#ifndef SERVE_HELPER_ANSWER_H
#define SERVE_HELPER_ANSWER_H

#include "gateway/base/bytes.h"

enum { HELPER_ANSWER_MAX = 1024 }; /* bytes, with its line feed */

enum helper_answer_verdict {
    HELPER_ANSWER_NONE, /* that is no answer */
    HELPER_ANSWER_GOOD,
    HELPER_ANSWER_BAD,
    HELPER_ANSWER_LATER, /* it cannot tell now */
};

struct helper_answer {
    enum helper_answer_verdict verdict;
    char reason[HELPER_ANSWER_MAX]; /* for the client, with BAD; or empty */
};

void helper_answer_read(struct bytes text, struct helper_answer *out);

#endif
