#!/bin/bash
# The gateway on real Xen: it is the backend of its qubes' network cards.
#
# LAB_CASES="cards ends" tests/xen/gateway.t runs these groups of cases alone.
# shellcheck source=tests/xen/lab.sh
. "$(dirname "$0")/lab.sh" || exit 1
cases=${LAB_CASES:-basics cards program suspend qubesdb ends}
lab_boot gateway 400 gateway "lab.cases=${cases// /+}"
