#include "qubesdb/conversation.h"

#include "tests/fuzz/target.h"

static void on_rules(void *context, struct instant now,
                     const struct rule_tree *tree)
{
    struct conversation *s = context;
    char path[MESSAGE_PATH_SIZE];
    check(tree->present || tree->count == 0);
    keys_handled_path(&tree->source, path);
    check(conversation_write(s, now, path, bytes_of_text("1")) ||
          s->why_failed || s->work_count > 1000);
}

static void on_changed(void *context, struct instant now, const char *path)
{
    (void)context;
    (void)now;
    check(keys_wanted(path));
}

static void on_synced(void *context, struct instant now)
{
    const struct conversation *s = context;
    (void)now;
    check(s->synced);
}

/* A daemon that says anything, in pieces: the input's first byte is which
 * daemon, the second how large the pieces are. A daemon must take all that we
 * send to it, whatever it said. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conversation talk;
    static struct mirror mirror;
    const struct mirror_owner owner = {&talk, on_rules, on_changed, on_synced};
    struct instant now = {0};
    struct message m;
    size_t taken;
    if (size < 2)
        return 0;
    enum conversation_dialect dialect =
        data[0] % 2 ? CONVERSATION_DOM0 : CONVERSATION_LOCAL;
    size_t piece = 1 + 16 * (size_t)data[1];

    be_quiet();
    mirror_init(&mirror, &owner);
    conversation_init(&talk, now, dialect, &mirror);
    for (size_t at = 2; at < size; at += piece) {
        size_t part = piece < size - at ? piece : size - at;
        conversation_receive(&talk, now, bytes_of(data + at, part));
        struct bytes output = conversation_output(&talk);
        while (output.size) {
            check(message_decode(output, &m, &taken) == MESSAGE_WHOLE);
            check(dialect == CONVERSATION_LOCAL
                      ? m.type <= MESSAGE_UNWATCH
                      : m.type == MESSAGE_MULTIREAD ||
                            m.type == MESSAGE_WRITE || m.type == MESSAGE_OK);
            conversation_sent(&talk, taken);
            output = conversation_output(&talk);
        }
    }
    conversation_clear(&talk);
    mirror_clear(&mirror);
    return 0;
}
