#include "qubesdb/message.h"

#include "tests/fuzz/target.h"

/* A message that decodes and could be sent encodes to the same bytes but for
 * padding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes stream = bytes_of(data, size);
    struct message m, back;
    size_t taken, again;

    while (message_decode(stream, &m, &taken) == MESSAGE_WHOLE) {
        check(taken <= stream.size);
        check(m.type < MESSAGE_TYPE_COUNT);
        check(message_data_valid(m.data));
        uint8_t out[MESSAGE_SIZE_MAX];
        struct writer w = writer_of(out, sizeof out);
        if (message_encode(&w, &m)) {
            check(w.size == taken);
            check(message_decode(writer_bytes(&w), &back, &again) ==
                  MESSAGE_WHOLE);
            check(again == taken && back.type == m.type);
            check(!memcmp(back.path, m.path, sizeof m.path));
            check(bytes_equal(back.data, m.data));
        } else {
            check(!message_path_valid(m.path) || m.type == MESSAGE_WRITE);
        }
        stream.data += taken;
        stream.size -= taken;
    }
    return 0;
}
