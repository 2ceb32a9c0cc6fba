/* Memory that held a secret, and comparisons that do not tell where two
 * secrets differ. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "gateway/base/bytes.h"

/* Zeroes memory in a way that the compiler cannot leave out. */
void secret_wipe(void *memory, size_t size);

/* Constant time in the content; the sizes are not secret. */
MUST_USE bool secret_equal(struct bytes a, struct bytes b);

#endif
