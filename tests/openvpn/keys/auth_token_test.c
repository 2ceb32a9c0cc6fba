/* Tokens: OpenVPN's own examples (openvpn: test_auth_token.c), and what is
 * none. */
#include "gateway/openvpn/keys/auth_token.h"

#include "tests/unit.h"

#define BEGIN "-----BEGIN OpenVPN auth-token server key-----\n"
#define END   "-----END OpenVPN auth-token server key-----\n"

static const char zeroes[] =
    BEGIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" END;
static const char zeroes_token[] =
    "SESS_ID_AT_0123456789abcdefAAAAAAAAAAAAAAAAAAAAAE5JsQJOVfo8jnI3RL3tBaR5NkE"
    "4yPfcylFUHmHSc5Bu";

static const char some_key[] = BEGIN
    "+mmmf7IQ5cymtMVjKYTWk8IOcYanRlpQmV9Tb3EjkHYxueBVDg3yqRgzeBlVGzNLD//"
    "rAPiOVhau\n"
    "3NDBjNOQB8951bfs7Cc2mYfay92Bh2gRJ5XEM/DMfzCWN+7uU6NWoTTHr4FuojnIQtjtqVAj/"
    "JS9\n"
    "w+dTSp/vYHl+c7uHd19uVRu/"
    "qLqV85+rm4tUGIjO7FfYuwyPqwmhuIsi3hs9QkSimh888FmBpoK"
    "Y\n"
    "/tbKVTJZmSERKti9KEwtV2eVAR0znN5KW7lCB3mHVAhN7bUpcoDjfCzYIFARxwswTFu9gFkwqU"
    "M"
    "Y\n"
    "I1KUOgIsVNs4llACioeXplYekWETR+YkJwDc/A==\n" END;
static const char some_token[] =
    "SESS_ID_AT_ThhRItzOKNKrh3dfAAAAAFwzHpwAAAAAXDMenDdrq0RoH3dkA1f7O3wO+"
    "7kZcx2DusVZrRmFlWQM9HOb";

static const char username[] = "test user name";

static struct auth_token_key key_of(const char *text)
{
    struct auth_token_key key;
    assert_true(auth_token_parse_key(bytes_of_text(text), &key));
    return key;
}

static bool reads(const char *key_text, const char *name, const char *text,
                  struct auth_token *out)
{
    struct auth_token_key key = key_of(key_text);
    uint8_t *copy = exact_copy(text, strlen(text));
    bool read = auth_token_read(&key, bytes_of_text(name),
                                bytes_of(copy, strlen(text)), out);
    free(copy);
    return read;
}

static void round_trip(const char *key_text, const char *text, uint64_t time)
{
    struct auth_token token;
    char again[AUTH_TOKEN_TEXT_SIZE];
    struct auth_token_key key = key_of(key_text);
    assert_true(reads(key_text, username, text, &token));
    assert_int_equal(token.initial, time);
    assert_int_equal(token.made, time);
    assert_true(auth_token_write(&key, &token, bytes_of_text(username), again));
    assert_string_equal(again, text);
}

static void openvpns_tokens_are_ours(void **state)
{
    (void)state;
    round_trip(zeroes, zeroes_token, 0);
    round_trip(some_key, some_token, 0x5c331e9c);
}

static void a_token_is_of_one_name_and_key(void **state)
{
    (void)state;
    struct auth_token token;
    assert_false(reads(zeroes, "test user nam", zeroes_token, &token));
    assert_false(reads(zeroes, "", zeroes_token, &token));
    assert_false(reads(some_key, username, zeroes_token, &token));
}

static void every_altered_or_cut_token_is_refused(void **state)
{
    (void)state;
    struct auth_token token;
    char text[sizeof zeroes_token];
    for (size_t i = 0; i + 1 < sizeof zeroes_token; i++) {
        memcpy(text, zeroes_token, sizeof text);
        text[i] = text[i] == 'B' ? 'C' : 'B';
        assert_false(reads(zeroes, username, text, &token));
        memcpy(text, zeroes_token, sizeof text);
        text[i] = 0;
        assert_false(reads(zeroes, username, text, &token));
    }
}

static void a_token_gets_too_old(void **state)
{
    (void)state;
    const struct auth_token_times times = {.renewal = 60, .lifetime = 1000};
    struct auth_token token = {.initial = 5000, .made = 5500};
    assert_true(auth_token_is_fresh(&token, &times, 5500));
    assert_true(auth_token_is_fresh(&token, &times, 5619));
    assert_false(auth_token_is_fresh(&token, &times, 5620));
    assert_false(auth_token_is_fresh(&token, &times, 5499));
    token.made = 5990;
    assert_true(auth_token_is_fresh(&token, &times, 6000));
    assert_false(auth_token_is_fresh(&token, &times, 6001));
    token.made = 4999;
    assert_false(auth_token_is_fresh(&token, &times, 5000));
}

static void every_truncated_key_is_refused(void **state)
{
    (void)state;
    struct auth_token_key key;
    for (size_t n = 0; n + 2 < sizeof zeroes; n++) {
        uint8_t *copy = exact_copy(zeroes, n);
        assert_false(auth_token_parse_key(bytes_of(copy, n), &key));
        free(copy);
    }
    assert_false(auth_token_parse_key(
        bytes_of_text(BEGIN "AAAAAAAAAAAAAAAAAAAAAA==\n" END), &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openvpns_tokens_are_ours),
        cmocka_unit_test(a_token_is_of_one_name_and_key),
        cmocka_unit_test(every_altered_or_cut_token_is_refused),
        cmocka_unit_test(a_token_gets_too_old),
        cmocka_unit_test(every_truncated_key_is_refused),
    };
    return cmocka_run_group_tests_name("auth_token", tests, NULL, NULL);
}
