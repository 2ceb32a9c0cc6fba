#include "gateway/base/drop.h"

static const struct {
    const char *name;
    const char *text;
} reasons[DROP_COUNT] = {[DROP_NONE] = {"NONE", ""},
#define X(name, text) [DROP_##name] = {#name, text},
                         DROP_REASONS(X)
#undef X
};

const char *drop_text(enum drop reason)
{
    return reasons[reason].text;
}

const char *drop_name(enum drop reason)
{
    return reasons[reason].name;
}
