/* A profile in a string, parsed, with everything that was said about it. */
#ifndef TESTS_OPENVPN_CONFIG_CONFIG_TRIAL_H
#define TESTS_OPENVPN_CONFIG_CONFIG_TRIAL_H

#include "gateway/openvpn/config/config_parser.h"

enum { CONFIG_TRIAL_REPORTS = 64 };

/* Test material: an authority of nothing, and its empty list. */
#define CONFIG_TRIAL_CERTIFICATE                                               \
    "-----BEGIN CERTIFICATE-----\n"                                            \
    "MIIBzDCCAXOgAwIBAgIUAvaVidceRZMLyndM8/h7hHLanScwCgYIKoZIzj0EAwIw\n"       \
    "MzEWMBQGA1UECgwNVGVzdCBtYXRlcmlhbDEZMBcGA1UEAwwQVGVzdCBtYXRlcmlh\n"       \
    "bCBDQTAgFw0yNjExMjEwODI0MzdaGA8yMTI2MTAyODA4MjQzN1owMzEWMBQGA1UE\n"       \
    "CgwNVGVzdCBtYXRlcmlhbDEZMBcGA1UEAwwQVGVzdCBtYXRlcmlhbCBDQTBZMBMG\n"       \
    "ByqGSM49AgEGCCqGSM49AwEHA0IABGhxT+Oea5NRbJJVZzE8f9zznbPAf02K+9nu\n"       \
    "B8pC8KkQTUBTL0fUfcJF1vBe4K1hv895ZAjAHjFpkViS0YbVrR2jYzBhMB0GA1Ud\n"       \
    "DgQWBBSvAukK5GpXrCtHiS94CS8lWC+XtTAfBgNVHSMEGDAWgBSvAukK5GpXrCtH\n"       \
    "iS94CS8lWC+XtTAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAKBggq\n"       \
    "hkjOPQQDAgNHADBEAiBuSuybP/WaL8fAW4ZylT8PlpMpobhzK2DqWsQ+CoBjtgIg\n"       \
    "akEYBy1K0yMai27cxebPVPjPhVKVqYIr5dtv3aF9i34=\n"                           \
    "-----END CERTIFICATE-----\n"
#define CONFIG_TRIAL_CRL                                                       \
    "-----BEGIN X509 CRL-----\n"                                               \
    "MIHMMHQCAQEwCgYIKoZIzj0EAwIwMzEWMBQGA1UECgwNVGVzdCBtYXRlcmlhbDEZ\n"       \
    "MBcGA1UEAwwQVGVzdCBtYXRlcmlhbCBDQRcNMjYxMTIxMDgyNDM3WhgPMjEyNjEw\n"       \
    "MjgwODI0MzdaoA4wDDAKBgNVHRQEAwIBATAKBggqhkjOPQQDAgNIADBFAiB8A0z5\n"       \
    "PW4OhmBOPVYBZnXbY+vpMiOzObVJWQV8HbZVegIhAPZzvOHP2WX7E/lJ1qv9Zyz3\n"       \
    "RZEE59i/huhGVvo//mAy\n"                                                   \
    "-----END X509 CRL-----\n"

#define CONFIG_TRIAL_KEY_LINE "000102030405060708090a0b0c0d0e0f\n"
#define CONFIG_TRIAL_KEY_LINES                                                 \
    CONFIG_TRIAL_KEY_LINE CONFIG_TRIAL_KEY_LINE CONFIG_TRIAL_KEY_LINE          \
        CONFIG_TRIAL_KEY_LINE
#define CONFIG_TRIAL_STATIC_KEY                                                \
    "-----BEGIN OpenVPN Static key V1-----\n" CONFIG_TRIAL_KEY_LINES           \
        CONFIG_TRIAL_KEY_LINES CONFIG_TRIAL_KEY_LINES CONFIG_TRIAL_KEY_LINES   \
    "-----END OpenVPN Static key V1-----\n"

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
