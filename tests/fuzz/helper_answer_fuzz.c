/* The answers of a program that judges passwords: none lets anybody in but by
 * `true`, and no reason breaks out of a control message. */
#include "gateway/serve/helper_answer.h"

#include <string.h>

#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct helper_answer a;
    helper_answer_read(bytes_of(data, size), &a);
    check(a.verdict != HELPER_ANSWER_GOOD || memmem(data, size, "true", 4));
    check(memchr(a.reason, 0, sizeof a.reason) != NULL);
    check(a.reason[0] == 0 || a.verdict == HELPER_ANSWER_BAD ||
          a.verdict == HELPER_ANSWER_LATER);
    for (const char *c = a.reason; *c; c++)
        check((unsigned char)*c >= 0x20 && *c != 0x7f);
    return 0;
}
