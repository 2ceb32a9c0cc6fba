/* A machine whose processor libipsec-mb has nothing for: the TLS library seals
 * and opens. The library tests itself for milliseconds whenever a key is made.
 */
#include "gateway/crypto/ipsecmb/ipsecmb.h"

const IMB_MGR *ipsecmb_shared(void)
{
    return NULL;
}

IMB_MGR *ipsecmb_new(void)
{
    return NULL;
}

void ipsecmb_free(IMB_MGR *manager)
{
    (void)manager;
}
