#include "gateway/serve/user_hashes.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

/* yescrypt with libcrypt's own cost, of bytes that nobody kept. */
static const char nobodys_hash[] =
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";

void user_hashes_fall_back(struct user_hashes *h)
{
    h->known = false;
    memcpy(h->hash, nobodys_hash, sizeof nobodys_hash);
}

void user_hashes_start(struct user_hashes *h, const struct siphash_key *key,
                       const char *name)
{
    *h = (struct user_hashes){.key = key, .name = name};
    user_hashes_fall_back(h);
}

/* passwd(5) and shadow(5) lock an account with the first two. */
static bool is_none(struct bytes hash)
{
    return hash.size == 0 || hash.size >= USER_HASHES_SIZE ||
           hash.data[0] == '!' || hash.data[0] == '*' ||
           memchr(hash.data, 0, hash.size);
}

/* The hash with the highest rank stands for this name. */
static uint64_t rank_of(const struct user_hashes *h, struct bytes hash)
{
    uint64_t parts[2] = {siphash(h->key, h->name, strlen(h->name)),
                         siphash(h->key, hash.data, hash.size)};
    return siphash(h->key, parts, sizeof parts);
}

void user_hashes_take(struct user_hashes *h, struct bytes line)
{
    struct bytes hash = text_trim(line), name;
    if (hash.size == 0 || hash.data[0] == '#' || !text_cut(&hash, ':', &name) ||
        is_none(hash))
        return;
    uint64_t rank = rank_of(h, hash);
    bool is_it = text_equal(name, h->name);
    if (h->known || (!is_it && rank <= h->rank))
        return;
    h->known = is_it;
    h->rank = rank;
    memcpy(h->hash, hash.data, hash.size);
    h->hash[hash.size] = 0;
}

void user_hashes_clear(struct user_hashes *h)
{
    secret_wipe(h, sizeof *h);
}
