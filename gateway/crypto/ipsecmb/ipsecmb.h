/*
 * libipsec-mb's manager: its functions for this CPU, and its memory for jobs.
 * Used only on a CPU with AES, carry-less multiplication and AVX, because
 * without them the library falls back to what is slow or tells the key by its
 * timing.
 */
#ifndef CRYPTO_IPSECMB_IPSECMB_H
#define CRYPTO_IPSECMB_IPSECMB_H

#include <intel-ipsec-mb.h>

/* 200 KB. NULL when memory is short, the CPU cannot or the library's test of
 * itself failed. */
IMB_MGR *ipsecmb_new(void);
/* Wipes it, for jobs leave keys in it. */
void ipsecmb_free(IMB_MGR *manager);

#endif
