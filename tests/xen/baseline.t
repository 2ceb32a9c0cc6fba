#!/bin/bash
# The lab itself: Xen, domains, and Linux' own network backend between them.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1
lab_boot baseline 240 baseline
