#include "gateway/uplink/route_news.h"

#include <string.h>

#include "tests/fuzz/target.h"

/* Any messages: the next look is not put off, a way that is told is usable, and
 * an answer that is none leaves the way as it was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct route_way start = {.interface = 7,
                                           .source = {1, {192, 0, 2, 2}}};
    struct route_news n;
    struct route_way way = start;
    /* Aligned as the kernel's buffer is, and not a byte longer than they are.
     */
    uint8_t *messages = malloc(size ? size : 1);
    check(messages != NULL);
    if (size)
        memcpy(messages, data, size);

    route_news_init(&n);
    route_news_follow(&n, &start);
    route_news_came(&n, (struct instant){0});
    route_news_take(&n, bytes_of(messages, size));
    route_news_came(&n, (struct instant){50000});
    check(route_news_deadline(&n).us == ROUTE_NEWS_SETTLE * 1000);
    check(!n.still || n.broken);
    if (!route_news_answer(bytes_of(messages, size), 5, &way))
        check(memcmp(&way, &start, sizeof way) == 0);
    if (route_news_looked(&n, &way))
        check(way.interface != 0 && !n.broken && !n.still);
    check(instant_is_never(route_news_deadline(&n)));
    free(messages);
    return 0;
}
