/*
 * The two ends' messages in text once TLS stands: each ends in a NUL, and
 * several may share a TLS record. The keyword is matched as a prefix (openvpn:
 * forward.c, push.c, options_util.c). All results borrow from the record.
 */
#ifndef OPENVPN_CONTROL_CONTROL_MESSAGE_H
#define OPENVPN_CONTROL_CONTROL_MESSAGE_H

#include "gateway/base/bytes.h"

enum control_message_type {
    CONTROL_MESSAGE_UNKNOWN,
    CONTROL_MESSAGE_AUTH_FAILED,
    CONTROL_MESSAGE_PUSH_REPLY,
    CONTROL_MESSAGE_PUSH_UPDATE,
    CONTROL_MESSAGE_PUSH_REQUEST,
    CONTROL_MESSAGE_RESTART,
    CONTROL_MESSAGE_HALT,
    CONTROL_MESSAGE_INFO_PRE,
    CONTROL_MESSAGE_INFO,
    CONTROL_MESSAGE_CR_RESPONSE,
    CONTROL_MESSAGE_AUTH_PENDING,
    CONTROL_MESSAGE_EXIT,
    CONTROL_MESSAGE_TYPE_COUNT
};

enum { CONTROL_MESSAGE_MAX = 1024 }; /* what we send, with its NUL */

struct control_message {
    enum control_message_type type;
    struct bytes text; /* whole, printable ASCII, without CR, LF and NUL */
    struct bytes rest; /* behind the keyword and its comma; empty without */
};

/* Takes the next message off the front of *record; false once none is left.
 * Empty ones are skipped, and so are, counted in *dropped, those with a byte
 * that cannot be printed and text that no NUL ends. */
MUST_USE bool control_message_take(struct bytes *record,
                                   struct control_message *out,
                                   unsigned *dropped);

/* The keyword, for the log. */
const char *control_message_name(enum control_message_type type);

/* The functions below read `rest` of one type. None says no: what they do not
 * understand is left at its default, as OpenVPN does. */

enum control_auth_failure {
    CONTROL_AUTH_REFUSED,   /* any reason or none */
    CONTROL_AUTH_SESSION,   /* the token has expired */
    CONTROL_AUTH_TEMPORARY, /* try again later */
    CONTROL_AUTH_CHALLENGE, /* CRV1: answer a question */
};

enum control_advance {
    CONTROL_ADVANCE_NO, /* stay at this address */
    CONTROL_ADVANCE_ADDRESS,
    CONTROL_ADVANCE_REMOTE,
};

struct control_auth_failed {
    enum control_auth_failure failure;
    struct bytes reason; /* or the question; for a person */
    /* TEMPORARY */
    uint32_t backoff; /* s, 0 if not said; any size */
    enum control_advance advance;
    /* CHALLENGE */
    bool echo; /* the answer may be shown while it is typed. Of flag R, that
                  there must be one, nothing is read: OpenVPN asks without */
    struct bytes state_id;
    struct bytes username_base64;
};

void control_message_auth_failed(struct bytes rest,
                                 struct control_auth_failed *out);

/* RESTART and HALT. */
struct control_signal {
    bool preserve_credentials; /* flag P, or nothing is said at all (openvpn:
                                  forward.c); else forget the password */
    bool advance;              /* flag N: go on to the next remote */
    struct bytes reason;
};

void control_message_signal(struct bytes rest, struct control_signal *out);

/* Seconds to wait for somebody's approval, 0 if not said; any size. */
uint32_t control_message_auth_pending(struct bytes rest);

/* INFO and INFO_PRE. Never to be executed or opened. */
enum control_info_kind {
    CONTROL_INFO_TEXT,
    CONTROL_INFO_WEB_AUTH, /* `text` is a URL */
    CONTROL_INFO_OPEN_URL,
    CONTROL_INFO_CHALLENGE, /* CR_TEXT: answer with CR_RESPONSE */
};

struct control_info {
    enum control_info_kind kind;
    struct bytes text;
    bool echo;              /* CHALLENGE: as above */
    bool response_required; /* CHALLENGE; else its text is only to be read */
};

void control_message_info(struct bytes rest, struct control_info *out);

/* The message with its NUL for an answer to CR_TEXT; false if it would be
 * longer than CONTROL_MESSAGE_MAX or does not fit. */
MUST_USE bool control_message_write_response(struct bytes answer,
                                             struct writer *w);

#endif
