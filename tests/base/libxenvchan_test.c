#include "gateway/base/libxenvchan.h"

#include "tests/unit.h"

static void this_machines_library_is_loaded(void **state)
{
    (void)state;
    assert_true(libxenvchan_load());
    assert_true(libxenvchan_load());
}

/* There is no domain 32767, and no Xen on most machines. */
static void its_functions_are_the_librarys(void **state)
{
    (void)state;
    assert_true(libxenvchan_load());
    assert_null(libxenvchan_client_init(NULL, 32767, "data/none"));
    libxenvchan_close(NULL);
}

/* The library's users read and write these bits, in the releases that are
 * loaded. */
static void flags_are_where_every_release_has_them(void **state)
{
    static const size_t flags = offsetof(struct libxenvchan, event_port) + 4;
    struct libxenvchan vchan;
    (void)state;
    memset(&vchan, 0xff, sizeof vchan);
    vchan.is_server = 0;
    assert_int_equal(((uint8_t *)&vchan)[flags], 0xff & ~1);
    memset(&vchan, 0xff, sizeof vchan);
    vchan.blocking = 0;
    assert_int_equal(((uint8_t *)&vchan)[flags], 0xff & ~4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machines_library_is_loaded),
        cmocka_unit_test(its_functions_are_the_librarys),
        cmocka_unit_test(flags_are_where_every_release_has_them),
    };
    return cmocka_run_group_tests_name("libxenvchan", tests, NULL, NULL);
}
