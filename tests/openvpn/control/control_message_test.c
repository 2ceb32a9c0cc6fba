#include "gateway/openvpn/control/control_message.h"

#include "gateway/base/text.h"
#include "tests/unit.h"

static void assert_text(struct bytes text, const char *expected)
{
    assert_bytes_equal(text, bytes_of_text(expected));
}

/* The one message of a record. */
static struct control_message one(const char *text)
{
    struct control_message m;
    unsigned dropped = 0;
    struct bytes record = bytes_of(text, strlen(text) + 1);
    assert_true(control_message_take(&record, &m, &dropped));
    assert_int_equal(dropped, 0);
    struct control_message another;
    assert_false(control_message_take(&record, &another, &dropped));
    assert_int_equal(dropped, 0);
    return m;
}

static void a_record_is_cut_at_its_nuls(void **state)
{
    (void)state;
    static const char text[] = "RESTART\r\n\0\0EXIT\0HALT,x\n\r\n";
    struct bytes record = bytes_of(text, sizeof text);
    struct control_message m;
    unsigned dropped = 0;
    assert_true(control_message_take(&record, &m, &dropped));
    assert_text(m.text, "RESTART");
    assert_true(control_message_take(&record, &m, &dropped));
    assert_text(m.text, "EXIT");
    assert_true(control_message_take(&record, &m, &dropped));
    assert_text(m.text, "HALT,x");
    assert_text(m.rest, "x");
    assert_false(control_message_take(&record, &m, &dropped));
    assert_int_equal(record.size, 0);
    assert_int_equal(dropped, 0);
}

static void a_message_with_an_unprintable_byte_is_dropped(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        char text[] = "INFO,a?b\0EXIT";
        text[6] = (char)c;
        struct bytes record = bytes_of(text, sizeof text);
        struct control_message m;
        unsigned dropped = 0;
        bool printable = c >= 0x20 && c <= 0x7e;
        assert_true(control_message_take(&record, &m, &dropped));
        assert_int_equal(m.type, printable ? CONTROL_MESSAGE_INFO
                                           : CONTROL_MESSAGE_EXIT);
        assert_int_equal(dropped, !printable);
    }
}

static void text_without_a_nul_is_dropped(void **state)
{
    (void)state;
    static const char text[] = "PUSH_REPLY,a\0HALT";
    for (size_t size = 0; size < sizeof text; size++) {
        uint8_t *copy = exact_copy(text, size);
        struct bytes record = bytes_of(copy, size);
        struct control_message m;
        unsigned dropped = 0, taken = 0;
        while (control_message_take(&record, &m, &dropped))
            taken++;
        assert_int_equal(taken, size >= 13);
        assert_int_equal(dropped, size != 0 && size != 13);
        free(copy);
    }
}

static void each_keyword_has_its_type(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum control_message_type type;
        const char *rest;
    } cases[] = {
        {"AUTH_FAILED", CONTROL_MESSAGE_AUTH_FAILED, ""},
        {"AUTH_FAILED,why", CONTROL_MESSAGE_AUTH_FAILED, "why"},
        {"AUTH_FAILED why", CONTROL_MESSAGE_AUTH_FAILED, ""},
        {"PUSH_REPLY", CONTROL_MESSAGE_PUSH_REPLY, ""},
        {"PUSH_REPLY,ping 5,x", CONTROL_MESSAGE_PUSH_REPLY, "ping 5,x"},
        {"PUSH_UPDATE,-dns", CONTROL_MESSAGE_PUSH_UPDATE, "-dns"},
        {"PUSH_REQUEST", CONTROL_MESSAGE_PUSH_REQUEST, ""},
        {"PUSH_NOTHING", CONTROL_MESSAGE_UNKNOWN, ""},
        {"RESTART,[P]x", CONTROL_MESSAGE_RESTART, "[P]x"},
        {"HALT", CONTROL_MESSAGE_HALT, ""},
        {"INFO_PRE,x", CONTROL_MESSAGE_INFO_PRE, "x"},
        {"INFO,PRE", CONTROL_MESSAGE_INFO, "PRE"},
        {"CR_RESPONSE,eA==", CONTROL_MESSAGE_CR_RESPONSE, "eA=="},
        {"AUTH_PENDING,timeout 3", CONTROL_MESSAGE_AUTH_PENDING, "timeout 3"},
        {"EXIT", CONTROL_MESSAGE_EXIT, ""},
        {"EXI", CONTROL_MESSAGE_UNKNOWN, ""},
        {"ACC,x", CONTROL_MESSAGE_UNKNOWN, ""},
        {" EXIT", CONTROL_MESSAGE_UNKNOWN, ""},
        {"exit", CONTROL_MESSAGE_UNKNOWN, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct control_message m = one(cases[i].text);
        assert_int_equal(m.type, cases[i].type);
        assert_text(m.rest, cases[i].rest);
        assert_text(m.text, cases[i].text);
    }
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    for (enum control_message_type type = CONTROL_MESSAGE_UNKNOWN + 1;
         type < CONTROL_MESSAGE_TYPE_COUNT; type++)
        assert_int_equal(one(control_message_name(type)).type, type);
}

