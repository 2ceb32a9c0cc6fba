/* A file of names and hashes: whatever stands in it there is a hash to make,
 * and only a line of that name lets anybody in. The first line is the name. */
#include "gateway/serve/user_hashes.h"

#include <string.h>

#include "gateway/base/text.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct siphash_key key = {1, 2};
    struct bytes rest = bytes_of(data, size), line;
    struct user_hashes h;
    char name[128];
    if (!text_cut(&rest, '\n', &line) || !text_copy(name, sizeof name, line))
        return 0;
    user_hashes_start(&h, &key, name);
    while (text_cut(&rest, '\n', &line))
        user_hashes_take(&h, line);
    check(h.hash[0] != 0 && h.hash[0] != '!' && h.hash[0] != '*');
    check(memchr(h.hash, 0, sizeof h.hash) != NULL);
    check(!h.known || memmem(data, size, h.hash, strlen(h.hash)));
    user_hashes_clear(&h);
    return 0;
}
