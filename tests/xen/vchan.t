#!/bin/bash
# A qube that is connected to the gateway by a vchan.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1
lab_boot vchan 300 vchan
