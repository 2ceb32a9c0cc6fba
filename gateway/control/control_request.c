#include "gateway/control/control_request.h"

static const char *const names[] = {
    [CONTROL_REQUEST_STATUS] = "status",
    [CONTROL_REQUEST_SETTINGS] = "settings",
    [CONTROL_REQUEST_RECONNECT] = "reconnect",
    [CONTROL_REQUEST_STOP] = "stop",
    [CONTROL_REQUEST_LOGIN] = "login",
    [CONTROL_REQUEST_LOG_LEVEL] = "log-level",
};

static const char *text_of(const json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

static bool parse_type(const char *command, enum control_request_type *type)
{
    for (size_t i = 0; command && i < sizeof names / sizeof *names; i++) {
        if (strcmp(command, names[i]) == 0) {
            *type = (enum control_request_type)i;
            return true;
        }
    }
    return false;
}

static bool parse_level(const char *text, int *out)
{
    enum log_level level;
    if (!text)
        return false;
    if (strcmp(text, "default") == 0) {
        *out = -1;
        return true;
    }
    if (!log_level_of(bytes_of_text(text), &level))
        return false;
    *out = (int)level;
    return true;
}

/* NULL where it says nothing; false if it is no text. */
static bool parse_text(const json_t *request, const char *key,
                       const char **text)
{
    const json_t *value = json_object_get(request, key);
    *text = json_string_value(value);
    return !value || *text;
}

static bool parse_login(const json_t *request, struct control_request *o)
{
    return parse_text(request, "username", &o->username) &&
           parse_text(request, "password", &o->password) &&
           parse_text(request, "response", &o->response) &&
           (o->username || o->password || o->response);
}

bool control_request_known(const json_t *request)
{
    enum control_request_type type;
    return parse_type(text_of(request, "command"), &type);
}

bool control_request_parse(const json_t *request, struct control_request *out)
{
    struct control_request order = {0};
    if (!parse_type(text_of(request, "command"), &order.type))
        return false;
    if (order.type == CONTROL_REQUEST_LOGIN && !parse_login(request, &order))
        return false;
    if (order.type == CONTROL_REQUEST_LOG_LEVEL &&
        !parse_level(text_of(request, "level"), &order.log_level))
        return false;
    *out = order;
    return true;
}

json_t *control_request_foreign(const json_t *request, const char *self,
                                const char *takes)
{
    char quoted[LOG_QUOTE_SIZE];
    const char *command = text_of(request, "command");
    if (!command)
        return NULL;
    return json_pack(
        "{s:o}", "error",
        json_sprintf("the gateway that answers here is %s and knows no `%s'; "
                     "it takes %s",
                     self, log_quote(quoted, bytes_of_text(command)), takes));
}
