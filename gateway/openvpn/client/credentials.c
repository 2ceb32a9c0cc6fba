#include "gateway/openvpn/client/credentials.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/tls/tls_context.h"

static void drop(char **text)
{
    if (*text)
        secret_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static void replace(char **text, const char *with)
{
    if (!with)
        return;
    drop(text);
    *text = strdup(with);
}

void credentials_init(struct credentials *c, const struct config *config)
{
    *c = (struct credentials){.config = config};
    c->key_encrypted = tls_context_needs_password(config);
}

static void drop_token(struct credentials *c)
{
    secret_wipe(c->token, sizeof c->token);
    secret_wipe(c->token_username, sizeof c->token_username);
}

void credentials_clear(struct credentials *c)
{
    drop(&c->username);
    drop(&c->password);
    drop(&c->response);
    drop(&c->key_password);
    secret_wipe(c, sizeof *c);
}

/* Known credentials: a person's answer goes before the profile's. */

static const char *username(const struct credentials *c)
{
    return c->username ? c->username : c->config->username;
}

static const char *password(const struct credentials *c)
{
    return c->password ? c->password : c->config->password;
}

struct bytes credentials_key_password(const struct credentials *c)
{
    if (c->key_password)
        return bytes_of_text(c->key_password);
    return bytes_of(c->config->key_password.data, c->config->key_password.size);
}

void credentials_drop_key_password(struct credentials *c)
{
    drop(&c->key_password);
    c->key_refused = true;
}

static bool wants_key_password(const struct credentials *c)
{
    return c->key_encrypted && !c->key_password &&
           (c->key_refused || c->config->key_password.size == 0);
}

const char *credentials_question(const struct credentials *c)
{
    if (wants_key_password(c))
        return c->key_refused
                   ? "The password of the private key; the one it got is wrong"
                   : "The password of the private key";
    if (!c->config->auth_user_pass || c->token[0])
        return NULL;
    if (c->challenged)
        return c->response ? NULL : c->challenge_text;
    if (c->config->static_challenge && !c->response)
        return c->config->static_challenge;
    if (c->refused)
        return "User name and password; the server refuses those it got";
    if (!username(c) || !password(c))
        return "User name and password";
    return NULL;
}

unsigned credentials_wanted(const struct credentials *c)
{
    unsigned wanted = 0;
    if (!credentials_question(c))
        return 0;
    if (wants_key_password(c))
        return CREDENTIALS_PASSWORD;
    if (c->challenged)
        return CREDENTIALS_RESPONSE;
    if (!username(c) || c->refused)
        wanted |= CREDENTIALS_USERNAME;
    if (!password(c) || c->refused)
        wanted |= CREDENTIALS_PASSWORD;
    if (c->config->static_challenge && !c->response)
        wanted |= CREDENTIALS_RESPONSE;
    return wanted;
}

bool credentials_shows_response(const struct credentials *c)
{
    return c->challenged ? c->challenge_echo : c->config->static_challenge_echo;
}

void credentials_answer(struct credentials *c, const char *new_username,
                        const char *new_password, const char *response)
{
    if (wants_key_password(c)) {
        replace(&c->key_password, new_password);
        return;
    }
    replace(&c->username, new_username);
    replace(&c->password, new_password);
    replace(&c->response, response);
    if (!new_password)
        return;
    c->refused = false;
    c->refusals = 0;
}

/* Sending. */

static bool write_static_response(struct credentials *c)
{
    const char *first = password(c) ? password(c) : "";
    struct bytes answer = bytes_of_text(c->response ? c->response : "");
    size_t used;
    if (c->config->static_challenge_concat)
        return snprintf(c->line, sizeof c->line, "%s%.*s", first,
                        (int)answer.size,
                        (const char *)answer.data) < (int)sizeof c->line;
    memcpy(c->line, "SCRV1:", 7);
    used = strlen(c->line);
    if (!text_to_base64(bytes_of_text(first), c->line + used,
                        sizeof c->line - used))
        return false;
    used = strlen(c->line);
    c->line[used++] = ':';
    return text_to_base64(answer, c->line + used, sizeof c->line - used);
}

static bool write_password(struct credentials *c)
{
    if (c->token[0])
        return text_copy(c->line, sizeof c->line, bytes_of_text(c->token));
    if (c->challenged)
        return snprintf(c->line, sizeof c->line, "CRV1::%s::%s",
                        c->challenge_state,
                        c->response ? c->response : "") < (int)sizeof c->line;
    if (c->config->static_challenge)
        return write_static_response(c);
    return text_copy(c->line, sizeof c->line,
                     bytes_of_text(password(c) ? password(c) : ""));
}

void credentials_write(struct credentials *c, struct key_exchange *message)
{
    const char *name = username(c) ? username(c) : "";
    if (!c->config->auth_user_pass)
        return;
    if (c->token[0] && c->token_username[0])
        name = c->token_username;
    else if (!c->token[0] && c->challenged)
        name = c->challenge_username;
    message->username = bytes_of_text(name);
    /* One that does not fit is sent empty, and the server refuses it. */
    if (!write_password(c))
        c->line[0] = 0;
    message->password = bytes_of_text(c->line);
}

void credentials_sent(struct credentials *c)
{
    secret_wipe(c->line, sizeof c->line);
}

/* The server's verdict. */

void credentials_accepted(struct credentials *c)
{
    c->refusals = 0;
    /* A response is good for once. */
    c->challenged = false;
    drop(&c->response);
}

void credentials_disconnected(struct credentials *c)
{
    if (c->config->auth_nocache)
        drop(&c->password);
}

void credentials_token(struct credentials *c, const char *new_username,
                       const char *token)
{
    drop_token(c);
    if (!text_copy(c->token, sizeof c->token, bytes_of_text(token)) ||
        !text_copy(c->token_username, sizeof c->token_username,
                   bytes_of_text(new_username)))
        drop_token(c);
}

static bool take_challenge(struct credentials *c,
                           const struct control_auth_failed *f)
{
    size_t size;
    if (f->failure != CONTROL_AUTH_CHALLENGE ||
        !text_copy(c->challenge_state, sizeof c->challenge_state,
                   f->state_id) ||
        !text_from_base64(f->username_base64, (uint8_t *)c->challenge_username,
                          sizeof c->challenge_username - 1, &size) ||
        !text_copy(c->challenge_text, sizeof c->challenge_text, f->reason))
        return false;
    c->challenge_username[size] = 0;
    c->challenge_echo = f->echo;
    c->challenged = true;
    drop(&c->response);
    return true;
}

enum credentials_verdict
credentials_refused(struct credentials *c,
                    const struct control_auth_failed *failed)
{
    /* Without a password nobody is asked for anything. */
    if (!c->config->auth_user_pass)
        return CREDENTIALS_LATER;
    if (take_challenge(c, failed)) {
        drop_token(c);
        return CREDENTIALS_ASK;
    }
    /* A restarted server knows no token any more and says only "failed". */
    if (c->token[0]) {
        drop_token(c);
        return CREDENTIALS_AGAIN;
    }
    c->challenged = false;
    drop(&c->response);
    c->refusals++;
    bool person =
        c->password != NULL || c->config->auth_retry == CONFIG_RETRY_INTERACT;
    if (!person && c->refusals < CREDENTIALS_REFUSALS_MAX)
        return CREDENTIALS_LATER;
    drop(&c->password);
    c->refused = true;
    return CREDENTIALS_ASK;
}

void credentials_forget(struct credentials *c)
{
    drop(&c->password);
    drop(&c->response);
    c->challenged = false;
}