static struct control_auth_failed auth_failed(const char *text)
{
    struct control_auth_failed f;
    struct control_message m = one(text);
    assert_int_equal(m.type, CONTROL_MESSAGE_AUTH_FAILED);
    control_message_auth_failed(m.rest, &f);
    return f;
}

static void a_refusal_may_say_why(void **state)
{
    (void)state;
    struct control_auth_failed f = auth_failed("AUTH_FAILED");
    assert_int_equal(f.failure, CONTROL_AUTH_REFUSED);
    assert_text(f.reason, "");
    f = auth_failed("AUTH_FAILED,no such user, sorry");
    assert_int_equal(f.failure, CONTROL_AUTH_REFUSED);
    assert_text(f.reason, "no such user, sorry");
    f = auth_failed("AUTH_FAILED,SESSION");
    assert_int_equal(f.failure, CONTROL_AUTH_SESSION);
    assert_text(f.reason, "");
    f = auth_failed("AUTH_FAILED,SESSION:token expired");
    assert_int_equal(f.failure, CONTROL_AUTH_SESSION);
    assert_text(f.reason, "token expired");
}

/* The texts of OpenVPN's test_misc.c. */
static void a_temporary_failure_says_how_long_and_where_to(void **state)
{
    (void)state;
    struct control_auth_failed f =
        auth_failed("AUTH_FAILED,TEMP:There are no flags here [really not]");
    assert_int_equal(f.failure, CONTROL_AUTH_TEMPORARY);
    assert_text(f.reason, "There are no flags here [really not]");
    assert_int_equal(f.backoff, 0);
    assert_int_equal(f.advance, CONTROL_ADVANCE_NO);

    f = auth_failed("AUTH_FAILED,TEMP[backoff 42,advance no]");
    assert_int_equal(f.failure, CONTROL_AUTH_TEMPORARY);
    assert_text(f.reason, "");
    assert_int_equal(f.backoff, 42);
    assert_int_equal(f.advance, CONTROL_ADVANCE_NO);

    f = auth_failed(
        "AUTH_FAILED,TEMP[advance remote,backoff 77]:go round and round");
    assert_text(f.reason, "go round and round");
    assert_int_equal(f.backoff, 77);
    assert_int_equal(f.advance, CONTROL_ADVANCE_REMOTE);

    f = auth_failed("AUTH_FAILED,TEMP[advance addr]:x");
    assert_int_equal(f.advance, CONTROL_ADVANCE_ADDRESS);
    f = auth_failed("AUTH_FAILED,TEMP");
    assert_int_equal(f.failure, CONTROL_AUTH_TEMPORARY);
}

static void strange_flags_of_a_temporary_failure_are_ignored(void **state)
{
    (void)state;
    static const char *const strange[] = {
        "AUTH_FAILED,TEMP[]:x",
        "AUTH_FAILED,TEMP[,,]:x",
        "AUTH_FAILED,TEMP[backoff,advance]:x",
        "AUTH_FAILED,TEMP[backoff -1,backoff 99999999999,backoff 0x10]:x",
        "AUTH_FAILED,TEMP[backoff ,advance ,advance up,later 3]:x",
    };
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        struct control_auth_failed f = auth_failed(strange[i]);
        assert_int_equal(f.failure, CONTROL_AUTH_TEMPORARY);
        assert_int_equal(f.backoff, 0);
        assert_int_equal(f.advance, CONTROL_ADVANCE_NO);
        assert_text(f.reason, "x");
    }
    struct control_auth_failed f = auth_failed("AUTH_FAILED,TEMP[backoff 3");
    assert_int_equal(f.failure, CONTROL_AUTH_TEMPORARY);
    assert_int_equal(f.backoff, 0);
}

