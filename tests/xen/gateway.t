#!/bin/bash
# The gateway on real Xen: it is the backend of its qubes' network cards.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1
cases=${LAB_CASES:-basics cards program qubesdb vchan hostile ends}
lab_boot gateway 400 gateway "lab.cases=${cases// /+}"
