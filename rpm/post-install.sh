#!/bin/sh
# Tells dom0 that qubes of this template can be a VPN gateway: it shows among the services in a qube's settings.
qvm-features-request supported-service.vpn-gateway=1
