#!/bin/bash
# A qube whose frontend lies to the gateway.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1
lab_boot hostile 300 hostile
