#include "gateway/dom0/dom0.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "qubesdb/qubesdb.h"

static_assert((int)QUBESDB_READ == LOOP_READ &&
                  (int)QUBESDB_WRITE == LOOP_WRITE,
              "the client's events are the loop's");

struct dom0 {
    struct dom0_owner owner;
    struct loop *loop;
    struct router *router;
    struct qubesdb *qubesdb;
    struct loop_watch watch; /* fd -1: none */
    struct loop_timer timer;
    struct vm_config config;
    bool own_is_stale;
};

/* --- The client in the loop ---------------------------------------------- */

static void set_timer(struct dom0 *d)
{
    loop_timer_set(&d->timer, qubesdb_deadline(d->qubesdb));
}

static void on_ready(void *context, struct instant now, unsigned events)
{
    struct dom0 *d = context;
    (void)events;
    qubesdb_ready(d->qubesdb, now);
    set_timer(d);
}

static void on_expired(void *context, struct instant now)
{
    struct dom0 *d = context;
    qubesdb_expire(d->qubesdb, now);
    set_timer(d);
}

static void on_wait(void *context, int fd, unsigned events)
{
    struct dom0 *d = context;
    if (fd < 0) {
        if (d->watch.fd >= 0)
            loop_remove(d->loop, &d->watch);
        d->watch.fd = -1;
    } else if (d->watch.fd >= 0) {
        (void)loop_change(d->loop, &d->watch, events);
    } else {
        /* If this fails no answer is seen, and the client begins anew. */
        d->watch.fd = fd;
        if (loop_add(d->loop, &d->watch, events) != OK)
            d->watch.fd = -1;
    }
}

/* --- Rules --------------------------------------------------------------- */

static void on_rules(void *context, struct instant now,
                     const struct rule_tree *tree)
{
    struct dom0 *d = context;
    struct rules_entry *entries = NULL;

    if (tree->present)
        entries = calloc(tree->count + 1, sizeof *entries);
    if (!entries) {
        if (tree->present)
            log_error("dom0: out of memory: a qube's rules are taken away");
        router_forget_rules(d->router, now, &tree->source);
        d->owner.rules(d->owner.context, now);
        return;
    }
    for (size_t i = 0; i < tree->count; i++)
        entries[i] = (struct rules_entry){bytes_of_text(tree->lines[i].name),
                                          tree->lines[i].value};
    router_set_rules(d->router, now, &tree->source, entries, tree->count);
    free(entries);
    d->owner.rules(d->owner.context, now);
    qubesdb_rules_handled(d->qubesdb, now, &tree->source);
}

/* --- Settings and addresses ---------------------------------------------- */

static void set_setting(struct dom0 *d, struct instant now, const char *name)
{
    struct bytes value;
    enum vm_config_key key = vm_config_key_of(name);
    bool is_set = keys_vm_config(qubesdb_store(d->qubesdb), name, &value);

    if (key == VM_CONFIG_KEY_COUNT) {
        if (is_set && strncmp(name, "vpn-", strlen("vpn-")) == 0)
            log_warn("dom0: vm-config.%s: there is no such setting", name);
        return;
    }
    bool changed = is_set ? vm_config_set(&d->config, key, value)
                          : vm_config_unset(&d->config, key);
    if (d->config.why[key][0])
        log_warn("dom0: %s%s", d->config.why[key],
                 d->config.states[key] == VM_CONFIG_KEPT
                     ? "; the value before stays active"
                     : "");
    if (changed)
        d->owner.setting(d->owner.context, now, key);
}

static void set_gateway_address(struct dom0 *d, const struct address *address)
{
    if (address_is_set(address))
        router_set_gateway_address(d->router, address);
}

static void update_own(struct dom0 *d, struct instant now)
{
    struct keys_own own;
    keys_own(qubesdb_store(d->qubesdb), &own);
    d->own_is_stale = false;
    set_gateway_address(d, &own.netvm_gateway);
    set_gateway_address(d, &own.netvm_gateway6);
    d->owner.own(d->owner.context, now, &own);
}

static void show_addresses(struct dom0 *d, struct instant now,
                           const struct address *real)
{
    struct keys_mapped mapped;
    keys_mapped(qubesdb_store(d->qubesdb), real, &mapped);
    router_show_addresses(d->router, now, real, &mapped.visible_ip,
                          &mapped.visible_gateway);
}

static void on_changed(void *context, struct instant now, const char *path)
{
    struct dom0 *d = context;
    const char *name = keys_vm_config_name(path);
    struct address real;
    if (name) {
        set_setting(d, now, name);
    } else if (keys_mapped_source(path, &real)) {
        show_addresses(d, now, &real);
    } else if (keys_is_own(path)) {
        d->own_is_stale = true;
        if (qubesdb_in_contact(d->qubesdb))
            update_own(d, now);
    }
}

static void on_synced(void *context, struct instant now)
{
    struct dom0 *d = context;
    if (d->own_is_stale)
        update_own(d, now);
    d->owner.synced(d->owner.context, now);
}

static void on_lost(void *context, struct instant now)
{
    (void)context;
    (void)now;
    log_warn("dom0: rules and settings stay as they are");
}

/* --- Opening and closing ------------------------------------------------- */

struct dom0 *dom0_open(const char *where, struct loop *loop,
                       struct router *router, const struct dom0_owner *owner)
{
    struct dom0 *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->owner = *owner;
    d->loop = loop;
    d->router = router;
    d->watch = (struct loop_watch){-1, on_ready, d};
    d->timer = (struct loop_timer){INSTANT_NEVER, on_expired, d, NULL};
    d->qubesdb = qubesdb_open(where, &(struct qubesdb_owner){
                                         .context = d,
                                         .wait = on_wait,
                                         .rules = on_rules,
                                         .changed = on_changed,
                                         .synced = on_synced,
                                         .lost = on_lost,
                                     });
    if (!d->qubesdb) {
        free(d);
        return NULL;
    }
    loop_add_timer(loop, &d->timer);
    set_timer(d);
    return d;
}

void dom0_close(struct dom0 *d)
{
    if (!d)
        return;
    qubesdb_close(d->qubesdb);
    loop_remove_timer(d->loop, &d->timer);
    free(d);
}

bool dom0_in_contact(const struct dom0 *d)
{
    return qubesdb_in_contact(d->qubesdb);
}

const struct vm_config *dom0_config(const struct dom0 *d)
{
    return &d->config;
}

bool dom0_expects(const struct dom0 *d, const struct address *real)
{
    const struct store *s = qubesdb_store(d->qubesdb);
    struct keys_mapped mapped;
    keys_mapped(s, real, &mapped);
    return keys_is_connected(
        s, address_is_set(&mapped.visible_ip) ? &mapped.visible_ip : real);
}
