#!/bin/bash
# The package in a qube whose template is Debian 12, with systemd 252.
release=bookworm
# shellcheck source=tests/systemd/cases.sh
. "$(dirname "$0")/cases.sh" || exit 1
