/*
 * A qube's network card as it stands in xenstore: what libxl writes there,
 * and Linux' netfront. The backend is domain FAKE_CARD_BACKEND.
 */
#ifndef TESTS_LINK_FAKE_CARD_H
#define TESTS_LINK_FAKE_CARD_H

#include "tests/link/xen/fake_xenstored.h"

enum { FAKE_CARD_BACKEND = 1 };

/* The value of a key in the backend's directory and in the frontend's; "" is
 * the directory. Borrowed until the next call. */
const char *fake_card_back(uint32_t domain, uint32_t handle, const char *key);
const char *fake_card_front(uint32_t domain, uint32_t handle, const char *key);

/* The backend's key has this value. */
bool fake_card_is(struct fake_xenstored *x, uint32_t domain, uint32_t handle,
                  const char *key, const char *value);

/* libxl's transaction for a new card, and for one that is to go. */
void fake_card_attach(struct fake_xenstored *x, uint32_t domain,
                      uint32_t handle, const char *ip);
void fake_card_detach(struct fake_xenstored *x, uint32_t domain,
                      uint32_t handle);

/* netfront's wishes for card 0, in its order: rings and port are xen_double's;
 * and that it is connected. */
void fake_card_ask(struct fake_xenstored *x, uint32_t domain);

#endif
