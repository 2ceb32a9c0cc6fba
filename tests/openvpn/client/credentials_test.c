#include "gateway/openvpn/client/credentials.h"

#include "tests/unit.h"

struct trial {
    struct config config;
    struct credentials c;
};

static struct trial *begin(const char *username, const char *password)
{
    struct trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    config_init(&t->config);
    t->config.auth_user_pass = true;
    if (username)
        assert_true(
            config_set_text(&t->config.username, bytes_of_text(username)));
    if (password)
        assert_true(
            config_set_text(&t->config.password, bytes_of_text(password)));
    credentials_init(&t->c, &t->config);
    return t;
}

static void end(struct trial *t)
{
    credentials_clear(&t->c);
    config_clear(&t->config);
    free(t);
}

static void sends(struct trial *t, const char *username, const char *password)
{
    struct key_exchange m = {0};
    credentials_write(&t->c, &m);
    assert_bytes_equal(m.username, bytes_of_text(username));
    assert_bytes_equal(m.password, bytes_of_text(password));
}

static enum credentials_verdict refuse(struct trial *t, const char *reason)
{
    struct control_auth_failed failed;
    control_message_auth_failed(bytes_of_text(reason), &failed);
    return credentials_refused(&t->c, &failed);
}

static void nothing_is_sent_that_nobody_wants(void **state)
{
    (void)state;
    struct trial *t = begin("anna", "secret");
    t->config.auth_user_pass = false;
    assert_null(credentials_question(&t->c));
    sends(t, "", "");
    assert_int_equal(refuse(t, ""), CREDENTIALS_LATER);
    end(t);
}

static void the_profiles_come_first_a_persons_later(void **state)
{
    (void)state;
    struct trial *t = begin("anna", "secret");
    assert_null(credentials_question(&t->c));
    sends(t, "anna", "secret");
    credentials_answer(&t->c, NULL, "new", NULL);
    sends(t, "anna", "new");
    credentials_answer(&t->c, "bob", NULL, NULL);
    sends(t, "bob", "new");
    end(t);
}

static void what_is_missing_is_asked(void **state)
{
    (void)state;
    struct trial *t = begin("anna", NULL);
    assert_string_equal(credentials_question(&t->c), "User name and password");
    credentials_answer(&t->c, NULL, "secret", NULL);
    assert_null(credentials_question(&t->c));
    sends(t, "anna", "secret");
    end(t);
}

static void only_what_is_missing_is_wanted(void **state)
{
    (void)state;
    struct trial *t = begin(NULL, NULL);
    unsigned login = CREDENTIALS_USERNAME | CREDENTIALS_PASSWORD;
    assert_int_equal(credentials_wanted(&t->c), login);
    credentials_answer(&t->c, "anna", NULL, NULL);
    assert_int_equal(credentials_wanted(&t->c), CREDENTIALS_PASSWORD);
    assert_true(
        config_set_text(&t->config.static_challenge, bytes_of_text("PIN?")));
    assert_int_equal(credentials_wanted(&t->c),
                     CREDENTIALS_PASSWORD | CREDENTIALS_RESPONSE);
    credentials_answer(&t->c, NULL, "secret", "99");
    assert_int_equal(credentials_wanted(&t->c), 0);
    /* A person's, so a person may have mistyped it. */
    assert_int_equal(refuse(t, "no"), CREDENTIALS_ASK);
    assert_int_equal(credentials_wanted(&t->c), login | CREDENTIALS_RESPONSE);
    assert_int_equal(refuse(t, "CRV1:R,E:state:Ym9i:Which: one?"),
                     CREDENTIALS_ASK);
    assert_int_equal(credentials_wanted(&t->c), CREDENTIALS_RESPONSE);
    end(t);
}

static void a_static_challenge_is_sent_in_either_form(void **state)
{
    (void)state;
    struct trial *t = begin("anna", "pw");
    assert_true(
        config_set_text(&t->config.static_challenge, bytes_of_text("PIN?")));
    assert_string_equal(credentials_question(&t->c), "PIN?");
    credentials_answer(&t->c, NULL, NULL, "99");
    assert_null(credentials_question(&t->c));
    sends(t, "anna", "SCRV1:cHc=:OTk=");
    t->config.static_challenge_concat = true;
    sends(t, "anna", "pw99");
    /* It is good for one connection. */
    credentials_accepted(&t->c);
    assert_string_equal(credentials_question(&t->c), "PIN?");
    end(t);
}

static void a_dynamic_challenge_takes_the_passwords_place(void **state)
{
    (void)state;
    struct trial *t = begin("anna", "pw");
    assert_int_equal(refuse(t, "CRV1:R,E:state:Ym9i:Which: one?"),
                     CREDENTIALS_ASK);
    assert_string_equal(credentials_question(&t->c), "Which: one?");
    credentials_answer(&t->c, NULL, NULL, "this");
    sends(t, "bob", "CRV1::state::this");
    credentials_accepted(&t->c);
    sends(t, "anna", "pw");
    end(t);
}

static void who_may_see_an_answer_is_the_questions_matter(void **state)
{
    (void)state;
    struct trial *t = begin("anna", "pw");
    assert_false(credentials_shows_response(&t->c));
    (void)refuse(t, "CRV1:R,E:state:Ym9i:Which one?");
    assert_true(credentials_shows_response(&t->c));
    (void)refuse(t, "CRV1:R:state:Ym9i:The secret one?");
    assert_false(credentials_shows_response(&t->c));
    end(t);
    t = begin("anna", "pw");
    t->config.static_challenge_echo = true;
    assert_true(credentials_shows_response(&t->c));
    end(t);
}

