#include <stdlib.h>
#include <string.h>

#include "gateway/control/control.h"
#include "gateway/control/control_request.h"
#include "tests/fuzz/target.h"

/* A gateway's reading of an order, without carrying it out. */
static json_t *obey(void *context, struct instant now, const json_t *request)
{
    struct control_request order = {.username = "untouched"};
    (void)context;
    (void)now;
    if (!control_request_parse(request, &order)) {
        check(strcmp(order.username, "untouched") == 0);
        return NULL;
    }
    check(order.type <= CONTROL_REQUEST_LOG_LEVEL);
    if (order.type == CONTROL_REQUEST_LOGIN)
        check(order.username || order.password || order.response);
    if (order.type == CONTROL_REQUEST_LOG_LEVEL)
        check(order.log_level >= -1 && order.log_level < LOG_LEVEL_COUNT);
    return json_pack("{s:i,s:s?}", "type", (int)order.type, "name",
                     order.username);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* As a copy of exactly that size: a socket's line has no end but that. */
    uint8_t *request = malloc(size ? size : 1);
    check(request != NULL);
    if (size)
        memcpy(request, data, size);
    char *answer = control_answer(obey, NULL, (struct instant){0},
                                  bytes_of(request, size));
    check(answer != NULL);

    /* One line, and an object. */
    size_t length = strlen(answer);
    check(length > 0 && strchr(answer, '\n') == answer + length - 1);
    json_t *parsed = json_loadb(answer, length, 0, NULL);
    check(json_is_object(parsed));
    json_decref(parsed);
    free(answer);
    free(request);
    return 0;
}
