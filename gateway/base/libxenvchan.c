#include "gateway/base/libxenvchan.h"

#include <assert.h>
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "gateway/base/log.h"

/* tools/include/libxenvchan.h of Xen 4.17.0 to 4.22.0: the flags became
 * unsigned in 4.18, nothing moved. The newest comes first. */
static const char *const sonames[] = {
    "libxenvchan.so.4.22", "libxenvchan.so.4.21", "libxenvchan.so.4.20",
    "libxenvchan.so.4.19", "libxenvchan.so.4.18", "libxenvchan.so.4.17",
};

static_assert(offsetof(struct libxenvchan, event_port) == 24 &&
                  offsetof(struct libxenvchan, read) == 32 &&
                  offsetof(struct libxenvchan, write) == 56 &&
                  offsetof(struct libxenvchan, xs_path) == 80 &&
                  sizeof(struct libxenvchan) == 88,
              "the header's struct is the one that was compared");

/* --- Loading ------------------------------------------------------------- */

static struct library {
    void *handle;
    struct libxenvchan *(*server_init)(struct xentoollog_logger *, int,
                                       const char *, size_t, size_t);
    struct libxenvchan *(*client_init)(struct xentoollog_logger *, int,
                                       const char *);
    void (*close)(struct libxenvchan *);
    int (*read)(struct libxenvchan *, void *, size_t);
    int (*write)(struct libxenvchan *, const void *, size_t);
    int (*wait)(struct libxenvchan *);
    int (*fd_for_select)(struct libxenvchan *);
    int (*is_open)(struct libxenvchan *);
} library;

static const struct {
    const char *name;
    size_t place;
} functions[] = {
    {"libxenvchan_server_init", offsetof(struct library, server_init)},
    {"libxenvchan_client_init", offsetof(struct library, client_init)},
    {"libxenvchan_close", offsetof(struct library, close)},
    {"libxenvchan_read", offsetof(struct library, read)},
    {"libxenvchan_write", offsetof(struct library, write)},
    {"libxenvchan_wait", offsetof(struct library, wait)},
    {"libxenvchan_fd_for_select", offsetof(struct library, fd_for_select)},
    {"libxenvchan_is_open", offsetof(struct library, is_open)},
};

static bool find_functions(struct library *l)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *address = dlsym(l->handle, functions[i].name);
        if (!address)
            return false;
        memcpy((char *)l + functions[i].place, &address, sizeof address);
    }
    return true;
}

static bool load(const char *soname, struct library *out)
{
    struct library l = {.handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL)};
    if (!l.handle || !find_functions(&l)) {
        log_debug("vchan: %s", dlerror());
        if (l.handle)
            dlclose(l.handle);
        return false;
    }
    *out = l;
    return true;
}

bool libxenvchan_load(void)
{
    size_t count = sizeof sonames / sizeof *sonames;
    for (size_t i = 0; i < count && !library.handle; i++)
        if (load(sonames[i], &library))
            log_debug("vchan: %s is loaded", sonames[i]);
    if (!library.handle)
        log_error("vchan: there is none of %s to %s, which a vchan needs: "
                  "install Xen's libraries (Fedora: xen-libs; Debian: "
                  "libxenmisc4.17, 4.20); -v says more",
                  sonames[count - 1], sonames[0]);
    return library.handle;
}

/* --- The library's functions --------------------------------------------- */

static const struct library *loaded(void)
{
    assert(library.handle);
    return &library;
}

struct libxenvchan *libxenvchan_server_init(struct xentoollog_logger *logger,
                                            int domain, const char *xs_path,
                                            size_t read_min, size_t write_min)
{
    return loaded()->server_init(logger, domain, xs_path, read_min, write_min);
}

struct libxenvchan *libxenvchan_client_init(struct xentoollog_logger *logger,
                                            int domain, const char *xs_path)
{
    return loaded()->client_init(logger, domain, xs_path);
}

void libxenvchan_close(struct libxenvchan *ctrl)
{
    loaded()->close(ctrl);
}

int libxenvchan_read(struct libxenvchan *ctrl, void *data, size_t size)
{
    return loaded()->read(ctrl, data, size);
}

int libxenvchan_write(struct libxenvchan *ctrl, const void *data, size_t size)
{
    return loaded()->write(ctrl, data, size);
}

int libxenvchan_wait(struct libxenvchan *ctrl)
{
    return loaded()->wait(ctrl);
}

int libxenvchan_fd_for_select(struct libxenvchan *ctrl)
{
    return loaded()->fd_for_select(ctrl);
}

int libxenvchan_is_open(struct libxenvchan *ctrl)
{
    return loaded()->is_open(ctrl);
}
