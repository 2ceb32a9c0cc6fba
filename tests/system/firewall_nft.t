#!/bin/sh
# The gateway's firewall and the kernel's, with the same rules, get the same packets; the program prints what they did.
exec "${BUILD:-build}/tests/system/nft_twin"
