#include "gateway/openvpn/client/client_overlay.h"

#include "tests/unit.h"

/* As config_parser leaves it: two UDP remotes behind a proxy with a name. */
static void make_profile(struct config *profile)
{
    config_init(profile);
    profile->remotes = calloc(2, sizeof *profile->remotes);
    profile->remote_count = 2;
    for (int i = 0; i < 2; i++) {
        struct config_remote *r = &profile->remotes[i];
        config_remote_init(r);
        strcpy(r->host, "profile.example.com");
        r->port = 1194;
        r->family = ADDRESS_IPV4;
        r->proxy.kind = CONFIG_PROXY_HTTP;
        assert_true(config_set_text(&r->proxy.username, bytes_of_text("u")));
        assert_true(blob_set(&r->wrap_key, bytes_of_text("the key")));
    }
    profile->remotes[1].protocol = CONFIG_TCP;
    profile->auth_user_pass = true;
    assert_true(config_set_text(&profile->username, bytes_of_text("alice")));
    assert_true(config_set_text(&profile->password, bytes_of_text("secret")));
}

static void servers_replace_those_of_the_profile(void **state)
{
    (void)state;
    struct protocol_overlay o = {0};
    struct config profile;
    const char *why;
    make_profile(&profile);
    assert_true(client_overlay_apply(&o, &profile, &why));
    assert_int_equal(profile.remote_count, 2);
    assert_string_equal(profile.remotes[0].host, "profile.example.com");

    o.server_count = 3;
    o.servers[0] = (struct protocol_overlay_server){.host = "a.example.com"};
    o.servers[1] =
        (struct protocol_overlay_server){"b.example.com", 443, PROTOCOL_TCP};
    o.servers[2] =
        (struct protocol_overlay_server){"::1", 7, PROTOCOL_ANY_TRANSPORT};
    assert_true(client_overlay_apply(&o, &profile, &why));
    assert_int_equal(profile.remote_count, 3);
    assert_string_equal(profile.remotes[0].host, "a.example.com");
    assert_int_equal(profile.remotes[0].port, 1194);
    assert_int_equal(profile.remotes[0].protocol, CONFIG_UDP);
    assert_int_equal(profile.remotes[0].family, ADDRESS_NONE);
    assert_int_equal(profile.remotes[1].port, 443);
    assert_int_equal(profile.remotes[1].protocol, CONFIG_TCP);
    assert_string_equal(profile.remotes[2].host, "::1");
    for (int i = 0; i < 3; i++) {
        /* Each with a key of its own, of the same content. */
        assert_int_equal(profile.remotes[i].wrap_key.size, 7);
        assert_memory_equal(profile.remotes[i].wrap_key.data, "the key", 7);
        assert_string_equal(profile.remotes[i].proxy.username, "u");
    }
    config_clear(&profile);
}

static void a_proxy_replaces_that_of_the_profile(void **state)
{
    (void)state;
    struct protocol_overlay o = {0};
    struct config profile;
    const char *why;
    make_profile(&profile);
    o.proxy = PROTOCOL_PROXY_SOCKS;
    o.proxy_server =
        (struct protocol_overlay_server){.host = "proxy", .port = 1080};
    assert_true(client_overlay_apply(&o, &profile, &why));
    assert_int_equal(profile.remote_count, 2);
    assert_int_equal(profile.remotes[0].proxy.kind, CONFIG_PROXY_SOCKS);
    assert_string_equal(profile.remotes[0].proxy.host, "proxy");
    assert_int_equal(profile.remotes[0].proxy.port, 1080);
    assert_null(profile.remotes[0].proxy.username);

    /* HTTP carries TCP only, and nobody goes around the proxy. */
    o.proxy = PROTOCOL_PROXY_HTTP;
    o.proxy_server.port = 3128;
    assert_true(client_overlay_apply(&o, &profile, &why));
    assert_int_equal(profile.remote_count, 1);
    assert_int_equal(profile.remotes[0].protocol, CONFIG_TCP);
    assert_int_equal(profile.remotes[0].proxy.kind, CONFIG_PROXY_HTTP);
    assert_int_equal(profile.remotes[0].wrap_key.size, 7);
    o.server_count = 1;
    o.servers[0] =
        (struct protocol_overlay_server){"a.example.com", 0, PROTOCOL_UDP};
    assert_false(client_overlay_apply(&o, &profile, &why));
    assert_non_null(strstr(why, "TCP"));
    config_clear(&profile);
}

static void another_user_has_another_password(void **state)
{
    (void)state;
    struct protocol_overlay o = {0};
    struct config profile;
    const char *why;
    make_profile(&profile);
    strcpy(o.username, "alice");
    assert_true(client_overlay_apply(&o, &profile, &why));
    assert_string_equal(profile.password, "secret");
    strcpy(o.username, "bob");
    assert_true(client_overlay_apply(&o, &profile, &why));
    assert_string_equal(profile.username, "bob");
    assert_null(profile.password);
    config_clear(&profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_replace_those_of_the_profile),
        cmocka_unit_test(a_proxy_replaces_that_of_the_profile),
        cmocka_unit_test(another_user_has_another_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
