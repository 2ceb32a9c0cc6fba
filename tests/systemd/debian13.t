#!/bin/bash
# The package in a qube whose template is Debian 13, with systemd 257.
release=trixie
# shellcheck source=tests/systemd/cases.sh
. "$(dirname "$0")/cases.sh" || exit 1
