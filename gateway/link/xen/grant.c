#include "gateway/link/xen/grant.h"

#include "gateway/base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xengnttab.h>

struct grant {
    xengnttab_handle *handle;
    xengnttab_grant_copy_segment_t segments[GRANT_COPIES_MAX];
};

struct grant *grant_open(enum error *error)
{
    struct grant *g = calloc(1, sizeof *g);
    if (!g) {
        *error = ERROR_MEMORY;
        return NULL;
    }
    g->handle = xengnttab_open(NULL, 0);
    if (!g->handle) {
        *error = error_of_errno(errno);
        log_error("xen: cannot open the grant device: %s", strerror(errno));
        free(g);
        return NULL;
    }
    return g;
}

void grant_close(struct grant *g)
{
    if (!g)
        return;
    xengnttab_close(g->handle);
    free(g);
}

void *grant_map(struct grant *g, uint32_t domain, uint32_t reference)
{
    return xengnttab_map_grant_ref(g->handle, domain, reference,
                                   PROT_READ | PROT_WRITE);
}

void grant_unmap(struct grant *g, void *page)
{
    if (xengnttab_unmap(g->handle, page, 1) != 0)
        log_error("xen: cannot unmap a ring: %s", strerror(errno));
}

static void describe(xengnttab_grant_copy_segment_t *segment, uint32_t domain,
                     enum grant_direction direction,
                     const struct grant_copy *copy)
{
    assert(copy->size > 0 && copy->size <= GRANT_PAGE_SIZE);
    assert(copy->offset <= GRANT_PAGE_SIZE - copy->size);
    union xengnttab_copy_ptr local = {.virt = copy->local};
    union xengnttab_copy_ptr foreign = {
        .foreign = {copy->reference, copy->offset, (uint16_t)domain}};
    bool from_qube = direction == GRANT_FROM_QUBE;
    *segment = (xengnttab_grant_copy_segment_t){
        .source = from_qube ? foreign : local,
        .dest = from_qube ? local : foreign,
        .len = copy->size,
        .flags = from_qube ? GNTCOPY_source_gref : GNTCOPY_dest_gref,
        .status = GNTST_general_error,
    };
}

void grant_copy(struct grant *g, uint32_t domain,
                enum grant_direction direction, struct grant_copy *copies,
                size_t count)
{
    assert(count <= GRANT_COPIES_MAX && domain <= UINT16_MAX);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        describe(&g->segments[i], domain, direction, &copies[i]);
    bool done =
        xengnttab_grant_copy(g->handle, (uint32_t)count, g->segments) == 0;
    for (size_t i = 0; i < count; i++)
        copies[i].status =
            done ? g->segments[i].status : (int16_t)GNTST_general_error;
}
