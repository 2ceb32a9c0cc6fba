#include "gateway/openvpn/control/control_message.h"

#include <assert.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

/* In the order in which they are tried: INFO_PRE before INFO. */
static const struct {
    const char *word;
    enum control_message_type type;
} keywords[] = {
    {"AUTH_FAILED", CONTROL_MESSAGE_AUTH_FAILED},
    {"PUSH_REPLY", CONTROL_MESSAGE_PUSH_REPLY},
    {"PUSH_UPDATE", CONTROL_MESSAGE_PUSH_UPDATE},
    {"PUSH_REQUEST", CONTROL_MESSAGE_PUSH_REQUEST},
    {"RESTART", CONTROL_MESSAGE_RESTART},
    {"HALT", CONTROL_MESSAGE_HALT},
    {"INFO_PRE", CONTROL_MESSAGE_INFO_PRE},
    {"INFO", CONTROL_MESSAGE_INFO},
    {"CR_RESPONSE", CONTROL_MESSAGE_CR_RESPONSE},
    {"AUTH_PENDING", CONTROL_MESSAGE_AUTH_PENDING},
    {"EXIT", CONTROL_MESSAGE_EXIT},
};

enum { KEYWORDS = sizeof keywords / sizeof *keywords };
static_assert(KEYWORDS == CONTROL_MESSAGE_TYPE_COUNT - 1,
              "every type but UNKNOWN has a keyword");

const char *control_message_name(enum control_message_type type)
{
    for (size_t i = 0; i < KEYWORDS; i++)
        if (keywords[i].type == type)
            return keywords[i].word;
    return "unknown message";
}

static struct bytes skip(struct bytes text, size_t size)
{
    return bytes_of(text.data + size, text.size - size);
}

/* Takes `prefix` off the front, if it is there. */
static bool take_prefix(struct bytes *text, const char *prefix)
{
    if (!text_starts_with(*text, prefix))
        return false;
    *text = skip(*text, strlen(prefix));
    return true;
}

static bool is_printable(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    return true;
}

static struct bytes without_line_ends(struct bytes text)
{
    while (text.size && (text.data[text.size - 1] == '\r' ||
                         text.data[text.size - 1] == '\n'))
        text.size--;
    return text;
}

static struct control_message classify(struct bytes text)
{
    struct control_message m = {.text = text, .rest = skip(text, text.size)};
    for (size_t i = 0; i < KEYWORDS; i++) {
        struct bytes rest = text;
        if (!take_prefix(&rest, keywords[i].word))
            continue;
        m.type = keywords[i].type;
        if (take_prefix(&rest, ","))
            m.rest = rest;
        break;
    }
    return m;
}

bool control_message_take(struct bytes *record, struct control_message *out,
                          unsigned *dropped)
{
    while (record->size) {
        const uint8_t *nul = memchr(record->data, '\0', record->size);
        if (!nul) {
            ++*dropped;
            *record = skip(*record, record->size);
            return false;
        }
        size_t size = (size_t)(nul - record->data);
        struct bytes text = without_line_ends(bytes_of(record->data, size));
        *record = skip(*record, size + 1);
        if (!is_printable(text)) {
            ++*dropped;
        } else if (text.size) {
            *out = classify(text);
            return true;
        }
    }
    return false;
}

/* Is one of the words in the list? */
static bool has_flag(struct bytes flags, const char *flag)
{
    struct bytes word;
    while (text_cut(&flags, ',', &word))
        if (text_equal(word, flag))
            return true;
    return false;
}

/* "[flags]" at the front, without the brackets; false, and nothing taken,
 * unless both are there. */
static bool take_brackets(struct bytes *text, struct bytes *flags)
{
    struct bytes rest = *text;
    if (!take_prefix(&rest, "[") || !memchr(rest.data, ']', rest.size))
        return false;
    bool cut = text_cut(&rest, ']', flags);
    *text = rest;
    return cut;
}