static void a_server_may_have_a_password_forgotten(void **state)
{
    (void)state;
    struct trial *t = begin("anna", NULL);
    credentials_answer(&t->c, NULL, "typed", NULL);
    assert_null(credentials_question(&t->c));
    credentials_forget(&t->c);
    assert_non_null(credentials_question(&t->c));
    credentials_answer(&t->c, NULL, "typed", NULL);
    credentials_token(&t->c, "", "token");
    credentials_forget(&t->c);
    assert_null(credentials_question(&t->c));
    end(t);
    t = begin("anna", "pw");
    credentials_forget(&t->c);
    sends(t, "anna", "pw");
    end(t);
}

/* Nobody could answer, and nobody would be asked. */
static void who_has_no_password_is_not_challenged(void **state)
{
    (void)state;
    struct trial *t = begin(NULL, NULL);
    t->config.auth_user_pass = false;
    assert_int_equal(refuse(t, "CRV1:R,E:state:Ym9i:Which one?"),
                     CREDENTIALS_LATER);
    assert_null(credentials_question(&t->c));
    end(t);
}

static void malformed_challenges_are_plain_refusals(void **state)
{
    (void)state;
    static const char *const texts[] = {"CRV1",
                                        "CRV1:R",
                                        "CRV1:R:state",
                                        "CRV1:R:state:***:text",
                                        "CRV2:R:state:Ym9i:text",
                                        ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct trial *t = begin("anna", "pw");
        assert_int_equal(refuse(t, texts[i]), CREDENTIALS_LATER);
        assert_null(credentials_question(&t->c));
        sends(t, "anna", "pw");
        end(t);
    }
}

/* With auth-nocache least of all may a copy stay behind. */
static void what_was_sent_is_forgotten(void **state)
{
    (void)state;
    static const char secret[] = "sesame, open";
    struct trial *t = begin("anna", secret);
    struct key_exchange message = {0};
    credentials_write(&t->c, &message);
    assert_bytes_equal(message.password, bytes_of_text(secret));
    credentials_sent(&t->c);
    assert_null(memmem(&t->c, sizeof t->c, secret, sizeof secret - 1));
    sends(t, "anna", secret);
    end(t);
}

static void a_token_is_used_until_it_is_refused(void **state)
{
    (void)state;
    struct trial *t = begin("anna", "pw");
    credentials_token(&t->c, "", "token1");
    sends(t, "anna", "token1");
    credentials_token(&t->c, "token-user", "token2");
    sends(t, "token-user", "token2");
    assert_int_equal(refuse(t, "SESSION:expired"), CREDENTIALS_AGAIN);
    sends(t, "anna", "pw");
    assert_int_equal(refuse(t, ""), CREDENTIALS_LATER);
    end(t);
}

static void a_token_too_long_is_no_token(void **state)
{
    (void)state;
    static char text[CREDENTIALS_TEXT_SIZE + 1];
    struct trial *t = begin("anna", "pw");
    memset(text, 'x', CREDENTIALS_TEXT_SIZE);
    credentials_token(&t->c, "", text);
    sends(t, "anna", "pw");
    end(t);
}

static void an_account_is_not_locked_by_trying(void **state)
{
    (void)state;
    struct trial *t = begin("anna", "wrong");
    for (int i = 1; i < CREDENTIALS_REFUSALS_MAX; i++)
        assert_int_equal(refuse(t, "no"), CREDENTIALS_LATER);
    assert_int_equal(refuse(t, "no"), CREDENTIALS_ASK);
    assert_non_null(strstr(credentials_question(&t->c), "refuses"));
    /* A person's wrong password is asked for again at once. */
    credentials_answer(&t->c, "anna", "wrong too", NULL);
    assert_null(credentials_question(&t->c));
    assert_int_equal(refuse(t, "no"), CREDENTIALS_ASK);
    credentials_answer(&t->c, NULL, "right", NULL);
    sends(t, "anna", "right");
    end(t);
}

static void auth_nocache_forgets_a_persons_password(void **state)
{
    (void)state;
    struct trial *t = begin("anna", NULL);
    t->config.auth_nocache = true;
    credentials_answer(&t->c, NULL, "secret", NULL);
    credentials_accepted(&t->c);
    sends(t, "anna", "secret"); /* a renegotiation needs it */
    credentials_disconnected(&t->c);
    assert_non_null(credentials_question(&t->c));
    end(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_that_nobody_wants),
        cmocka_unit_test(the_profiles_come_first_a_persons_later),
        cmocka_unit_test(what_is_missing_is_asked),
        cmocka_unit_test(only_what_is_missing_is_wanted),
        cmocka_unit_test(a_static_challenge_is_sent_in_either_form),
        cmocka_unit_test(a_dynamic_challenge_takes_the_passwords_place),
        cmocka_unit_test(who_may_see_an_answer_is_the_questions_matter),
        cmocka_unit_test(a_server_may_have_a_password_forgotten),
        cmocka_unit_test(who_has_no_password_is_not_challenged),
        cmocka_unit_test(malformed_challenges_are_plain_refusals),
        cmocka_unit_test(what_was_sent_is_forgotten),
        cmocka_unit_test(a_token_is_used_until_it_is_refused),
        cmocka_unit_test(a_token_too_long_is_no_token),
        cmocka_unit_test(an_account_is_not_locked_by_trying),
        cmocka_unit_test(auth_nocache_forgets_a_persons_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
