#include "gateway/openvpn/push/push_options.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/config/config_parser.h"
#include "gateway/openvpn/data/data_channel.h"
#include "gateway/openvpn/push/push_table.h"

void push_options_init(struct push_options *o, const struct config *config,
                       config_note *report, void *context)
{
    *o = (struct push_options){
        .tun_mtu = config->remote_count ? config->remotes[0].tun_mtu
                                        : TUNNEL_MTU_DEFAULT,
        .peer_id = PEER_ID_NONE,
        .compression = config->compression,
        .compression_set = config->compression_set,
        .compression_refused = config->compression_refused,
        .ping = config->ping,
        /* OpenVPN has a limit of its own only where it pulls. */
        .ping_restart =
            config->pull || config->ping_restart_set ? config->ping_restart : 0,
        .inactive = config->inactive,
        .inactive_bytes = config->inactive_bytes,
        .session_timeout = config->session_timeout,
    };
    for (size_t i = 0; i < config->option_count; i++)
        (void)!push_options_add_line(o, bytes_of_text(config->options[i]),
                                     report, context);
}

void push_options_clear(struct push_options *o)
{
    secret_wipe(o, sizeof *o);
}

bool push_options_add_line(struct push_options *o, struct bytes line,
                           config_note *report, void *context)
{
    const struct push_source s = {.report = report, .context = context};
    struct config_tokens t;
    if (!config_tokenize(line, &t) || t.count == 0)
        return false;
    const struct push_table_option *option = push_table_find(t.token[0]);
    if (!option || !(option->flags & PUSH_PROFILE))
        return false;
    /* The profile's reader has told that the rest of the line is ignored. */
    if (t.count > option->most + 1u)
        t.count = option->most + 1u;
    return push_table_apply(o, option, &t, &s);
}

bool push_options_try_line(struct bytes line, config_note *report,
                           void *context)
{
    struct push_options *scratch = calloc(1, sizeof *scratch);
    bool understood =
        scratch && push_options_add_line(scratch, line, report, context);
    free(scratch);
    return understood;
}

/* The words with one blank between each two: what is left when a server has
 * done its best to write an option in another way than a filter. */
static struct bytes plain_text(const struct config_tokens *t,
                               char out[CONFIG_LINE_MAX + CONFIG_TOKENS_MAX])
{
    struct writer w = writer_of(out, CONFIG_LINE_MAX + CONFIG_TOKENS_MAX);
    for (size_t i = 0; i < t->count; i++) {
        if (i > 0)
            write_u8(&w, ' ');
        write_bytes(&w, bytes_of_text(t->token[i]));
    }
    return writer_bytes(&w);
}

/* The first filter that fits decides; a filter is a plain prefix. Some words
 * of options may be in letters of either case, so a filter's may as well. */
static enum config_pull_action filter(const struct config *config,
                                      struct bytes text,
                                      const struct config_tokens *t)
{
    char memory[CONFIG_LINE_MAX + CONFIG_TOKENS_MAX];
    struct bytes plain = plain_text(t, memory);
    for (size_t i = 0; i < config->pull_filter_count; i++) {
        const struct config_pull_filter *f = &config->pull_filters[i];
        if (text_starts_ignoring_case(text, f->prefix) ||
            text_starts_ignoring_case(plain, f->prefix))
            return f->action;
    }
    return CONFIG_PULL_ACCEPT;
}

/* The marks before an option of a PUSH_UPDATE. */
struct marks {
    bool removed;  /* - */
    bool optional; /* ? */
};

static struct marks cut_marks(struct bytes *text)
{
    struct marks m = {0};
    if (text_starts_with(*text, "-")) {
        m.removed = true;
        *text = bytes_of(text->data + 1, text->size - 1);
    }
    if (text_starts_with(*text, "?")) {
        m.optional = true;
        *text = bytes_of(text->data + 1, text->size - 1);
    }
    return m;
}

