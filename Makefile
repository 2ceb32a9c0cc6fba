# One Makefile for everything. All output goes below build/. `make help` lists the targets.
#
# Variables a person may set:  BUILD=build/other  TLS=  CC=  CFLAGS=  LDFLAGS=  HARDENING=  SOURCES_AT=  WERROR=  DESTDIR=
# PREFIX=  and V=1, which shows the commands.
# A folder is an archive; what may be linked with what is the table under "Archives", and it is the arrows of the design.

BUILD := build
PREFIX := /usr
CFLAGS := -O2 -g
LDFLAGS :=
WERROR := -Werror
TLS := mbedtls
FUZZ_SECONDS := 10
Q := $(if $(V),,@)

all: program ## the program, build/vpn-gateway

# --- Compiler flags ---------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wstrict-prototypes \
    -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough \
    -Wwrite-strings -Wnull-dereference
# -fcf-protection marks each object for CET (shadow stack, indirect branches); the linker marks the program if all are
# marked. In Debian's C library Scrt1.o, crti.o, crtn.o and libc_nonshared.a are not, so that no program there is: it
# was built without CET and switches no shadow stack on, whatever the mark. tests/lint/linked watches over our own
# objects.
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
ifeq ($(findstring clang,$(CC)),)
WARNINGS += -Wcast-align=strict -Wduplicated-cond -Wduplicated-branches -Wlogical-op
HARDENING += -ftrivial-auto-var-init=zero
else
HARDENING += -ftrivial-auto-var-init=pattern # before clang 16 `zero' is not to be had
endif

# The place where a debugger is to look for the sources, wherever they were when they were compiled.
SOURCES_AT := .

# Asserts stay on in every build: NDEBUG is never defined. No __DATE__, no build path in the output.
COMPILE = $(CC) -std=c17 -D_GNU_SOURCE -I. $(WARNINGS) $(WERROR) $(HARDENING) -fno-strict-aliasing \
    -fPIE -ffile-prefix-map=$(CURDIR)=$(SOURCES_AT) $(CFLAGS) $(CPPFLAGS)
LINK = $(CC) -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(CFLAGS) $(LDFLAGS)

# --- Libraries --------------------------------------------------------------------------------------------------------
# Debian 12's mbedTLS is too old, so there `make deps` unpacks a newer one below build/deps and writes flags.mk;
# everywhere else pkg-config knows it.

-include build/deps/flags.mk
ifndef MBEDTLS_LIBS
MBEDTLS_CFLAGS := $(shell pkg-config --cflags 'mbedtls >= 3.6' 2>/dev/null)
MBEDTLS_LIBS := $(shell pkg-config --libs 'mbedtls >= 3.6' mbedx509 mbedcrypto 2>/dev/null)
endif
OPENSSL_LIBS := -lssl -lcrypto
# The TLS library: TLS=mbedtls, or TLS=openssl.
TLS_LIBS = $(if $(filter openssl,$(TLS)),$(OPENSSL_LIBS),$(MBEDTLS_LIBS))
IPSECMB_LIBS := -lIPSec_MB
LZO_LIBS := -llzo2
LZ4_LIBS := -llz4
CARES_LIBS := -lcares
MNL_LIBS := -lmnl
JANSSON_LIBS := -ljansson
CRYPT_LIBS := -lcrypt -pthread
SODIUM_LIBS := -lsodium
# The shared libb2 draws libgomp in, for functions that are not used here.
B2_STATIC := $(shell $(CC) -print-file-name=libb2.a)
B2_LIBS := $(if $(findstring /,$(B2_STATIC)),$(B2_STATIC),-lb2)
SECCOMP_LIBS := -lseccomp
XENSTAT_LIBS := -lxenstat
XENSTORE_LIBS := -lxenstore
XENVCHAN_LIBS := -lxenvchan
XEN_LIBS := -lxengnttab -lxenevtchn -lxenstore
CMOCKA_LIBS := -lcmocka

# --- Archives ---------------------------------------------------------------------------------------------------------

ROOMS := config control tls data keys session push client server server_config
FOLDERS := gateway $(addprefix gateway/,base packet event crypto crypto/noise wireguard wireguard/data wireguard/profile \
    wireguard/client link link/xen uplink router vpn dom0 control serve process command nano) $(addprefix gateway/openvpn/,$(ROOMS)) firewall qubesdb

