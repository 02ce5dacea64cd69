# ddb-streamd. GNU make; gcc or clang (make CC=clang BUILD=build/clang). `make help` lists the targets.

NAME    := ddb-streamd
VERSION := $(shell cat VERSION)

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
BINDIR      = $(PREFIX)/bin
MANDIR      = $(PREFIX)/share/man
DATADIR     = $(PREFIX)/share/$(NAME)
DOCDIR      = $(PREFIX)/share/doc/$(NAME)

# Where everything that is made goes. SANITIZE=address,undefined builds with sanitizers (see check-asan).
BUILD    ?= build
SANITIZE ?=

PKG_CONFIG ?= pkg-config
PACKAGES   := libuv libcurl libcrypto jansson expat inih libmicrohttpd zlib libisal libsystemd
# Of the targets below, these need neither a compiler nor the libraries.
WITHOUT_LIBRARIES := deps deps-build help clean dist uninstall

ifneq ($(filter-out $(WITHOUT_LIBRARIES),$(or $(MAKECMDGOALS),all)),)
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LIBS       := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)
TEST_LIBS  := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null || echo -lcmocka)
endif

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
ifeq ($(SANITIZE),)
HARDEN   := -fstack-protector-strong -fPIE
# A distribution's compiler may define the macro already.
FORTIFY  := $(if $(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN_LD := -pie -Wl,-z,relro,-z,now
else
# With the instrumentation between them, gcc no longer sees what bounds a value, and warns of what cannot be.
HARDEN   := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wno-format-truncation -Wno-maybe-uninitialized
FORTIFY  := -U_FORTIFY_SOURCE
HARDEN_LD := -fsanitize=$(SANITIZE)
endif
ALL_CPPFLAGS = -D_GNU_SOURCE $(FORTIFY) -DDDB_VERSION='"$(VERSION)"' -Ilib $(LIB_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS   = -std=gnu17 $(WARNINGS) $(HARDEN) $(CFLAGS)
TEST_CPPFLAGS = -I. -Idaemon -Icli -Itest/unit -DTEST_DATA_DIR='"$(CURDIR)/test/unit/data"'

# --- what there is to build ------------------------------------------------------------------------------------------

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

LIB_SRC    := $(wildcard lib/*/*.c)
DAEMON_SRC := $(wildcard daemon/*.c)
CLI_SRC    := $(wildcard cli/*.c)
UNIT_SRC   := $(wildcard test/unit/test_*.c)
FUZZ_SRC   := $(wildcard test/fuzz/fuzz_*.c)
BENCH_SRC  := $(wildcard test/bench/bench_*.c)
# Beside the programs lie helpers, which every program of the folder is linked with.
UNIT_HELP  := $(filter-out $(UNIT_SRC),$(wildcard test/unit/*.c))
FUZZ_HELP  := $(filter-out $(FUZZ_SRC),$(wildcard test/fuzz/*.c))
FAKEAWS_SRC := $(wildcard test/fakeaws/*.c)
BENCH_HELP := $(filter-out $(BENCH_SRC),$(wildcard test/bench/*.c))

PROGRAMS := $(patsubst %/main.c,$(BUILD)/ddb-stream%,$(subst daemon,d,$(subst cli,ctl,$(wildcard daemon/main.c cli/main.c))))
# The programs' files without their main(), so that tests can link them.
ARCHIVES := $(BUILD)/libdaemon.a $(BUILD)/libcli.a $(BUILD)/libddb.a
UNIT     := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
FUZZ     := $(patsubst %.c,$(BUILD)/%,$(FUZZ_SRC))
BENCH    := $(patsubst %.c,$(BUILD)/%,$(BENCH_SRC))
ALL_OBJ  := $(call objects,$(LIB_SRC) $(DAEMON_SRC) $(CLI_SRC) $(wildcard test/unit/*.c test/fuzz/*.c test/bench/*.c test/counted/*.c) $(FAKEAWS_SRC))

.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
.PHONY: all help deps deps-build demo tests benches check check-asan check-unit chaos sweep restore-check lint bench bench-json install uninstall clean dist FORCE

all: $(PROGRAMS)

help:
	@echo 'all         build/ddb-streamd and build/ddb-streamctl (the default)'
	@echo 'deps        install what is missing for building, the demo, the tests and lint (deps-build: for building only)'
	@echo 'demo        back up a table on real servers on this machine, and show it'
	@echo 'check       build and run all tests (TESTS="unit/test_sigv4 integration/test_basic" for some of them)'
	@echo 'check-asan  the same with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'sweep       kill the daemon at every system call in turn (JOBS=1)'
	@echo 'chaos       kill the daemon again and again under faults, and compare (SEED=1 ROUNDS=20 LIVES=10 JOBS=1)'
	@echo 'restore-check  restore random histories at random moments, and compare with a model (SEED=1 ROUNDS=3000 JOBS=1)'
	@echo 'lint        formatting, layers, lengths, static analysis, man pages, units'
	@echo 'bench       measure, beside a bare libcurl loop (bench-json: the same as JSON; ROWS="verify" for some rows)'
	@echo 'install     to PREFIX ($(PREFIX)), SYSCONFDIR ($(SYSCONFDIR)), UNITDIR ($(UNITDIR)), all under DESTDIR'
	@echo 'uninstall   the reverse; the configuration stays'
	@echo 'dist        build/$(NAME)-$(VERSION).tar.gz from the last commit'
	@echo 'clean       remove build/'

# --- rules -----------------------------------------------------------------------------------------------------------

# Rewritten only when compiler, flags or libraries change: then everything is made again.
FLAGS_NOW = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(HARDEN_LD) $(LDFLAGS) $(LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@

# V=1 shows whole commands.
say = $(if $(V),,@echo '  $(1)  $@';)

define compile
@mkdir -p $(@D)
$(call say,CC)$(CC) $(ALL_CPPFLAGS) $(EXTRA_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
endef

$(BUILD)/test/fuzz/%.o: EXTRA_CPPFLAGS = $(TEST_CPPFLAGS) -DFUZZ_STANDALONE
$(BUILD)/test/unit/%.o $(BUILD)/test/bench/%.o: EXTRA_CPPFLAGS = $(TEST_CPPFLAGS)
$(BUILD)/%.o: %.c $(BUILD)/flags VERSION
	$(compile)

# An archive is made anew when its list of members changes, so that no object of a deleted file lingers.
define archive_rule
$(1): $(2) $(1).members
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $(2)
$(1).members: FORCE
	@mkdir -p $$(@D)
	@echo '$(2)' | cmp -s - $$@ || echo '$(2)' >$$@
endef
$(eval $(call archive_rule,$(BUILD)/libddb.a,$(call objects,$(LIB_SRC))))
$(eval $(call archive_rule,$(BUILD)/libdaemon.a,$(call objects,$(filter-out daemon/main.c,$(DAEMON_SRC)))))
$(eval $(call archive_rule,$(BUILD)/libcli.a,$(call objects,$(filter-out cli/main.c,$(CLI_SRC)))))

link = $(call say,LD)$(CC) $(ALL_CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS) -lm

$(BUILD)/ddb-streamd: $(BUILD)/daemon/main.o $(BUILD)/libdaemon.a $(BUILD)/libddb.a
	$(call link)
$(BUILD)/ddb-streamctl: $(BUILD)/cli/main.o $(BUILD)/libcli.a $(BUILD)/libddb.a
	$(call link)
$(UNIT): $(BUILD)/%: $(BUILD)/%.o $(call objects,$(UNIT_HELP)) $(ARCHIVES)
	$(call link,$(TEST_LIBS))
$(FUZZ): $(BUILD)/%: $(BUILD)/%.o $(call objects,$(FUZZ_HELP)) $(ARCHIVES)
	$(call link)
# A server that judges the programs: of the library it may use lib/base only.
$(BUILD)/fakeaws: $(call objects,$(FAKEAWS_SRC) $(wildcard lib/base/*.c))
	$(call link,-lhttp_parser)
# The daemon, counting what its own objects allocate.
COUNTED := malloc calloc realloc reallocarray strdup strndup
$(BUILD)/ddb-streamd-counted: private LDFLAGS += $(COUNTED:%=-Wl,--wrap=%)
$(BUILD)/ddb-streamd-counted: $(BUILD)/daemon/main.o $(BUILD)/test/counted/counted.o $(BUILD)/libdaemon.a $(BUILD)/libddb.a
	$(call link)
$(BENCH): $(BUILD)/%: $(BUILD)/%.o $(call objects,$(BENCH_HELP)) $(ARCHIVES)
	$(call link,-lssl)
# The daemon without its HTTP client: see there.
$(BUILD)/test/bench/bench_own: private LDFLAGS += -Wl,--wrap=http_send
$(BUILD)/test/bench/alloc_count.so: test/bench/preload/alloc_count.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fPIC -shared -o $@ $<

-include $(ALL_OBJ:.o=.d)

# --- dependencies, tests, demo ---------------------------------------------------------------------------------------

deps:
	test/deps.sh build demo check lint
deps-build:
	test/deps.sh build

# The list of libraries is read when make starts, so what is missing is installed by an outer make.
demo:
	@test/deps.sh build demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) test/demo.sh

tests: $(UNIT) $(FUZZ) $(BUILD)/fakeaws $(BUILD)/ddb-streamd-counted
benches: $(BENCH) $(BUILD)/test/bench/alloc_count.so

check:
	@test/deps.sh build demo check
	@$(MAKE) --no-print-directory all tests
	@test/run.py --build $(BUILD) $(TESTS)
check-unit:
	@test/deps.sh build check
	@$(MAKE) --no-print-directory tests
	@test/run.py --build $(BUILD) unit fuzz
check-asan:
	@$(MAKE) --no-print-directory check BUILD=$(BUILD)/asan SANITIZE=address,undefined CFLAGS='-O1 -g'

SEED   ?= 1
ROUNDS ?= 20
LIVES  ?= 10
JOBS   ?= 1
chaos:
	@test/deps.sh build demo check
	@$(MAKE) --no-print-directory all $(BUILD)/fakeaws
	@DDB_STREAMD_BUILD=$(BUILD) test/chaos/chaos.py --seed $(SEED) --rounds $(ROUNDS) --lives $(LIVES) --jobs $(JOBS)

restore-check: ROUNDS = 3000
restore-check:
	@test/deps.sh build demo check
	@$(MAKE) --no-print-directory all $(BUILD)/fakeaws
	@DDB_STREAMD_BUILD=$(BUILD) test/restore/check.py --seed $(SEED) --rounds $(ROUNDS) --jobs $(JOBS)

sweep:
	@test/deps.sh build demo check
	@$(MAKE) --no-print-directory all $(BUILD)/fakeaws
	@DDB_STREAMD_BUILD=$(BUILD) test/chaos/sweep.py --jobs $(JOBS)

lint:
	@test/deps.sh build lint
	@test/lint/run.sh

bench:
	@test/deps.sh build demo check bench
	@$(MAKE) --no-print-directory all benches $(BUILD)/fakeaws
	@test/bench/run.py --build $(BUILD) $(ROWS)
# Nothing but the array goes to standard output.
bench-json:
	@test/deps.sh build demo check bench >&2
	@$(MAKE) --no-print-directory all benches $(BUILD)/fakeaws >&2
	@test/bench/run.py --build $(BUILD) --json $(ROWS)

# --- installation ----------------------------------------------------------------------------------------------------

CONF_SHARE := $(wildcard conf/*.json conf/*.yml)
UNITS      := $(wildcard systemd/*.service systemd/*.timer)
MAN_PAGES  := $(wildcard conf/*.5 daemon/*.8 cli/*.1)
DOCS       := $(wildcard README.md LICENSE)

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SYSCONFDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DATADIR) $(DESTDIR)$(DOCDIR)
	install -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)
	set -e; for page in $(MAN_PAGES); do \
		install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; \
	done
	set -e; for unit in $(UNITS); do \
		sed 's|@BINDIR@|$(BINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' $$unit >$(DESTDIR)$(UNITDIR)/$${unit##*/}; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$${unit##*/}; \
	done
	$(if $(CONF_SHARE),install -m 644 $(CONF_SHARE) $(DESTDIR)$(DATADIR))
	$(if $(DOCS),install -m 644 $(DOCS) $(DESTDIR)$(DOCDIR))
	set -e; for file in $(wildcard conf/*.conf); do \
		install -m 644 $$file $(DESTDIR)$(DATADIR)/$${file##*/}.example; \
		test -e $(DESTDIR)$(SYSCONFDIR)/$${file##*/} || install -m 644 $$file $(DESTDIR)$(SYSCONFDIR)/$${file##*/}; \
	done

# Never removes $(SYSCONFDIR)/ddb-streamd.conf or the daemon's state.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/ddb-streamd $(DESTDIR)$(BINDIR)/ddb-streamctl
	rm -f $(foreach page,$(MAN_PAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	rm -f $(foreach unit,$(UNITS),$(DESTDIR)$(UNITDIR)/$(notdir $(unit)))
	rm -rf $(DESTDIR)$(DATADIR) $(DESTDIR)$(DOCDIR)

# The same commit gives the same bytes: git archive takes times from the commit, and gzip -n stores none.
dist:
	@mkdir -p build
	git archive --format=tar --prefix=$(NAME)-$(VERSION)/ HEAD | gzip -9n >build/$(NAME)-$(VERSION).tar.gz.tmp
	mv build/$(NAME)-$(VERSION).tar.gz.tmp build/$(NAME)-$(VERSION).tar.gz

clean:
	rm -rf build
