#include "gateway/order.h"

static const char *const names[] = {
    [ORDER_STATUS] = "status",       [ORDER_SETTINGS] = "settings",
    [ORDER_RECONNECT] = "reconnect", [ORDER_STOP] = "stop",
    [ORDER_LOGIN] = "login",         [ORDER_LOG_LEVEL] = "log-level",
};

static const char *text_of(const json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

static bool parse_type(const char *command, enum order_type *type)
{
    for (size_t i = 0; command && i < sizeof names / sizeof *names; i++) {
        if (strcmp(command, names[i]) == 0) {
            *type = (enum order_type)i;
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

static bool parse_login(const json_t *request, struct order *o)
{
    return parse_text(request, "username", &o->username) &&
           parse_text(request, "password", &o->password) &&
           parse_text(request, "response", &o->response) &&
           (o->username || o->password || o->response);
}

bool order_parse(const json_t *request, struct order *out)
{
    struct order order = {0};
    if (!parse_type(text_of(request, "command"), &order.type))
        return false;
    if (order.type == ORDER_LOGIN && !parse_login(request, &order))
        return false;
    if (order.type == ORDER_LOG_LEVEL &&
        !parse_level(text_of(request, "level"), &order.log_level))
        return false;
    *out = order;
    return true;
}
