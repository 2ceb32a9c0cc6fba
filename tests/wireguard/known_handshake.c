#include "tests/wireguard/known_handshake.h"

#include "tests/crypto/vectors.h"
#include "tests/unit.h"

#define VALUE(name, field)                                                     \
    {                                                                          \
        name, offsetof(struct known_handshake, field),                         \
            sizeof((struct known_handshake *)0)->field                         \
    }

static const struct {
    const char *name;
    size_t offset, size;
} values[] = {
    VALUE("Spriv_i", private_i),
    VALUE("Spub_i", public_i),
    VALUE("Spriv_r", private_r),
    VALUE("Spub_r", public_r),
    VALUE("Epriv_i", ephemeral_i),
    VALUE("Epriv_r", ephemeral_r),
    VALUE("psk", psk),
    VALUE("timestamp", timestamp),
    VALUE("C2", c[2]),
    VALUE("C3", c[3]),
    VALUE("C7", c[7]),
    VALUE("H2", h[2]),
    VALUE("H3", h[3]),
    VALUE("H6", h[6]),
    VALUE("initiation", initiation),
    VALUE("response", response),
    VALUE("initiation_with_mac2", initiation_with_mac2),
    VALUE("response_without_psk", response_without_psk),
    VALUE("T_i_to_r", i_to_r),
    VALUE("T_r_to_i", r_to_i),
    VALUE("T_i_to_r_without_psk", i_to_r_without_psk),
    VALUE("keepalive", keepalive),
    VALUE("inner", inner),
    VALUE("data", data),
    VALUE("data_back", data_back),
    VALUE("cookie_secret", cookie_secret),
    VALUE("cookie", cookie),
    VALUE("cookie_reply", cookie_reply),
};

enum { VALUES = sizeof values / sizeof *values };

void known_handshake_read(struct known_handshake *k)
{
    struct vectors v;
    size_t found = 0;
    vectors_open(&v, "tests/vectors/wireguard.txt");
    while (vectors_next(&v))
        for (size_t i = 0; i < VALUES; i++) {
            uint8_t *out = (uint8_t *)k + values[i].offset;
            if (!vectors_text(&v, values[i].name))
                continue;
            assert_int_equal(
                vectors_bytes(&v, values[i].name, out, values[i].size),
                values[i].size);
            found++;
        }
    vectors_close(&v);
    assert_int_equal(found, VALUES);
}
