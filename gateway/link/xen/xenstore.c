#include "gateway/link/xen/xenstore.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <xenstore.h>

enum {
    CHANGES_MAX = 512,  /* of a turn: a flood must not hold up the loop */
    ATTEMPTS_MAX = 16,  /* at a transaction that others disturb */
    DOMAIN_MAX = 32751, /* DOMID_FIRST_RESERVED - 1 */
};

struct xenstore {
    struct xs_handle *handle;
    struct loop *loop;
    struct loop_watch watch;
    struct xenstore_owner owner;
};

static bool join(char out[XENSTORE_PATH_SIZE], const char *directory,
                 const char *key)
{
    int size = snprintf(out, XENSTORE_PATH_SIZE, "%s/%s", directory, key);
    return size > 0 && size < XENSTORE_PATH_SIZE;
}

static void ready(void *context, struct instant now, unsigned events)
{
    struct xenstore *x = context;
    char **change;
    (void)events;
    for (int i = 0; i < CHANGES_MAX; i++) {
        change = xs_check_watch(x->handle);
        if (!change)
            break;
        x->owner.changed(x->owner.context, now, change[XS_WATCH_PATH],
                         change[XS_WATCH_TOKEN]);
        free(change);
    }
    x->owner.settled(x->owner.context, now);
}

struct xenstore *xenstore_open(struct loop *loop,
                               const struct xenstore_owner *owner,
                               enum error *error)
{
    struct xenstore *x = calloc(1, sizeof *x);
    if (!x) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    *x = (struct xenstore){
        /* No XS_UNWATCH_FILTER: it leaks what it filters, and a change told
         * too late only makes us look once more. */
        .handle = xs_open(0),
        .loop = loop,
        .watch = {.fd = -1, .ready = ready, .context = x},
        .owner = *owner,
    };
    *error = x->handle ? OK : error_of_errno(errno);
    if (*error == OK) {
        x->watch.fd = xs_fileno(x->handle);
        *error = loop_add(loop, &x->watch, LOOP_READ);
    }
    if (*error == OK)
        return x;
    log_error("xen: cannot open xenstore: %s", error_text(*error));
    xs_close(x->handle);
    free(x);
    return NULL;
}

void xenstore_close(struct xenstore *x)
{
    if (!x)
        return;
    loop_remove(x->loop, &x->watch);
    xs_close(x->handle);
    free(x);
}

bool xenstore_home(struct xenstore *x, char path[XENSTORE_DIRECTORY_SIZE])
{
    unsigned size;
    uint32_t domain;
    char *text = xs_read(x->handle, XBT_NULL, "domid", &size);
    bool known = text && text_to_u32(bytes_of(text, size), DOMAIN_MAX, &domain);
    free(text);
    if (!known) {
        log_error("xen: xenstore does not say which domain this is");
        return false;
    }
    char *home = xs_get_domain_path(x->handle, domain);
    bool usable =
        home && text_copy(path, XENSTORE_DIRECTORY_SIZE, bytes_of_text(home));
    if (!usable)
        log_error("xen: xenstore does not say where domain %u is", domain);
    free(home);
    return usable;
}

/* --- Reading ------------------------------------------------------------- */

static bool is_plain(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return true;
}

enum xenstore_value xenstore_read(struct xenstore *x, const char *directory,
                                  const char *key,
                                  char value[XENSTORE_VALUE_SIZE])
{
    char path[XENSTORE_PATH_SIZE];
    unsigned size = 0;
    value[0] = '\0';
    if (!join(path, directory, key))
        return XENSTORE_WRONG;
    char *text = xs_read(x->handle, XBT_NULL, path, &size);
    if (!text)
        return XENSTORE_ABSENT;
    struct bytes bytes = bytes_of(text, size);
    bool right =
        is_plain(bytes) && text_copy(value, XENSTORE_VALUE_SIZE, bytes);
    free(text);
    return right ? XENSTORE_PRESENT : XENSTORE_WRONG;
}

enum xenstore_value xenstore_read_number(struct xenstore *x,
                                         const char *directory, const char *key,
                                         uint32_t most, uint32_t *value)
{
    char text[XENSTORE_VALUE_SIZE];
    enum xenstore_value result = xenstore_read(x, directory, key, text);
    if (result == XENSTORE_PRESENT &&
        !text_to_u32(bytes_of_text(text), most, value))
        result = XENSTORE_WRONG;
    return result;
}

enum xenstore_value xenstore_read_flag(struct xenstore *x,
                                       const char *directory, const char *key,
                                       bool *value)
{
    uint32_t number;
    enum xenstore_value result =
        xenstore_read_number(x, directory, key, 1, &number);
    if (result == XENSTORE_PRESENT)
        *value = number == 1;
    return result;
}

void xenstore_list(struct xenstore *x, const char *directory,
                   void (*each)(void *context, const char *name), void *context)
{
    unsigned count = 0;
    char **names = xs_directory(x->handle, XBT_NULL, directory, &count);
    for (unsigned i = 0; names && i < count; i++)
        each(context, names[i]);
    free(names);
}

/* --- Writing ------------------------------------------------------------- */

static bool write_all(struct xenstore *x, xs_transaction_t transaction,
                      const char *directory,
                      const struct xenstore_entry *entries, size_t count)
{
    char path[XENSTORE_PATH_SIZE];
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(entries[i].value);
        if (!join(path, directory, entries[i].key) ||
            !xs_write(x->handle, transaction, path, entries[i].value,
                      (unsigned)size))
            return false;
    }
    return true;
}

/* Writing into a directory that the toolstack has just removed would bring a
 * part of it back, for good: nobody removes it a second time. */
static bool exists(struct xenstore *x, xs_transaction_t transaction,
                   const char *directory)
{
    unsigned count;
    char **names = xs_directory(x->handle, transaction, directory, &count);
    bool found = names != NULL;
    free(names);
    return found;
}

bool xenstore_write(struct xenstore *x, const char *directory,
                    const struct xenstore_entry *entries, size_t count)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        xs_transaction_t t = xs_transaction_start(x->handle);
        if (t == XBT_NULL)
            return false;
        if (!exists(x, t, directory) ||
            !write_all(x, t, directory, entries, count)) {
            int reason = errno;
            xs_transaction_end(x->handle, t, true);
            errno = reason;
            return false;
        }
        if (xs_transaction_end(x->handle, t, false))
            return true;
        if (errno != EAGAIN)
            return false;
    }
    return false;
}

bool xenstore_remove(struct xenstore *x, const char *path)
{
    return xs_rm(x->handle, XBT_NULL, path);
}

bool xenstore_watch(struct xenstore *x, const char *path, const char *token)
{
    return xs_watch(x->handle, path, token);
}

void xenstore_unwatch(struct xenstore *x, const char *path, const char *token)
{
    xs_unwatch(x->handle, path, token);
}