# The tests of a folder are linked with these, in link order: the folder and what its arrows reach, nothing else.
BASE := gateway/base
OPENVPN_KEYS := gateway/openvpn/keys gateway/crypto
OPENVPN_CONTROL := gateway/openvpn/control $(OPENVPN_KEYS)
OPENVPN_CONFIG := gateway/openvpn/config $(OPENVPN_CONTROL)
OPENVPN_DATA := gateway/openvpn/data $(OPENVPN_CONFIG) gateway/packet
OPENVPN_TLS := gateway/openvpn/tls $(OPENVPN_CONFIG)
OPENVPN_PUSH := gateway/openvpn/push $(OPENVPN_DATA)
OPENVPN_SESSION := gateway/openvpn/session gateway/openvpn/tls $(OPENVPN_PUSH)
OPENVPN := gateway/openvpn/client gateway/openvpn/server gateway/openvpn/server_config $(OPENVPN_SESSION)
WIREGUARD := gateway/wireguard gateway/wireguard/data gateway/packet gateway/crypto/noise gateway/crypto
WIREGUARD_PROFILE := gateway/wireguard/profile $(WIREGUARD)
WIREGUARD_CLIENT := gateway/wireguard/client $(WIREGUARD_PROFILE)
XEN := gateway/link/xen gateway/link
ROUTER := gateway/router firewall
EVERYTHING := gateway gateway/command gateway/serve gateway/control gateway/dom0 gateway/vpn gateway/process $(XEN) \
    gateway/uplink $(ROUTER) gateway/event gateway/wireguard/client gateway/wireguard/profile gateway/wireguard \
    gateway/wireguard/data gateway/crypto/noise $(OPENVPN) qubesdb

gateway_PARTS := $(EVERYTHING) $(BASE)
$(foreach folder,command serve control dom0 vpn process,$(eval gateway/$(folder)_PARTS := $(EVERYTHING) $(BASE)))
gateway/base_PARTS := $(BASE)
gateway/packet_PARTS := gateway/packet $(BASE)
gateway/event_PARTS := gateway/event $(BASE)
gateway/crypto_PARTS := gateway/crypto $(BASE)
gateway/crypto/noise_PARTS := gateway/crypto/noise $(BASE)
gateway/link_PARTS := gateway/link gateway/packet gateway/event $(BASE)
gateway/link/xen_PARTS := $(XEN) gateway/packet gateway/event $(BASE)
gateway/uplink_PARTS := gateway/uplink gateway/packet gateway/event $(BASE)
gateway/router_PARTS := $(ROUTER) gateway/packet $(BASE)
gateway/nano_PARTS := gateway/nano gateway/event $(BASE)
gateway/wireguard_PARTS := $(WIREGUARD) $(BASE)
gateway/wireguard/data_PARTS := gateway/wireguard/data gateway/packet $(BASE)
gateway/wireguard/profile_PARTS := $(WIREGUARD_PROFILE) $(BASE)
gateway/wireguard/client_PARTS := $(WIREGUARD_CLIENT) $(BASE)
gateway/openvpn/keys_PARTS := $(OPENVPN_KEYS) $(BASE)
gateway/openvpn/control_PARTS := $(OPENVPN_CONTROL) $(BASE)
gateway/openvpn/data_PARTS := $(OPENVPN_DATA) $(BASE)
gateway/openvpn/config_PARTS := $(OPENVPN_PUSH) $(BASE) # its tests try lines that may be pushed, too
gateway/openvpn/tls_PARTS := $(OPENVPN_TLS) $(BASE)
gateway/openvpn/push_PARTS := $(OPENVPN_PUSH) $(BASE)
gateway/openvpn/session_PARTS := $(OPENVPN_SESSION) $(BASE)
gateway/openvpn/client_PARTS := gateway/openvpn/client $(OPENVPN_SESSION) $(BASE)
gateway/openvpn/server_config_PARTS := gateway/openvpn/server_config $(OPENVPN_PUSH) $(BASE) # as config's
gateway/openvpn/server_PARTS := $(OPENVPN) $(BASE) # its tests have clients
firewall_PARTS := firewall gateway/packet $(BASE)
qubesdb_PARTS := qubesdb $(BASE)
simulator_PARTS := $(OPENVPN) firewall gateway/packet $(BASE)
fuzz_PARTS := $(gateway_PARTS) gateway/nano
bench_PARTS := $(gateway_PARTS)
system_PARTS := $(gateway_PARTS)
xen_PARTS := $(gateway/link/xen_PARTS)

