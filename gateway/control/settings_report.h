/*
 * The settings, and who made them: the command line over dom0's vm-config over
 * the profile over what the server grants over defaults; and what is wrong with
 * a value of dom0's, which then is not in force.
 */
#ifndef CONTROL_SETTINGS_REPORT_H
#define CONTROL_SETTINGS_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "gateway/dom0/vm_config.h"
#include "gateway/process/settings.h"
#include "gateway/vpn/vpn.h"

/* Borrowed for the call. */
struct settings_report_source {
    const struct settings *settings;
    const struct vm_config *dom0;
    struct vpn_view vpn;
    const struct tunnel *granted; /* by the server; NULL: the tunnel is down */
    bool log_level_ordered;       /* with `log-level` */
};

/* {"settings": [{"name", "value", "origin", "takes", "problem"}, ...]}; owned
 * by the caller. */
json_t *settings_report_json(const struct settings_report_source *source);

void settings_report_print(const json_t *report, FILE *out);

#endif
