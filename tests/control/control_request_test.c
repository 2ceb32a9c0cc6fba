#include "gateway/control/control_request.h"

#include "tests/unit.h"

/* The request must be usable as long as the order is. */
static bool parse(const char *text, json_t **request,
                  struct control_request *out)
{
    *request = json_loads(text, 0, NULL);
    assert_non_null(*request);
    return control_request_parse(*request, out);
}

static void every_order_is_known_by_its_name(void **state)
{
    static const struct {
        const char *text;
        enum control_request_type type;
    } orders[] = {
        {"{\"command\":\"status\"}", CONTROL_REQUEST_STATUS},
        {"{\"command\":\"settings\"}", CONTROL_REQUEST_SETTINGS},
        {"{\"command\":\"reconnect\"}", CONTROL_REQUEST_RECONNECT},
        {"{\"command\":\"stop\",\"more\":[1]}", CONTROL_REQUEST_STOP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        json_t *request;
        struct control_request order;
        assert_true(parse(orders[i].text, &request, &order));
        assert_int_equal(order.type, orders[i].type);
        json_decref(request);
    }
}

static void a_login_says_one_thing_or_more(void **state)
{
    json_t *request;
    struct control_request order;
    (void)state;
    assert_true(parse("{\"command\":\"login\",\"username\":\"ann\","
                      "\"password\":\"p\"}",
                      &request, &order));
    assert_int_equal(order.type, CONTROL_REQUEST_LOGIN);
    assert_string_equal(order.username, "ann");
    assert_string_equal(order.password, "p");
    assert_null(order.response);
    json_decref(request);

    assert_true(parse("{\"command\":\"login\",\"username\":\"ann\","
                      "\"password\":\"p\",\"response\":\"42\"}",
                      &request, &order));
    assert_string_equal(order.response, "42");
    json_decref(request);

    assert_true(
        parse("{\"command\":\"login\",\"response\":\"42\"}", &request, &order));
    assert_null(order.username);
    assert_null(order.password);
    assert_string_equal(order.response, "42");
    json_decref(request);
}

static void a_log_level_is_one_of_five_words(void **state)
{
    static const struct {
        const char *text;
        int level;
    } orders[] = {
        {"{\"command\":\"log-level\",\"level\":\"error\"}", LOG_ERROR},
        {"{\"command\":\"log-level\",\"level\":\"Debug\"}", LOG_DEBUG},
        {"{\"command\":\"log-level\",\"level\":\"default\"}", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        json_t *request;
        struct control_request order;
        assert_true(parse(orders[i].text, &request, &order));
        assert_int_equal(order.type, CONTROL_REQUEST_LOG_LEVEL);
        assert_int_equal(order.log_level, orders[i].level);
        json_decref(request);
    }
}

static void what_is_none_is_refused_and_changes_nothing(void **state)
{
    static const char *const none[] = {
        "{}",
        "[]",
        "7",
        "{\"command\":null}",
        "{\"command\":7}",
        "{\"command\":\"\"}",
        "{\"command\":\"Status\"}",
        "{\"command\":\"statusx\"}",
        "{\"command\":[\"status\"]}",
        "{\"command\":\"log-level\"}",
        "{\"command\":\"log-level\",\"level\":3}",
        "{\"command\":\"log-level\",\"level\":\"loud\"}",
        "{\"command\":\"login\"}",
        "{\"command\":\"login\",\"username\":null}",
        "{\"command\":\"login\",\"username\":\"ann\",\"password\":7}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        json_t *request = json_loads(none[i], JSON_DECODE_ANY, NULL);
        struct control_request order = {.type = CONTROL_REQUEST_STOP};
        assert_non_null(request);
        assert_false(control_request_parse(request, &order));
        assert_int_equal(order.type, CONTROL_REQUEST_STOP);
        assert_null(order.username);
        json_decref(request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_is_known_by_its_name),
        cmocka_unit_test(a_login_says_one_thing_or_more),
        cmocka_unit_test(a_log_level_is_one_of_five_words),
        cmocka_unit_test(what_is_none_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