static void a_challenge_is_taken_apart(void **state)
{
    (void)state;
    struct control_auth_failed f = auth_failed(
        "AUTH_FAILED,CRV1:R,E:Om01u7Fh4LrGBS7uh0SWmzwabUiGiW6l:Y3Ix:Please: "
        "enter token PIN");
    assert_int_equal(f.failure, CONTROL_AUTH_CHALLENGE);
    assert_true(f.echo);
    assert_text(f.state_id, "Om01u7Fh4LrGBS7uh0SWmzwabUiGiW6l");
    assert_text(f.username_base64, "Y3Ix");
    assert_text(f.reason, "Please: enter token PIN");

    f = auth_failed("AUTH_FAILED,CRV1::::");
    assert_int_equal(f.failure, CONTROL_AUTH_CHALLENGE);
    assert_false(f.echo);
    assert_text(f.state_id, "");
    assert_text(f.reason, "");
}

static void a_broken_challenge_is_a_refusal(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "CRV1", "CRV1:", "CRV1:R,E", "CRV1:R,E:id", "CRV1:R,E:id:user",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct control_auth_failed f;
        control_message_auth_failed(bytes_of_text(broken[i]), &f);
        assert_int_equal(f.failure, CONTROL_AUTH_REFUSED);
        assert_text(f.reason, broken[i]);
        assert_int_equal(f.state_id.size, 0);
    }
}

static void assert_signal(const char *text, bool preserve, bool advance,
                          const char *reason)
{
    struct control_signal s;
    control_message_signal(one(text).rest, &s);
    assert_int_equal(s.preserve_credentials, preserve);
    assert_int_equal(s.advance, advance);
    assert_text(s.reason, reason);
}

static void restart_and_halt_have_flags(void **state)
{
    (void)state;
    assert_signal("RESTART", true, false, "");
    assert_signal("RESTART,", true, false, "");
    assert_signal("RESTART,server goes down", false, false, "server goes down");
    assert_signal("RESTART,[]x", false, false, "x");
    assert_signal("RESTART,[P]", true, false, "");
    assert_signal("RESTART,[N]go", false, true, "go");
    assert_signal("RESTART,[N,P]go", true, true, "go");
    assert_signal("HALT,[PN]go [P]", true, true, "go [P]");
    assert_signal("HALT,PN", false, false, "PN");
    assert_signal("HALT,[PN", false, false, "[PN");
}

