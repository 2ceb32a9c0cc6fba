#include "gateway/serve/serve_logins.h"

#include <stdlib.h>

#include "gateway/serve/password_helper.h"
#include "gateway/serve/passwords.h"

struct serve_logins {
    serve_logins_answer *answer;
    void *context;
    struct passwords *passwords;    /* or NULL */
    struct password_helper *helper; /* or NULL */
};

static void checked(void *context, struct instant now, uint64_t client,
                    enum server_verdict verdict)
{
    struct serve_logins *l = context;
    l->answer(l->context, now, client, verdict, NULL);
}

enum server_verdict serve_logins_judge(struct serve_logins *l,
                                       struct instant now,
                                       const struct server_login *login)
{
    if (l->helper)
        return password_helper_ask(l->helper, now, login);
    return l->passwords ? passwords_check(l->passwords, login) : SERVER_ADMIT;
}

struct serve_logins *serve_logins_open(const struct server_config *config,
                                       struct loop *loop,
                                       serve_logins_answer *answer,
                                       void *context)
{
    struct serve_logins *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->answer = answer;
    l->context = context;
    if (config->users)
        l->passwords = passwords_open(config->users, loop, checked, l);
    if (config->helper)
        l->helper = password_helper_new(config->helper, loop, answer, context);
    if ((!config->users || l->passwords) && (!config->helper || l->helper))
        return l;
    serve_logins_close(l);
    return NULL;
}

void serve_logins_close(struct serve_logins *l)
{
    if (!l)
        return;
    passwords_close(l->passwords);
    password_helper_free(l->helper);
    free(l);
}
