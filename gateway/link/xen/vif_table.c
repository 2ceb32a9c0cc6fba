#include "gateway/link/xen/vif_table.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#include <errno.h>
#include <stdio.h>

enum {
    LOOKS_MAX = 16,
    LOOK_PERIOD_MS = 125, /* one more after each */

    DOMAIN_MAX = 32751, /* DOMID_FIRST_RESERVED - 1 */
    HANDLE_MAX = 65535,
};

#define BACKENDS_TOKEN "backends"

/* --- Which there are ----------------------------------------------------- */

static struct vif *find(struct vif_table *t, uint32_t domain, uint32_t handle)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->vifs[i]->domain == domain && t->vifs[i]->handle == handle)
            return t->vifs[i];
    return NULL;
}

static struct vif *add(struct vif_table *t, const char *path, uint32_t domain,
                       uint32_t handle)
{
    if (t->count == VIF_TABLE_MAX) {
        if (!t->crowded)
            log_error("xen: more than %d vifs: vif%u.%u has to wait",
                      VIF_TABLE_MAX, domain, handle);
        t->crowded = true;
        return NULL;
    }
    struct vif *vif = vif_new(t->host, path, domain, handle);
    if (!vif)
        return NULL;
    vif->attention.looks = LOOKS_MAX;
    vif->attention.due = INSTANT_NEVER;
    t->vifs[t->count++] = vif;
    return vif;
}

static struct vif *find_or_add(struct vif_table *t, uint32_t domain,
                               uint32_t handle)
{
    char path[XENSTORE_PATH_SIZE];
    char state[XENSTORE_VALUE_SIZE];
    struct vif *vif = find(t, domain, handle);
    if (vif)
        return vif;
    int size = snprintf(path, sizeof path, "%s/%u/%u", t->root, domain, handle);
    if (size < 0 || (size_t)size >= sizeof path ||
        xenstore_read(t->host->xenstore, path, "state", state) ==
            XENSTORE_ABSENT)
        return NULL;
    return add(t, path, domain, handle);
}

static void mark_dirty(struct vif_table *t, uint32_t domain, uint32_t handle)
{
    struct vif *vif = find_or_add(t, domain, handle);
    if (vif)
        vif->attention.dirty = true;
}

struct listing {
    struct vif_table *table;
    uint32_t domain;
};

static void list_handle(void *context, const char *name)
{
    struct listing *l = context;
    uint32_t handle;
    if (text_to_u32(bytes_of_text(name), HANDLE_MAX, &handle))
        mark_dirty(l->table, l->domain, handle);
}

static void list_domain(void *context, const char *name)
{
    struct vif_table *t = context;
    struct listing listing = {.table = t};
    char path[XENSTORE_PATH_SIZE];
    if (!text_to_u32(bytes_of_text(name), DOMAIN_MAX, &listing.domain))
        return;
    snprintf(path, sizeof path, "%s/%u", t->root, listing.domain);
    xenstore_list(t->host->xenstore, path, list_handle, &listing);
}

static void list_all(struct vif_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->vifs[i]->attention.dirty = true;
    xenstore_list(t->host->xenstore, t->root, list_domain, t);
}

/* --- What changed -------------------------------------------------------- */

/* Below our root: "/<domain>/<handle>/..." */
static void backend_changed(struct vif_table *t, struct bytes below)
{
    struct bytes domain_text, handle_text;
    uint32_t domain, handle;
    if (!text_cut(&below, '/', &domain_text) ||
        !text_cut(&below, '/', &domain_text)) {
        list_all(t);
        return;
    }
    if (!text_to_u32(domain_text, DOMAIN_MAX, &domain))
        return;
    if (!text_cut(&below, '/', &handle_text)) {
        list_all(t);
        return;
    }
    /* Once it is known only these two of the rest have a meaning. */
    if (text_to_u32(handle_text, HANDLE_MAX, &handle) &&
        (!below.data || text_equal(below, "state") ||
         text_equal(below, "online") || !find(t, domain, handle)))
        mark_dirty(t, domain, handle);
}

void vif_table_changed(struct vif_table *t, const char *path, const char *token)
{
    if (strcmp(token, BACKENDS_TOKEN) == 0) {
        size_t size = strlen(t->root);
        if (strncmp(path, t->root, size) == 0)
            backend_changed(t, bytes_of_text(path + size));
        return;
    }
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->vifs[i]->name, token) == 0)
            t->vifs[i]->attention.dirty = true;
}

/* --- Looking ------------------------------------------------------------- */

/* Whether it may look at xenstore now; else *next is when. */
static bool may_look(struct vif *vif, struct instant now, struct instant *next)
{
    struct vif_attention *a = &vif->attention;
    struct duration period = duration_milliseconds(LOOK_PERIOD_MS);
    int64_t more = instant_since(now, a->looks_at).us / period.us;
    if (more > 0) {
        a->looks =
            more < LOOKS_MAX - a->looks ? a->looks + (uint32_t)more : LOOKS_MAX;
        a->looks_at = now;
    }
    if (a->looks == 0) {
        *next = instant_earlier(*next, instant_after(a->looks_at, period));
        return false;
    }
    a->looks--;
    return true;
}

static void forget(struct vif_table *t, size_t i)
{
    vif_free(t->vifs[i]);
    t->vifs[i] = t->vifs[--t->count];
}

struct instant vif_table_settle(struct vif_table *t, struct instant now)
{
    struct instant next = INSTANT_NEVER;
    for (size_t i = 0; i < t->count;) {
        struct vif *vif = t->vifs[i];
        struct vif_attention *a = &vif->attention;
        if (instant_reached(now, a->due) ||
            (a->dirty && may_look(vif, now, &next))) {
            a->dirty = false;
            a->due = vif_look(vif, now);
        }
        next = instant_earlier(next, a->due);
        if (vif->state == VIF_GONE)
            forget(t, i);
        else
            i++;
    }
    if (t->crowded && t->count < VIF_TABLE_MAX) {
        t->crowded = false;
        list_all(t);
        next = now;
    }
    return next;
}

/* ------------------------------------------------------------------------- */

enum error vif_table_init(struct vif_table *t, const struct vif_host *host)
{
    char home[XENSTORE_DIRECTORY_SIZE];
    t->host = host;
    if (!xenstore_home(host->xenstore, home))
        return ERROR_NOT_FOUND;
    int size = snprintf(t->root, sizeof t->root, "%s/backend/vif", home);
    if (size < 0 || (size_t)size >= sizeof t->root)
        return ERROR_INVALID;
    if (!xenstore_watch(host->xenstore, t->root, BACKENDS_TOKEN)) {
        log_error("xen: cannot watch %s: %s", t->root, strerror(errno));
        return ERROR_DENIED;
    }
    return OK;
}

void vif_table_clear(struct vif_table *t)
{
    while (t->count > 0)
        vif_free(t->vifs[--t->count]);
}
