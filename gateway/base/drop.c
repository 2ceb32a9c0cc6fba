#include "gateway/base/drop.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} reasons[DROP_COUNT] = {[DROP_NONE] = {"NONE", ""},
#define X(name, text) [DROP_##name] = {#name, text},
                         DROP_REASONS(X)
#undef X
};

const char *drop_text(enum drop reason)
{
    return reasons[reason].text;
}

const char *drop_name(enum drop reason)
{
    return reasons[reason].name;
}

static bool is_abbreviation(const char *word, size_t size)
{
    static const char *const known[] = {"IP", "ICMP", "MAC", "TTL"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i]) == size && memcmp(known[i], word, size) == 0)
            return true;
    return false;
}

/* One word at a time, up to the end or the next underscore. */
const char *drop_words(enum drop reason, char out[DROP_WORDS_SIZE])
{
    const char *name =
        reason == DROP_TUNNEL_DOWN ? "NOT_CONNECTED" : reasons[reason].name;
    size_t used = 0;
    while (*name && used + 1 < DROP_WORDS_SIZE) {
        size_t size = strcspn(name, "_");
        bool as_it_is = is_abbreviation(name, size);
        bool ipv6 = size == 4 && memcmp(name, "IPV6", size) == 0;
        for (size_t i = 0; i < size && used + 1 < DROP_WORDS_SIZE; i++)
            out[used++] = as_it_is || (ipv6 && i != 2)
                              ? name[i]
                              : (char)tolower((unsigned char)name[i]);
        name += size;
        if (*name && used + 1 < DROP_WORDS_SIZE) {
            out[used++] = ' ';
            name++;
        }
    }
    out[used] = '\0';
    return out;
}