static void update(struct push_options *o,
                   const struct push_table_option *option,
                   const struct config_tokens *t, struct marks marks,
                   const struct push_source *s)
{
    if (!(option->flags & PUSH_UPDATES)) {
        if (marks.optional)
            return;
        o->rejected = true;
        push_table_tell(
            s, "the server would change `%s', which needs a new connection",
            option->name);
        return;
    }
    if (marks.removed) {
        push_table_remove(o, option);
        return;
    }
    /* The first of a kind in a series replaces all there were. */
    unsigned bit = 1u << option->group;
    if (option->group != PUSH_GROUP_NONE && !(o->replaced & bit)) {
        push_table_forget(o, option->group);
        o->replaced |= bit;
    }
    (void)push_table_apply(o, option, t, s);
}

static void tell_unknown(struct push_options *o, struct marks marks,
                         const struct config_tokens *t,
                         const struct push_source *s)
{
    char quoted[LOG_QUOTE_SIZE];
    const char *name = log_quote(quoted, bytes_of_text(t->token[0]));
    if (!o->updating)
        push_table_tell(s, "the server's option `%s' is ignored", name);
    else if (!marks.optional) {
        o->rejected = true;
        push_table_tell(
            s, "the server would change `%s', which is not known here", name);
    }
}

static void add_option(struct push_options *o, struct bytes text,
                       const struct config *config, const struct push_source *s)
{
    struct marks marks = {0};
    /* Blanks in front hide neither marks nor what a filter looks for. */
    text = text_trim(text);
    if (o->updating)
        marks = cut_marks(&text);
    if (o->updating &&
        (text_starts_with(text, "-") || text_starts_with(text, "?"))) {
        o->rejected = true;
        push_table_tell(s, "the server would change something, but its marks "
                           "are malformed");
        return;
    }
    struct config_tokens t;
    if (!config_tokenize(text, &t)) {
        push_table_tell(s, "an option of the server is malformed and ignored");
        return;
    }
    enum config_pull_action action = filter(config, text, &t);
    if (t.count == 0 || action == CONFIG_PULL_IGNORE)
        return;
    const struct push_table_option *option = push_table_find(t.token[0]);
    if (action == CONFIG_PULL_REJECT) {
        o->rejected = true;
        push_table_tell(
            s, "a `pull-filter reject' of the profile fits an option of the "
               "server");
    } else if (!option || !(option->flags & PUSH_PUSHED)) {
        tell_unknown(o, marks, &t, s);
    } else if ((option->flags & PUSH_ROUTES) && config->route_nopull) {
        return;
    } else if (o->updating) {
        update(o, option, &t, marks, s);
    } else {
        (void)push_table_apply(o, option, &t, s);
    }
}

/* "PUSH_REPLY" alone, or with a comma behind it. */
static bool cut_head(struct bytes *message, const char *head)
{
    size_t n = strlen(head);
    if (!text_starts_with(*message, head) ||
        (message->size > n && message->data[n] != ','))
        return false;
    size_t skip = message->size > n ? n + 1 : n;
    *message = bytes_of(message->data + skip, message->size - skip);
    return true;
}

bool push_options_add(struct push_options *o, struct bytes message,
                      const struct config *config, config_note *report,
                      void *context)
{
    const struct push_source s = {
        .pushed = true, .report = report, .context = context};
    bool updating = cut_head(&message, "PUSH_UPDATE");
    if (!updating && !cut_head(&message, "PUSH_REPLY"))
        return false;

    /* The last message of the series before this one said less than 2. */
    if (o->continuation != 2)
        o->replaced = 0;
    o->updating = updating;
    o->continuation = 0;
    struct bytes rest = message, text;
    while (text_cut(&rest, ',', &text))
        add_option(o, text, config, &s);
    return true;
}

bool push_options_finish(struct push_options *o, const char **why)
{
    struct tunnel tunnel = {.mtu = o->tun_mtu, .mss_mtu = o->tun_mtu};
    if (!push_route_finish(&o->route, &tunnel, why))
        return false;
    push_dns_finish(&o->dns, &tunnel);
    o->tunnel = tunnel;
    return true;
}
