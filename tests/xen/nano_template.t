#!/bin/bash
# The nano template as Qubes starts it: PVH, from the kernel directory and by GRUB.
#
# LAB_CASES="template" tests/xen/nano_template.t runs one group of cases.
cases=${LAB_CASES:-pvh template}
# shellcheck source=tests/xen/nano.t
. "$(dirname "$0")/nano.t"
