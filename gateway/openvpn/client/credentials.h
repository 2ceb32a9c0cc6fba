/*
 * Name and password for the server, from the profile or from a person, and
 * what takes their place: a token that the server pushed, the answer to a
 * challenge (openvpn: misc.c, ssl.c; doc/management-notes.txt). Also the
 * password of an encrypted private key. Secrets are wiped when dropped.
 */
#ifndef OPENVPN_CLIENT_CREDENTIALS_H
#define OPENVPN_CLIENT_CREDENTIALS_H

#include "gateway/openvpn/config/config.h"
#include "gateway/openvpn/control/control_message.h"
#include "gateway/openvpn/session/key_exchange.h"

enum {
    CREDENTIALS_TEXT_SIZE = 512,  /* of a question or token */
    CREDENTIALS_REFUSALS_MAX = 5, /* of the same password, then a person is
                                     asked: an account must not be locked */
};

struct credentials {
    const struct config *config;
    char *username, *password, *response; /* owned, given by a person */
    char *key_password;                   /* owned */
    char token[CREDENTIALS_TEXT_SIZE];    /* "" if none */
    char token_username[CREDENTIALS_TEXT_SIZE];
    bool key_encrypted;
    bool key_refused; /* with the password that was there */
    bool challenged;  /* the server asked, the rest tells what */
    char challenge_state[CREDENTIALS_TEXT_SIZE];
    char challenge_username[CREDENTIALS_TEXT_SIZE];
    char challenge_text[CREDENTIALS_TEXT_SIZE];
    bool challenge_echo;
    unsigned refusals; /* in a row */
    bool refused;      /* what the profile has will not do */
    char line[KEY_EXCHANGE_CREDENTIAL_MAX + 1]; /* the password as sent */
};

void credentials_init(struct credentials *c, const struct config *config);
void credentials_clear(struct credentials *c);

/* The question for a person without whose answer there is no connecting, or
 * NULL. */
const char *credentials_question(const struct credentials *c);
/* The parts of its answer, as bits; none without a question. */
enum credentials_part {
    CREDENTIALS_USERNAME = 1 << 0,
    CREDENTIALS_PASSWORD = 1 << 1,
    CREDENTIALS_RESPONSE = 1 << 2, /* to a challenge */
};
unsigned credentials_wanted(const struct credentials *c);
/* The answer to a challenge may be shown while it is typed. */
bool credentials_shows_response(const struct credentials *c);
/* The answer, copied. Any of them may be NULL. */
void credentials_answer(struct credentials *c, const char *username,
                        const char *password, const char *response);
/* The password of an encrypted private key; empty if it is not known or not
 * needed. */
struct bytes credentials_key_password(const struct credentials *c);
void credentials_drop_key_password(struct credentials *c);

/* Sets name and password of the message; they are borrowed from here. */
void credentials_write(struct credentials *c, struct key_exchange *message);
/* The message is gone, or will never be. */
void credentials_sent(struct credentials *c);

/* The tunnel stands. */
void credentials_accepted(struct credentials *c);
/* It no longer does: forgets the password if auth-nocache says so. */
void credentials_disconnected(struct credentials *c);
/* A token that the server pushed; `username` may be "". */
void credentials_token(struct credentials *c, const char *username,
                       const char *token);

enum credentials_verdict {
    CREDENTIALS_AGAIN, /* at once: without the token that was refused */
    CREDENTIALS_LATER, /* with a pause, unchanged */
    CREDENTIALS_ASK,   /* a person must be asked */
};
/* The server refused. */
enum credentials_verdict
credentials_refused(struct credentials *c,
                    const struct control_auth_failed *failed);
/* The server wants the password to be given again: a person is asked. The
 * profile's password stays, and so does a token (openvpn: ssl.c,
 * ssl_purge_auth). */
void credentials_forget(struct credentials *c);

#endif
