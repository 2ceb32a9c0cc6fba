#include "gateway/wireguard/index_table.h"

#include "tests/unit.h"

enum { MOST = 100 };

/* Indices that are sought at the same place, and elsewhere: against a list. */
static void it_agrees_with_a_list(void **state)
{
    (void)state;
    struct index_table t;
    struct {
        uint32_t index;
        uint16_t peer;
    } list[MOST];
    unsigned count = 0;
    uint32_t s = 11;
    assert_true(index_table_init(&t, MOST));
    for (int i = 0; i < 200000; i++) {
        uint32_t index = next_random(&s) % 4 * 0x10000 + next_random(&s) % 64;
        uint16_t known = INDEX_TABLE_NOBODY;
        unsigned at = 0;
        for (unsigned j = 0; j < count; j++)
            if (list[j].index == index) {
                known = list[j].peer;
                at = j;
            }
        assert_int_equal(index_table_find(&t, index), known);
        if (known != INDEX_TABLE_NOBODY || next_random(&s) % 8 == 0) {
            index_table_remove(&t, index); /* or one that is not there */
            if (known != INDEX_TABLE_NOBODY)
                list[at] = list[--count];
        } else if (count < MOST) {
            list[count].index = index;
            list[count].peer = (uint16_t)(next_random(&s) % 1000);
            index_table_add(&t, index, list[count].peer);
            count++;
        }
    }
    assert_true(count > 10);
    index_table_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
