#include "gateway/dom0/vm_config.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/openvpn/client/client_overlay.h"
#include "tests/fuzz/target.h"

/* In the directory of profiles or below, and no hidden file. */
static void check_below(const char *name)
{
    struct bytes rest = bytes_of_text(name), part;
    check(rest.size > 0 && rest.data[rest.size - 1] != '/');
    while (text_cut(&rest, '/', &part))
        check(part.size > 0 && part.data[0] != '.');
}

static void check_values(const struct vm_config *c)
{
    const struct vm_config_values *v = &c->values;
    if (vm_config_in_force(c, VM_CONFIG_MTU))
        check(v->mtu >= VM_CONFIG_MTU_MIN && v->mtu <= VM_CONFIG_MTU_MAX);
    if (vm_config_in_force(c, VM_CONFIG_PROFILE)) {
        check(v->profile_count > 0);
        for (size_t i = 0; i < v->profile_count; i++)
            check_below(v->profiles[i]);
    }
    if (vm_config_in_force(c, VM_CONFIG_REMOTE)) {
        check(v->overlay.server_count > 0);
        for (size_t i = 0; i < v->overlay.server_count; i++)
            check(v->overlay.servers[i].host[0]);
    }
    if (vm_config_in_force(c, VM_CONFIG_PROXY))
        check(v->overlay.proxy != PROTOCOL_PROXY_NONE &&
              v->overlay.proxy_server.port);
    for (unsigned key = 0; key < VM_CONFIG_KEY_COUNT; key++) {
        enum vm_config_state state = c->states[key];
        check((state == VM_CONFIG_KEPT || state == VM_CONFIG_WRONG) ==
              (c->why[key][0] != '\0'));
    }
}

static void apply(const struct vm_config *c)
{
    struct config profile;
    const char *why;
    struct tunnel before = {.mtu = 1400, .resolver_count = 1}, after = before;

    config_init(&profile);
    profile.remotes = calloc(1, sizeof *profile.remotes);
    check(profile.remotes != NULL);
    config_remote_init(&profile.remotes[0]);
    profile.remote_count = 1;
    const struct protocol_overlay overlay = vm_config_overlay(c);
    if (client_overlay_apply(&overlay, &profile, &why))
        check(profile.remote_count > 0);
    else
        check(why && *why);
    config_clear(&profile);

    vm_config_limit(c, &after);
    check(after.mtu <= before.mtu && !after.redirect_ipv6);
    check(after.resolver_count <= TUNNEL_RESOLVERS_MAX);
}

/* A line is a key's number, and a value, one after another. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm_config c;
    struct bytes text = bytes_of(data, size), line;

    memset(&c, 0, sizeof c);
    while (text_cut(&text, '\n', &line)) {
        if (line.size == 0)
            continue;
        enum vm_config_key key =
            (enum vm_config_key)(line.data[0] % VM_CONFIG_KEY_COUNT);
        bool was_in_force = vm_config_in_force(&c, key);
        line.data++;
        line.size--;
        vm_config_set(&c, key, line);
        check(!was_in_force || vm_config_in_force(&c, key) ||
              c.states[key] == VM_CONFIG_UNSET);
        check_values(&c);
    }
    apply(&c);
    return 0;
}
