#include "gateway/router/router.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/target.h"

/* The input is files, separated by NUL, read one after the other: a broken one
 * changes nothing, and an empty one takes all away. */

static const struct address first = {ADDRESS_IPV4, {10, 137, 0, 5}};
static const struct address first6 = {ADDRESS_IPV6, {0xfd, 9, [15] = 5}};
static const struct address second = {ADDRESS_IPV4, {10, 137, 0, 6}};
static struct qube *qubes[2];

static const char *rules_of(const struct qube *status)
{
    check(memchr(status->rules_text, 0, RULES_TEXT_SIZE) != NULL);
    check(memchr(status->wait_text, 0, RULES_WAIT_SIZE) != NULL);
    return status->rules_text;
}

static void load(struct router *r, struct instant now, struct bytes text)
{
    char before[2][RULES_TEXT_SIZE];
    struct router_rules_problem problem;
    uint8_t *copy = malloc(text.size ? text.size : 1);
    memcpy(copy, text.data, text.size);
    for (int i = 0; i < 2; i++)
        strcpy(before[i], rules_of(qubes[i]));
    if (!router_load_rules(r, now, bytes_of(copy, text.size), &problem)) {
        check(problem.line > 0 && problem.text[0]);
        check(memchr(problem.text, 0, sizeof problem.text) != NULL);
        for (int i = 0; i < 2; i++)
            check(strcmp(before[i], rules_of(qubes[i])) == 0);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct router *r;
    static const struct instant now = {1000000};
    struct router_rules_problem problem;
    if (!r) {
        struct router_options options = {.flows = 32};
        be_quiet();
        r = router_new(&options);
        check(r != NULL);
        qubes[0] = router_add_qube(r, now, "first", &first, &first6);
        qubes[1] = router_add_qube(r, now, "second", &second, NULL);
        check(qubes[0] && qubes[1]);
    }
    while (size > 0) {
        const uint8_t *end = memchr(data, 0, size);
        size_t n = end ? (size_t)(end - data) : size;
        load(r, now, bytes_of(data, n));
        n += end != NULL;
        data += n;
        size -= n;
    }
    check(router_load_rules(r, now, bytes_of(data, 0), &problem));
    for (int i = 0; i < 2; i++)
        check(strcmp(rules_of(qubes[i]), "drop (no rules yet)") == 0);
    return 0;
}