/* TEMP[backoff 42,advance no]:text */
static void read_temporary(struct bytes rest, struct control_auth_failed *f)
{
    struct bytes flags, word;
    if (take_brackets(&rest, &flags)) {
        while (text_cut(&flags, ',', &word)) {
            if (take_prefix(&word, "backoff ")) {
                uint32_t seconds;
                if (text_to_u32(word, UINT32_MAX, &seconds))
                    f->backoff = seconds;
            } else if (text_equal(word, "advance no")) {
                f->advance = CONTROL_ADVANCE_NO;
            } else if (text_equal(word, "advance addr")) {
                f->advance = CONTROL_ADVANCE_ADDRESS;
            } else if (text_equal(word, "advance remote")) {
                f->advance = CONTROL_ADVANCE_REMOTE;
            }
        }
    }
    f->failure = CONTROL_AUTH_TEMPORARY;
    f->reason = take_prefix(&rest, ":") ? rest : skip(rest, rest.size);
}

/* CRV1:flags:state_id:username:text */
static bool read_challenge(struct bytes rest, struct control_auth_failed *f)
{
    struct bytes flags, state_id, username;
    if (!text_cut(&rest, ':', &flags) || !text_cut(&rest, ':', &state_id) ||
        !text_cut(&rest, ':', &username) || !rest.data)
        return false;
    f->failure = CONTROL_AUTH_CHALLENGE;
    f->reason = rest;
    f->echo = has_flag(flags, "E");
    f->state_id = state_id;
    f->username_base64 = username;
    return true;
}

void control_message_auth_failed(struct bytes rest,
                                 struct control_auth_failed *out)
{
    *out = (struct control_auth_failed){.failure = CONTROL_AUTH_REFUSED,
                                        .reason = rest};
    struct bytes after = rest;
    if (take_prefix(&after, "TEMP")) {
        read_temporary(after, out);
    } else if (take_prefix(&after, "SESSION")) {
        out->failure = CONTROL_AUTH_SESSION;
        out->reason =
            take_prefix(&after, ":") ? after : skip(after, after.size);
    } else if (take_prefix(&after, "CRV1:")) {
        (void)read_challenge(after, out);
    }
}

void control_message_signal(struct bytes rest, struct control_signal *out)
{
    struct bytes flags = {NULL, 0};
    bool is_bare = rest.size == 0;
    bool flagged = take_brackets(&rest, &flags);
    *out = (struct control_signal){
        .preserve_credentials =
            is_bare ||
            (flagged && flags.size && memchr(flags.data, 'P', flags.size)),
        .advance = flagged && flags.size && memchr(flags.data, 'N', flags.size),
        .reason = rest,
    };
}

uint32_t control_message_auth_pending(struct bytes rest)
{
    uint32_t timeout = 0, seconds;
    struct bytes word;
    while (text_cut(&rest, ',', &word))
        if (take_prefix(&word, "timeout ") &&
            text_to_u32(word, UINT32_MAX, &seconds))
            timeout = seconds;
    return timeout;
}

/* kind:flags:text or kind:text */
void control_message_info(struct bytes rest, struct control_info *out)
{
    *out = (struct control_info){.kind = CONTROL_INFO_TEXT, .text = rest};
    struct bytes after = rest, flags;
    if (take_prefix(&after, "OPEN_URL:")) {
        out->kind = CONTROL_INFO_OPEN_URL;
        out->text = after;
        return;
    }
    bool web = take_prefix(&after, "WEB_AUTH:");
    bool challenge = !web && take_prefix(&after, "CR_TEXT:");
    if (!(web || challenge) || !text_cut(&after, ':', &flags) || !after.data)
        return;
    out->kind = web ? CONTROL_INFO_WEB_AUTH : CONTROL_INFO_CHALLENGE;
    out->text = after;
    out->echo = challenge && has_flag(flags, "E");
    out->response_required = challenge && has_flag(flags, "R");
}

bool control_message_write_response(struct bytes answer, struct writer *w)
{
    static const char keyword[] = "CR_RESPONSE,";
    char digits[CONTROL_MESSAGE_MAX];
    bool ok =
        text_to_base64(answer, digits, sizeof digits - (sizeof keyword - 1));
    if (ok) {
        write_bytes(w, bytes_of_text(keyword));
        write_bytes(w, bytes_of(digits, strlen(digits) + 1));
    }
    secret_wipe(digits, sizeof digits);
    return ok && writer_ok(w);
}
