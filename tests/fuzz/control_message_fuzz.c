#include "gateway/openvpn/control/control_message.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

static void check_inside(struct bytes part, struct bytes whole)
{
    if (part.size && (part.data < whole.data ||
                      part.data + part.size > whole.data + whole.size))
        abort();
}

static void check_message(const struct control_message *m, struct bytes record)
{
    struct control_auth_failed f;
    struct control_signal s;
    struct control_info i;
    check_inside(m->text, record);
    check_inside(m->rest, m->text);
    for (size_t n = 0; n < m->text.size; n++)
        if (m->text.data[n] < 0x20 || m->text.data[n] > 0x7e)
            abort();

    control_message_auth_failed(m->rest, &f);
    check_inside(f.reason, m->rest);
    check_inside(f.state_id, m->rest);
    check_inside(f.username_base64, m->rest);
    control_message_signal(m->rest, &s);
    check_inside(s.reason, m->rest);
    control_message_info(m->rest, &i);
    check_inside(i.text, m->rest);
    (void)control_message_auth_pending(m->rest);
}

/* Every message is printable and lies in the record, and so does all that is
 * read out of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes record = bytes_of(data, size), rest = record;
    struct control_message m;
    unsigned dropped = 0;
    while (control_message_take(&rest, &m, &dropped))
        check_message(&m, record);
    if (rest.size || (dropped == 0 && size && data[size - 1]))
        abort();
    return 0;
}