# The libraries an archive needs when something is linked with it.
gateway/crypto_LIBS = $(TLS_LIBS) $(IPSECMB_LIBS)
gateway/crypto/noise_LIBS = $(SODIUM_LIBS) $(B2_LIBS)
gateway/openvpn/data_LIBS = $(LZO_LIBS) $(LZ4_LIBS)
gateway/link/xen_LIBS = $(XEN_LIBS)
gateway/uplink_LIBS = $(CARES_LIBS) $(MNL_LIBS)
gateway/router_LIBS = $(CARES_LIBS)
gateway/control_LIBS = $(JANSSON_LIBS)
gateway/process_LIBS = $(SECCOMP_LIBS)
gateway/serve_LIBS = $(CRYPT_LIBS)
qubesdb_LIBS = $(XENSTORE_LIBS)
# Those that only the tests of a folder need. The program itself loads libxenvchan (gateway/base/libxenvchan.h).
xen_MORE_LIBS = $(XENSTAT_LIBS) $(XENVCHAN_LIBS)

# By the folder of the sources, or of the tests: `crypto' is gateway/crypto.
parts = $(or $(gateway/$(1)_PARTS),$($(1)_PARTS))
archives = $(foreach part,$(call parts,$(1)),$(BUILD)/$(part).a)
libraries = $(foreach part,$(call parts,$(1)),$($(part)_LIBS))
objects = $(patsubst %.c,$(BUILD)/%.o,$(sort $(1)))

.SECONDEXPANSION:
.DELETE_ON_ERROR:
.SECONDARY:

# The doors and what stands behind them are one archive; the TLS library is the one that TLS names.
gateway/crypto_ROOMS := gateway/crypto/ipsecmb gateway/crypto/$(TLS)

