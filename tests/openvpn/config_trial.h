/* A profile in a string, parsed, with everything that was said about it. */
#ifndef TESTS_OPENVPN_CONFIG_TRIAL_H
#define TESTS_OPENVPN_CONFIG_TRIAL_H

#include "gateway/openvpn/config_parser.h"

enum { CONFIG_TRIAL_REPORTS = 64 };

struct config_trial_report {
    enum config_severity severity;
    unsigned line;
    char text[512];
};

struct config_trial {
    struct config config;
    bool usable;
    size_t errors, warnings;
    size_t count;
    struct config_trial_report reports[CONFIG_TRIAL_REPORTS];
    /* One file that the profile may name. */
    const char *file_name, *file_content;
};

/* Parses exactly these bytes, from a heap copy of exactly this size. */
void config_trial_run(struct config_trial *t, struct bytes text);
/* Parses `text`; with `file_name` and `file_content` set, knows that file. */
void config_trial_parse(struct config_trial *t, const char *text);
/* A usable minimal profile with `lines` at its end, from line 4 on. */
void config_trial_with(struct config_trial *t, const char *lines);
void config_trial_clear(struct config_trial *t);

/* A report of that severity and line whose text holds `part`. */
bool config_trial_said(const struct config_trial *t,
                       enum config_severity severity, unsigned line,
                       const char *part);
/* Any report holds it. */
bool config_trial_leaked(const struct config_trial *t, const char *part);
/* For the message of a failing test. */
void config_trial_print(const struct config_trial *t);

#endif