static void pending_authentication_may_say_how_long(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t timeout;
    } cases[] = {
        {"AUTH_PENDING", 0},
        {"AUTH_PENDING,", 0},
        {"AUTH_PENDING,timeout 60", 60},
        {"AUTH_PENDING,other,timeout 4294967295,x 1", UINT32_MAX},
        {"AUTH_PENDING,timeout -1", 0},
        {"AUTH_PENDING,timeout 4294967296", 0},
        {"AUTH_PENDING,timeout", 0},
        {"AUTH_PENDING,timeout 1s", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(control_message_auth_pending(one(cases[i].text).rest),
                         cases[i].timeout);
}

static struct control_info info(const char *text)
{
    struct control_info i;
    control_message_info(one(text).rest, &i);
    return i;
}

static void information_has_kinds(void **state)
{
    (void)state;
    struct control_info i = info("INFO,maintenance at noon");
    assert_int_equal(i.kind, CONTROL_INFO_TEXT);
    assert_text(i.text, "maintenance at noon");

    i = info("INFO_PRE,WEB_AUTH:hidden,external:https://x.example/?a:b");
    assert_int_equal(i.kind, CONTROL_INFO_WEB_AUTH);
    assert_text(i.text, "https://x.example/?a:b");

    i = info("INFO_PRE,OPEN_URL:https://x.example/");
    assert_int_equal(i.kind, CONTROL_INFO_OPEN_URL);
    assert_text(i.text, "https://x.example/");

    i = info("INFO_PRE,CR_TEXT:R,E:Enter: code");
    assert_int_equal(i.kind, CONTROL_INFO_CHALLENGE);
    assert_true(i.echo);
    assert_true(i.response_required);
    assert_text(i.text, "Enter: code");

    i = info("INFO_PRE,CR_TEXT::Touch it");
    assert_int_equal(i.kind, CONTROL_INFO_CHALLENGE);
    assert_false(i.response_required);

    i = info("INFO_PRE,CR_TEXT:R");
    assert_int_equal(i.kind, CONTROL_INFO_TEXT);
    assert_text(i.text, "CR_TEXT:R");
    i = info("INFO_PRE");
    assert_int_equal(i.kind, CONTROL_INFO_TEXT);
    assert_text(i.text, "");
}

static void an_answer_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t memory[CONTROL_MESSAGE_MAX], answer[1024], back[1024];
    uint32_t seed = 3;
    for (size_t i = 0; i < sizeof answer; i++)
        answer[i] = (uint8_t)next_random(&seed);
    for (size_t size = 0; size < sizeof answer; size++) {
        struct writer w = writer_of(memory, sizeof memory);
        bool fits = 12 + (size + 2) / 3 * 4 + 1 <= CONTROL_MESSAGE_MAX;
        assert_int_equal(
            control_message_write_response(bytes_of(answer, size), &w), fits);
        if (!fits)
            continue;
        struct bytes record = writer_bytes(&w);
        struct control_message m;
        unsigned dropped = 0;
        size_t back_size;
        assert_true(control_message_take(&record, &m, &dropped));
        assert_int_equal(m.type, CONTROL_MESSAGE_CR_RESPONSE);
        assert_true(text_from_base64(m.rest, back, sizeof back, &back_size));
        assert_bytes_equal(bytes_of(back, back_size), bytes_of(answer, size));
    }
    struct writer w = writer_of(memory, 10);
    assert_false(control_message_write_response(bytes_of_text("x"), &w));
}

/* All parsers over every truncation of all kinds of text. */
static void every_truncation_is_read_within_its_bounds(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "TEMP[backoff 42,advance no,advance remote]:text",
        "CRV1:R,E:state:Y3Ix:text",
        "SESSION:text",
        "[P,N]text",
        "timeout 60,other",
        "WEB_AUTH:flags:text",
        "CR_TEXT:R,E:text",
        "OPEN_URL:text",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t size = 0; size <= strlen(texts[i]); size++) {
            uint8_t *copy = exact_copy(texts[i], size);
            struct bytes rest = bytes_of(copy, size);
            struct control_auth_failed f;
            struct control_signal s;
            struct control_info n;
            control_message_auth_failed(rest, &f);
            control_message_signal(rest, &s);
            control_message_info(rest, &n);
            assert_in_range(control_message_auth_pending(rest), 0, 60);
            assert_true(f.reason.size <= size && s.reason.size <= size &&
                        n.text.size <= size);
            free(copy);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_cut_at_its_nuls),
        cmocka_unit_test(a_message_with_an_unprintable_byte_is_dropped),
        cmocka_unit_test(text_without_a_nul_is_dropped),
        cmocka_unit_test(each_keyword_has_its_type),
        cmocka_unit_test(every_type_has_a_name),
        cmocka_unit_test(a_refusal_may_say_why),
        cmocka_unit_test(a_temporary_failure_says_how_long_and_where_to),
        cmocka_unit_test(strange_flags_of_a_temporary_failure_are_ignored),
        cmocka_unit_test(a_challenge_is_taken_apart),
        cmocka_unit_test(a_broken_challenge_is_a_refusal),
        cmocka_unit_test(restart_and_halt_have_flags),
        cmocka_unit_test(pending_authentication_may_say_how_long),
        cmocka_unit_test(information_has_kinds),
        cmocka_unit_test(an_answer_comes_back_as_it_was),
        cmocka_unit_test(every_truncation_is_read_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
