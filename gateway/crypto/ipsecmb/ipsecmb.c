#include "gateway/crypto/ipsecmb/ipsecmb.h"

#include "gateway/base/secret.h"

#include <stdlib.h>

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
IMB_MGR *ipsecmb_new(void)
{
    size_t size = imb_get_mb_mgr_size();
    size += ALIGNMENT - size % ALIGNMENT;
    void *memory = aligned_alloc(ALIGNMENT, size);
    if (!memory)
        return NULL;
    IMB_MGR *manager = imb_set_pointers_mb_mgr(memory, 0, 1);
    init_mb_mgr_auto(manager, NULL);
    if (imb_get_errno(manager) || !cpu_can(manager) ||
        !self_test_passed(manager)) {
        free(memory);
        return NULL;
    }
    return manager;
}

void ipsecmb_free(IMB_MGR *manager)
{
    if (!manager)
        return;
    secret_wipe(manager, imb_get_mb_mgr_size());
    free(manager);
}
