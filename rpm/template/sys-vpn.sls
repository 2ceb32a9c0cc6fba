# A gateway qube of the nano kind, as a state of dom0's salt: copy it to /srv/salt, and
#
#   qubesctl state.apply sys-vpn
#
# The kernel directory vpn-gateway-VERSION is in /var/lib/qubes/vm-kernels. The qube's template does not matter then:
# nothing of its disk is read.
{% set name = 'sys-vpn' %}
{% set kernel = 'vpn-gateway-0.1.0' %}
{% set template = salt['cmd.run']('qubes-prefs default_template') %}
# An archive of profiles in dom0; it is taken once, while the gateway is not running.
{% set profiles = '/root/profiles.tar' %}
# The qubes that go through it.
{% set qubes = [] %}

{{ name }}:
  qvm.vm:
    # Forwarding is off before it is a network qube: a backup that is restored without the kernel directory starts the
    # template, which would forward in clear.
    - actions:
      - present
      - service
      - prefs
      - features
    - present:
      - template: {{ template }}
      - label: purple
    - service:
      - disable:
        - qubes-network
    - prefs:
      - netvm: sys-firewall
      - provides-network: true
      - kernel: {{ kernel }}
      - virt-mode: pvh
      - memory: 64
      - maxmem: 0
      - vcpus: 1
    - features:
      - enable:
        - qubes-firewall
        - skip-update
      - disable:
        - gui
        - qrexec
      - set:
        - vm-config.vpn-profile: work.ovpn

{{ name }}-profiles:
  cmd.run:
    - name: qvm-volume import {{ name }}:private {{ profiles }} && rm {{ profiles }}
    - onlyif: test -e {{ profiles }}
    - require:
      - qvm: {{ name }}

{% for qube in qubes %}
{{ qube }}:
  qvm.prefs:
    - netvm: {{ name }}
    - require:
      - qvm: {{ name }}
{% endfor %}
