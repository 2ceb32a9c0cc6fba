#!/bin/sh
# Tells dom0 what qubes of this template can be told to do: it shows among the services in a qube's settings.
for service in vpn-gateway vpn-gateway-no-dns; do
    qvm-features-request supported-service.$service=1
done
