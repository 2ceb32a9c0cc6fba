#include "gateway/crypto/ipsecmb/ipsecmb.h"

#include "gateway/base/secret.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* Version 1 emulates AES where the CPU has none; the feature is missing then,
 * too. */
static bool cpu_can(const IMB_MGR *manager)
{
    uint64_t needed =
        IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_AVX;
    return (manager->features & needed) == needed;
}

static bool self_test_passed(const IMB_MGR *manager)
{
    return !(manager->features & IMB_FEATURE_SELF_TEST) ||
           manager->features & IMB_FEATURE_SELF_TEST_PASS;
}

/* The memory is ours and not the library's, so that all of it can be wiped. */
static void *take_memory(void)
{
    size_t size = imb_get_mb_mgr_size();
    return aligned_alloc(ALIGNMENT, size + (ALIGNMENT - size % ALIGNMENT));
}

const IMB_MGR *ipsecmb_shared(void)
{
    static struct {
        bool decided;
        IMB_MGR *manager;
    } once;
    void *memory = once.decided ? NULL : take_memory();
    if (!memory)
        return once.manager;
    IMB_MGR *manager = imb_set_pointers_mb_mgr(memory, 0, 1);
    init_mb_mgr_auto(manager, NULL); /* and tests itself */
    once.decided = true;
    if (!imb_get_errno(manager) && cpu_can(manager) &&
        self_test_passed(manager))
        once.manager = manager;
    else
        free(memory);
    return once.manager;
}

IMB_MGR *ipsecmb_new(void)
{
    const IMB_MGR *shared = ipsecmb_shared();
    void *memory = shared ? take_memory() : NULL;
    if (!memory)
        return NULL;
    memcpy(memory, shared, imb_get_mb_mgr_size());
    /* Only the pointers to what lies behind it are to be set anew. */
    return imb_set_pointers_mb_mgr(memory, 0, 0);
}

void ipsecmb_free(IMB_MGR *manager)
{
    if (!manager)
        return;
    secret_wipe(manager, imb_get_mb_mgr_size());
    free(manager);
}
