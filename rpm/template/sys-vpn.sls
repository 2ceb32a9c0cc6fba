# A gateway qube of the nano kind, as a state of dom0's salt: copy it to /srv/salt, and
#
#   qubesctl state.apply sys-vpn
#
# The kernel directory vpn-gateway-VERSION is in /var/lib/qubes/vm-kernels. Which template the qube has does not matter
# then: nothing of its disk is read.
{% set name = 'sys-vpn' %}
{% set kernel = 'vpn-gateway-0.1.0' %}
{% set template = salt['cmd.run']('qubes-prefs default_template') %}

{{ name }}:
  qvm.vm:
    - present:
      - template: {{ template }}
      - label: purple
    - prefs:
      - netvm: sys-firewall
      - provides-network: true
      - kernel: {{ kernel }}
      - virt-mode: pvh
      - memory: 64
      - maxmem: 0
      - vcpus: 1
    - features:
      - set:
        - qubes-firewall: 1
        - gui: ''
        - qrexec: ''
        - skip-update: 1
        - vm-config.vpn-profile: work.ovpn
