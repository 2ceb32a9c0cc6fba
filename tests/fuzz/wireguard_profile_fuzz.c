#include "gateway/wireguard/profile/wireguard_profile.h"

#include "tests/fuzz/target.h"

static unsigned errors;

static void report(void *context, enum protocol_severity severity,
                   unsigned line, const char *text)
{
    (void)context, (void)line;
    check(text[0] && !strchr(text, '\n'));
    errors += severity == PROTOCOL_ERROR;
}

static void describe(void *context, const char *topic, const char *text)
{
    (void)context;
    check(topic[0] && !strchr(text, '\n'));
}

/* A usable profile has all that a client needs. */
static void check_usable(const struct wireguard_profile *p)
{
    check(p->has_key && p->peer_count > 0);
    check(p->ipv4.address.family || p->ipv6.address.family);
    check(p->main < p->peer_count && p->peers[p->main].has_key);
    check(p->profile.server_count == 1 && p->servers[0].port > 0);
    for (uint16_t i = 0; i < p->network_count; i++)
        check(p->networks[i].peer < p->peer_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct protocol_reader reader = {.report = report};
    bool usable;
    be_quiet();
    errors = 0;
    struct protocol_profile *p = wireguard_profile_read(
        bytes_of(data, size), "fuzz.conf", &reader, &usable);
    check(p && usable == (errors == 0));
    (void)wireguard_profile_recognises(bytes_of(data, size));
    wireguard_profile_describe(p, describe, NULL);
    if (usable)
        check_usable((const struct wireguard_profile *)p);
    wireguard_profile_forget(p);
    return 0;
}
