#include "tests/openvpn/config/config_trial.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/openvpn/push/push_options.h"
#include "tests/unit.h"

static void note(void *context, enum config_severity severity, unsigned line,
                 const char *text)
{
    struct config_trial *t = context;
    if (severity == CONFIG_ERROR)
        t->errors++;
    else
        t->warnings++;
    if (t->count == CONFIG_TRIAL_REPORTS)
        return;
    struct config_trial_report *r = &t->reports[t->count++];
    r->severity = severity;
    r->line = line;
    snprintf(r->text, sizeof r->text, "%s", text);
}

static const char *read_known_file(void *context,
                                   const struct config_reference *reference,
                                   struct blob *out)
{
    const struct config_trial *t = context;
    if (!t->file_name || strcmp(reference->path, t->file_name) != 0)
        return "there is no such file";
    return blob_set(out, bytes_of_text(t->file_content)) ? NULL : "no memory";
}

void config_trial_run(struct config_trial *t, struct bytes text)
{
    const struct config_parser_env env = {note, read_known_file, t,
                                          push_options_try_line};
    uint8_t *exact = malloc(text.size ? text.size : 1);
    if (!exact)
        abort();
    if (text.size)
        memcpy(exact, text.data, text.size);
    t->errors = t->warnings = t->count = 0;
    t->usable =
        config_parse(bytes_of(exact, text.size), "t.ovpn", &env, &t->config);
    free(exact);
}

void config_trial_parse(struct config_trial *t, const char *text)
{
    config_trial_run(t, bytes_of_text(text));
}

void config_trial_with(struct config_trial *t, const char *lines)
{
    static const char head[] = "client\n"
                               "dev tun\n"
                               "remote vpn.example.org 1194 udp\n";
    static const char tail[] =
        "\nremote-cert-tls "
        "server\nauth-user-pass\n<ca>\n" CONFIG_TRIAL_CERTIFICATE "</ca>\n";
    char *all = NULL;
    if (asprintf(&all, "%s%s%s", head, lines, tail) < 0)
        abort();
    config_trial_parse(t, all);
    free(all);
}

void config_trial_clear(struct config_trial *t)
{
    config_clear(&t->config);
    *t = (struct config_trial){0};
}

bool config_trial_said(const struct config_trial *t,
                       enum config_severity severity, unsigned line,
                       const char *part)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->reports[i].severity == severity && t->reports[i].line == line &&
            strstr(t->reports[i].text, part))
            return true;
    return false;
}

bool config_trial_leaked(const struct config_trial *t, const char *part)
{
    for (size_t i = 0; i < t->count; i++)
        if (strstr(t->reports[i].text, part))
            return true;
    return false;
}

void config_trial_print(const struct config_trial *t)
{
    for (size_t i = 0; i < t->count; i++)
        print_message("line %u: %s: %s\n", t->reports[i].line,
                      t->reports[i].severity == CONFIG_ERROR ? "error"
                                                             : "warning",
                      t->reports[i].text);
}
