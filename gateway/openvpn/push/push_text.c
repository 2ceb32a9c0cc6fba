#include "gateway/openvpn/push/push_text.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/push/push_table.h"

/* The marks of a PUSH_UPDATE are no part of the name. */
static struct bytes name_of(struct bytes option)
{
    struct bytes name;
    while (option.size > 0 && (option.data[0] == '-' || option.data[0] == '?'))
        option = bytes_of(option.data + 1, option.size - 1);
    return text_cut(&option, ' ', &name) ? name : option;
}

static bool may_be_shown(struct bytes name)
{
    char text[64];
    return text_copy(text, sizeof text, name) && push_table_find(text) &&
           !text_starts_with(name, "auth-token");
}

static void write_option(struct writer *w, struct bytes option, bool first)
{
    char quoted[LOG_QUOTE_SIZE];
    struct bytes name = name_of(option);
    bool shown = may_be_shown(name);
    text_write(w, "%s%s%s", first ? "" : ", ",
               log_quote(quoted, shown ? option : name),
               shown || name.size == option.size ? "" : " ...");
}

const char *push_text(struct bytes message, char out[PUSH_TEXT_SIZE])
{
    struct writer w = writer_of(out, PUSH_TEXT_SIZE - 1);
    struct bytes option;
    bool first = true;
    (void)!text_cut(&message, ',', &option); /* PUSH_REPLY */
    while (text_cut(&message, ',', &option)) {
        option = text_trim(option);
        if (option.size == 0)
            continue;
        write_option(&w, option, first);
        first = false;
    }
    out[writer_bytes(&w).size] = '\0';
    return out;
}
