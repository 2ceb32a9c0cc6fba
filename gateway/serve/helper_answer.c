#include "gateway/serve/helper_answer.h"

#include <jansson.h>

#include "gateway/base/text.h"

/* It becomes a part of a control message, where a comma or a control character
 * would begin something else. */
static bool is_sayable(struct bytes reason)
{
    for (size_t i = 0; i < reason.size; i++)
        if (reason.data[i] < 0x20 || reason.data[i] == 0x7f)
            return false;
    return true;
}

static void take_reason(const json_t *value, struct helper_answer *out)
{
    const char *text = json_string_value(value);
    struct bytes reason = bytes_of_text(text ? text : "");
    if (json_string_length(value) != reason.size || !is_sayable(reason) ||
        !text_copy(out->reason, sizeof out->reason, reason))
        out->reason[0] = 0;
}

void helper_answer_read(struct bytes text, struct helper_answer *out)
{
    json_t *answer = json_loadb((const char *)text.data, text.size,
                                JSON_REJECT_DUPLICATES, NULL);
    const json_t *good = json_object_get(answer, "good");
    *out = (struct helper_answer){.verdict = HELPER_ANSWER_NONE};
    if (json_is_true(good)) {
        out->verdict = HELPER_ANSWER_GOOD;
    } else if (json_is_false(good)) {
        out->verdict = json_is_true(json_object_get(answer, "later"))
                           ? HELPER_ANSWER_LATER
                           : HELPER_ANSWER_BAD;
        take_reason(json_object_get(answer, "reason"), out);
    }
    json_decref(answer);
}
