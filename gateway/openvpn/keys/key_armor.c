#include "gateway/openvpn/keys/key_armor.h"

#include "gateway/base/text.h"

#define DASHES "-----"

/* Takes `words` in a row off the front of *text; false if they are not
 * there. */
static bool take(struct bytes *text, const char *const words[3])
{
    struct bytes rest = *text;
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        if (!text_starts_with(rest, words[i]))
            return false;
        rest = bytes_of(rest.data + size, rest.size - size);
    }
    *text = rest;
    return true;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Steps past `words`; what stands in front of them goes to `passed`, without
 * white space. */
static bool step_past(struct bytes *text, const char *const words[3],
                      struct writer *passed)
{
    while (!take(text, words)) {
        if (!text->size)
            return false;
        if (passed && !is_space(text->data[0]))
            write_u8(passed, text->data[0]);
        *text = bytes_of(text->data + 1, text->size - 1);
    }
    return true;
}

bool key_armor_take(struct bytes text, const char *label, uint8_t *out,
                    size_t capacity, size_t *size)
{
    const char *const begin[3] = {DASHES "BEGIN ", label, DASHES};
    const char *const end[3] = {DASHES "END ", label, DASHES};
    struct writer w = writer_of(out, capacity);

    bool found = step_past(&text, begin, NULL) && step_past(&text, end, &w);
    *size = w.size;
    return found && writer_ok(&w);
}

static void write_line(struct writer *w, const char *word, const char *label)
{
    write_bytes(w, bytes_of_text(DASHES));
    write_bytes(w, bytes_of_text(word));
    write_bytes(w, bytes_of_text(label));
    write_bytes(w, bytes_of_text(DASHES "\n"));
}

void key_armor_write(struct writer *w, const char *label, struct bytes digits,
                     size_t width)
{
    write_line(w, "BEGIN ", label);
    while (digits.size) {
        size_t n = digits.size < width ? digits.size : width;
        write_bytes(w, bytes_of(digits.data, n));
        write_u8(w, '\n');
        digits = bytes_of(digits.data + n, digits.size - n);
    }
    write_line(w, "END ", label);
}