define archive_rule
$(1)_OBJECTS := $(call objects,$(filter-out gateway/main.c gateway/nano/init.c,$(wildcard $(patsubst %,%/*.c,$(1) $($(1)_ROOMS)))))
endef
$(foreach folder,$(FOLDERS),$(eval $(call archive_rule,$(folder))))

$(FOLDERS:%=$(BUILD)/%.a): $(BUILD)/%.a: $$($$*_OBJECTS) $(BUILD)/%.list
	@rm -f $@
	@$(AR) rcsD $@ $($*_OBJECTS)

# Rewritten only when its content changes, so that a removed file or another flag rebuilds what it should.
same = @mkdir -p $(@D); echo '$(subst ','\'',$(1))' | cmp -s - $@ || echo '$(subst ','\'',$(1))' >$@
$(BUILD)/%.list: always
	$(call same,$($*_OBJECTS))
$(BUILD)/flags: always
	$(call same,$(COMPILE) $(MBEDTLS_CFLAGS) $(TLS) $(LINK))

$(BUILD)/gateway/crypto/mbedtls/%.o: private CPPFLAGS += $(MBEDTLS_CFLAGS)
$(BUILD)/tests/%.o: private CPPFLAGS += -DTLS_LIBRARY='"$(TLS)"'
$(BUILD)/%.o: %.c $(BUILD)/flags | libraries-present
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

libraries-present:
	@test -n '$(TLS_LIBS)' || { echo "Libraries are missing: run 'make deps' first." >&2; exit 1; }

# --- The program ------------------------------------------------------------------------------------------------------

program: $(FOLDERS:%=$(BUILD)/%.a) $(patsubst gateway/main.c,$(BUILD)/vpn-gateway,$(wildcard gateway/main.c))

# The package's version is the program's.
$(BUILD)/gateway/main.o: rpm/qubes-vpn-gateway.spec
$(BUILD)/gateway/main.o: private CPPFLAGS += -DVERSION='"$(shell sed -n 's/^Version: *//p' rpm/qubes-vpn-gateway.spec)"'

$(BUILD)/vpn-gateway: $(BUILD)/gateway/main.o $(call archives,gateway)
	@echo '  LINK  $@'
	$(Q)$(LINK) -o $@ $^ $(call libraries,gateway)

# --- Tests ------------------------------------------------------------------------------------------------------------
# tests/<folder>/<noun>_test.c is one program; the other sources of the folder are linked into each of them.
# tests/<folder> mirrors gateway/<folder>, firewall and qubesdb; the other folders are programs of their own kind.
UNIT_FOLDERS := $(patsubst gateway/%,%,$(FOLDERS))
PROGRAM_FOLDERS := $(UNIT_FOLDERS) simulator fuzz bench system xen
UNIT_SOURCES := $(sort $(foreach folder,$(UNIT_FOLDERS),$(wildcard tests/$(folder)/*_test.c)))
SIMULATOR_SOURCES := $(sort $(wildcard tests/simulator/*_test.c))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SOURCES) $(SIMULATOR_SOURCES))
SYSTEM_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/system/*.c))) \
    $(patsubst %.c,$(BUILD)/%.so,$(sort $(wildcard tests/system/preload/*.c)))
SYSTEM_TESTS := $(sort $(wildcard tests/system/*.t))
XEN_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/xen/*.c)))
NANO_TESTS := tests/nano/template.t tests/xen/nano.t tests/xen/nano_template.t
XEN_TESTS := $(filter-out $(NANO_TESTS),$(sort $(wildcard tests/xen/*.t)))
BENCH_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/*_bench.c)))
FUZZ_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/*_fuzz.c))) \
    $(addprefix $(BUILD)/tests/fuzz/plain/,client_fuzz server_fuzz)

# Sources that one folder's tests share with another's.
CRAFT := tests/packet/craft.c
firewall_BORROWS := $(CRAFT)
router_BORROWS := $(CRAFT)
dom0_BORROWS := tests/qubesdb/daemon.c
crypto/noise_BORROWS := tests/crypto/vectors.c
wireguard/client_BORROWS := $(CRAFT)
wireguard/data_BORROWS := $(CRAFT)
wireguard_BORROWS := tests/crypto/vectors.c $(CRAFT)
openvpn/keys_BORROWS := tests/crypto/vectors.c
openvpn/data_BORROWS := tests/crypto/vectors.c
openvpn/session_BORROWS := tests/crypto/vectors.c tests/openvpn/data/channel_pair.c
openvpn/client_BORROWS := tests/crypto/vectors.c tests/openvpn/config/config_trial.c
simulator_BORROWS := tests/fuzz/true_server.c
fuzz_BORROWS := $(CRAFT) tests/link/xen/fake_frontend.c tests/link/xen/fake_card.c \
    tests/link/xen/xen_double.c tests/nano/tar.c tests/wireguard/device_pair.c
bench_BORROWS := $(CRAFT)
gateway_BORROWS := $(CRAFT)
xen_BORROWS := tests/qubesdb/daemon.c
system_BORROWS := $(CRAFT) tests/qubesdb/daemon.c

helpers = $(call objects,$(filter-out %_test.c %_fuzz.c %_bench.c tests/system/% tests/xen/%,$(wildcard tests/$(1)/*.c)) $($(1)_BORROWS))

programs = $(patsubst %.c,$(BUILD)/%,$(filter %_test.c %_fuzz.c %_bench.c tests/system/% tests/xen/%,$(wildcard tests/$(1)/*.c)))

define test_rule
$(call programs,$(1)): $(BUILD)/tests/$(1)/%: $(BUILD)/tests/$(1)/%.o $(call helpers,$(1)) $(call archives,$(1))
	@echo '  LINK  $$@'
	$$(Q)$$(LINK) -o $$@ $$^ $(call libraries,$(1)) $($(1)_MORE_LIBS) $(CMOCKA_LIBS)
endef
$(foreach folder,$(PROGRAM_FOLDERS),$(if $(call programs,$(folder)),$(eval $(call test_rule,$(folder)))))

# The same target once more, where TLS is none: an input is inside of it after microseconds.
PLAIN_OBJECTS := $(call objects,$(wildcard tests/fuzz/plain/*.c))
$(BUILD)/tests/fuzz/plain/%_fuzz: $(BUILD)/tests/fuzz/%_fuzz.o $(PLAIN_OBJECTS) $$(call helpers,fuzz) \
    $$(call archives,fuzz)
	@echo '  LINK  $@'
	$(Q)$(LINK) -o $@ $^ $(call libraries,fuzz) $(CMOCKA_LIBS)

# Loaded into the other end of a system test, which is no place for our sanitizers.
$(BUILD)/tests/system/preload/%.so: tests/system/preload/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) $(WERROR) -O2 -fPIC -shared -o $@ $<

LINTS := $(addprefix tests/lint/,layers purity format words names scripts manuals linked)
C_FILES = $(shell find gateway firewall qubesdb rpm tests -name '*.[ch]' 2>/dev/null | sort)

STRAY_TESTS := $(filter-out $(UNIT_SOURCES) $(SIMULATOR_SOURCES),$(shell find tests -name '*_test.c' 2>/dev/null))
$(if $(STRAY_TESTS),$(error no rule runs $(STRAY_TESTS): name its folder in UNIT_FOLDERS))

# Most of a system test's time is waiting, in namespaces of its own: several run side by side.
TEST_JOBS ?= 4
prove = @[ -n '$(strip $(1))' ] || { echo 'There is no such test yet.' >&2; exit 1; }; $(call run_prove,$(1),$(2))
run_prove = BUILD=$(BUILD) PERL5LIB=tests prove --failures --comments --formatter TestSummary --jobs $(or $(2),$(TEST_JOBS)) --exec tests/run $(1)

# A person who has to type a password for the system tests types it before they start.
define ask_for_root
@if [ "$$(id -u)" != 0 ] && [ -t 0 ] && command -v sudo >/dev/null; then sudo -v || true; fi
endef

# `test` and its kin first see to the libraries; make is started again because only then are their flags known.
test: deps ## unit tests, simulator, system tests, lint: all that this machine can run
	@$(MAKE) --no-print-directory run-tests
run-tests: program $(UNIT_TESTS) $(SYSTEM_PROGRAMS)
	$(ask_for_root)
	$(call prove,$(UNIT_TESTS) $(SYSTEM_TESTS) $(LINTS))

test-unit: $(UNIT_TESTS) ## unit tests and simulator
	$(call prove,$(UNIT_TESTS))

test-system: program $(SYSTEM_PROGRAMS) ## real OpenVPN in network namespaces; needs root or sudo
	$(ask_for_root)
	$(call prove,$(SYSTEM_TESTS))

# The first openvpn in PATH is that of the tests.
INTEROP_TESTS := $(addprefix tests/system/,matrix.t serve_matrix.t fragment.t serve_fragment.t)
test-interop: deps ## the same interop tests against openvpn of other releases of Debian, unpacked below build/; needs root or sudo
	@rpm/deps peers
	@$(MAKE) --no-print-directory run-test-interop
run-test-interop: program $(SYSTEM_PROGRAMS)
	$(ask_for_root)
	@failed=0; for peer in build/peers/*; do $$peer/openvpn --version | head -n 1; \
	    PATH=$$PWD/$$peer:$$PATH $(call run_prove,$(INTEROP_TESTS)) || failed=1; done; exit $$failed

test-xen: ## real Xen with its domains in an emulated computer; downloads Debian's, installs only QEMU
	@rpm/deps xen
	@$(MAKE) --no-print-directory run-test-xen
run-test-xen: program $(XEN_PROGRAMS) $(BUILD)/tests/system/qubesdb_daemon
	$(call prove,$(XEN_TESTS),2)

test-systemd: deps ## the package in a qube with systemd, on Debian 12 and 13; makes their roots below build/; needs root or sudo
	@rpm/deps root
	@$(MAKE) --no-print-directory run-test-systemd
run-test-systemd: program $(BUILD)/tests/system/qubesdb_daemon
	$(ask_for_root)
	$(call prove,$(sort $(wildcard tests/systemd/*.t)),2)

# The folder keeps what is built there.
test-debian13: deps ## on any Debian: unit tests, the package and the demonstration on Debian 13; needs root
	@rpm/deps root
	@tests/systemd/in_root trixie $(BUILD)/trixie make run-test-debian13
run-test-debian13: program $(UNIT_TESTS) $(SYSTEM_PROGRAMS)
	$(call prove,$(UNIT_TESTS) tests/system/package.t)
	@tests/run tests/system/demo

test-nano: template-rpm ## the nano template's package, and its kernel and image on real Xen; builds a kernel
	@rpm/deps xen
	@$(MAKE) --no-print-directory run-test-nano
run-test-nano: program $(XEN_PROGRAMS)
	$(call prove,$(NANO_TESTS),2)

nano-reproducible: template-rpm ## builds kernel, image and packages once more elsewhere and compares
	@tests/nano/reproducible

# Warnings are judged in the plain build: the sanitizers' extra code makes gcc see ghosts.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
test-asan: deps ## unit tests and simulator under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan WERROR= HARDENING= \
	    CFLAGS='-O1 -g -fno-omit-frame-pointer $(SANITIZE)' test-unit

test-openssl: deps ## unit tests and simulator with OpenSSL as the TLS library
	@rpm/deps openssl
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/openssl TLS=openssl test-unit

# Two threads share in it what two domains share outside.
test-tsan: deps ## the shared rings under the thread sanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan WERROR= HARDENING= \
	    CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=thread -Wno-tsan' run-test-tsan
run-test-tsan: $(BUILD)/tests/link/netback_ring_test
	$(call prove,$^)

fuzz: ## every fuzz target for FUZZ_SECONDS each, from its corpus in tests/fuzz/corpus
	@rpm/deps fuzz
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang WERROR= HARDENING= LDFLAGS=-fsanitize=fuzzer \
	    CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link $(SANITIZE)' run-fuzz
run-fuzz: $(FUZZ_PROGRAMS)
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ_PROGRAMS)

lint: program ## borders between folders, purity of the cores, format, words, names, scripts, manuals, the linked program
	$(call prove,$(LINTS))

# Two copies of the sources in two places must give the same bytes.
lint-reproducible: program ## builds twice in two places and compares
	@tests/lint/reproducible

format: ## puts every C file into the project's format
	@clang-format -i $(C_FILES)

# --- The rest ---------------------------------------------------------------------------------------------------------

demo: deps ## a qube, a VPN and its failure, shown step by step; needs root or sudo
	@$(MAKE) --no-print-directory run-demo
run-demo: program $(SYSTEM_PROGRAMS)
	@BUILD=$(BUILD) tests/run tests/system/demo

bench: ## speed and size, beside Debian's openvpn in the same run, in about six minutes; BENCH_OPTIONS=--quick
	@rpm/deps bench
	@$(MAKE) --no-print-directory run-bench
run-bench: program $(BENCH_PROGRAMS) $(SYSTEM_PROGRAMS)
	@BUILD=$(BUILD) tests/run tests/bench/bench $(BENCH_OPTIONS)

bench-server: deps ## a thousand clients of our server, and two hundred of Debian's openvpn; needs root or sudo
	@$(MAKE) --no-print-directory run-bench-server
run-bench-server: program $(BENCH_PROGRAMS)
	@BUILD=$(BUILD) tests/run tests/bench/server

bench-xen: ## our network backend beside Linux', in two domains' traffic on emulated Xen; installs QEMU
	@rpm/deps xen
	@$(MAKE) --no-print-directory run-bench-xen
run-bench-xen: program $(XEN_PROGRAMS)
	@BUILD=$(BUILD) tests/run tests/xen/bench

install: program ## into DESTDIR and PREFIX
	install -D -m 755 $(BUILD)/vpn-gateway $(DESTDIR)$(PREFIX)/bin/vpn-gateway
	@sed '/^#/d' rpm/files | while read -r mode file place; do \
	    echo "install $$place"; install -D -m $$mode $$file $(DESTDIR)$$place || exit 1; done
	$(foreach page,$(sort $(wildcard rpm/*.[1-8])),install -D -m 644 $(page) \
	    $(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page));)

rpm: deps ## the package of a template, source and binary, in build/rpm
	@rpm/build $(BUILD)/rpm $(RPM_OPTIONS)

srpm: deps ## the source package alone
	@rpm/build -s $(BUILD)/rpm $(RPM_OPTIONS)

deb: deps ## the same for Debian's templates, in build/deb
	@$(MAKE) --no-print-directory program
	@rpm/deb $(BUILD)/vpn-gateway $(BUILD)/deb

nano: ## kernel and initramfs of the nano template, in build/nano
	@rpm/deps nano
	@$(MAKE) --no-print-directory run-nano
run-nano: program $(BUILD)/nano/init
	@rpm/nano/kernel $(BUILD)/nano
	@rpm/nano/image $(BUILD)/vpn-gateway $(BUILD)/nano

template-rpm: nano ## the nano template for qvm-template, and its kernel directory for dom0, in build/template
	@rpm/template/build $(BUILD)/nano $(BUILD)/template

$(BUILD)/nano/init: $(BUILD)/gateway/nano/init.o $(call archives,nano)
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(LINK) -o $@ $^

deps: ## installs what is missing on Debian 12, Debian 13, Fedora
	@rpm/deps

clean: ## removes build/
	rm -rf build 2>/dev/null || sudo rm -rf build # the roots are root's

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

-include $(shell find $(wildcard $(addprefix $(BUILD)/,gateway firewall qubesdb rpm tests)) /dev/null -type f -name '*.d')

.PHONY: all program libraries-present test run-tests test-unit test-system test-interop run-test-interop test-xen \
    run-test-xen test-systemd run-test-systemd test-debian13 run-test-debian13 test-asan test-openssl test-tsan \
    run-test-tsan fuzz run-fuzz lint lint-reproducible format demo run-demo bench run-bench bench-server \
    run-bench-server bench-xen run-bench-xen install rpm srpm deb nano run-nano template-rpm test-nano run-test-nano \
    nano-reproducible deps clean help always
