/*
 * libipsec-mb's manager: its functions for this CPU, and its memory for jobs.
 * Used only on a CPU with AES, carry-less multiplication and AVX, because
 * without them the library falls back to what is slow or tells the key by its
 * timing.
 */
#ifndef CRYPTO_IPSECMB_IPSECMB_H
#define CRYPTO_IPSECMB_IPSECMB_H

#include <intel-ipsec-mb.h>

/* The functions for this CPU. NULL when memory is short, the CPU cannot or the
 * library's test of itself failed. It is made once in a process, for what the
 * CPU can does not change, and a test for each key would take longer than all
 * the rest of a key. */
const IMB_MGR *ipsecmb_shared(void);
/* One to give jobs to, 200 KB. NULL as above. */
IMB_MGR *ipsecmb_new(void);
/* Wipes it, for jobs leave keys in it. */
void ipsecmb_free(IMB_MGR *manager);

#endif
