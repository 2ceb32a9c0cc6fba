#include "gateway/base/blob.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/secret.h"

bool blob_set(struct blob *blob, struct bytes content)
{
    uint8_t *copy = malloc(content.size + 1);
    if (!copy)
        return false;
    if (content.size)
        memcpy(copy, content.data, content.size);
    copy[content.size] = '\0';
    blob_free(blob);
    *blob = (struct blob){copy, content.size};
    return true;
}

void blob_free(struct blob *blob)
{
    if (blob->data)
        secret_wipe(blob->data, blob->size);
    free(blob->data);
    *blob = (struct blob){0};
}
