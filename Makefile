# mod_helpsupport: everything that is built lands below build/. `make` needs what `./build.sh` lists.
#
# The rules are our own, not `apxs -c`, whose inherited flags differ from one distribution to the
# next; apxs and apr-1-config are only asked where the headers and the modules are.

CC = gcc
CFLAGS = -O2 -g
APXS = apxs
PROVE = prove
J ?= 2

# release, asan, tsan or cov: one folder of objects each, so that none has to be cleaned for another.
VARIANT = release
OUT := build/$(VARIANT)
BIN := $(if $(filter release,$(VARIANT)),build,$(OUT))

# The first line of each file names its layer (make lint checks it): 0 to 8 are the core and the
# adapters, which know no httpd; the administrator's command stands beside the skin.
SRC := mod_helpsupport
LIB_C := $(shell grep -lE '^/\* hs_[a-z0-9_]+\.c - layer [0-8]:' $(SRC)/*.c)
CTL_C := $(wildcard $(SRC)/helpsupportctl.c $(SRC)/hs_ctl*.c)
SKIN_C := $(filter-out $(LIB_C) $(CTL_C),$(wildcard $(SRC)/*.c))
# test_*.c, and mail.c, with which tests and `make preview` compose mails.
TEST_C := $(wildcard t/unit/*.c)
FUZZ_C := $(wildcard t/fuzz/fuzz_*.c)
SQL := $(wildcard sql/*.sql)
SQL_AWK := $(wildcard sql/*.awk)
SQL_H := $(if $(SQL_AWK),$(OUT)/hs_sql.h)

LIB_O := $(LIB_C:$(SRC)/%.c=$(OUT)/%.o)
CTL_O := $(CTL_C:$(SRC)/%.c=$(OUT)/%.o)
SKIN_O := $(SKIN_C:$(SRC)/%.c=$(OUT)/%.o)
UNITS := $(TEST_C:t/unit/%.c=$(OUT)/unit/%) $(FUZZ_C:t/fuzz/%.c=$(OUT)/fuzz/%)
MODULE := $(BIN)/mod_helpsupport.so
CTL := $(BIN)/helpsupportctl

# Installed places. DESTDIR is put before each of them.
PREFIX ?= /usr/local
LIBEXECDIR ?= $(shell $(APXS) -q LIBEXECDIR)
SHAREDIR ?= $(PREFIX)/share/helpsupport
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man

# -isystem, since the macros of httpd and APR do not pass our warnings.
HTTPD_INCLUDES := -isystem $(shell $(APXS) -q INCLUDEDIR)
APR_CONFIG := $(shell $(APXS) -q APR_CONFIG)
APR_INCLUDES := -isystem $(shell $(APR_CONFIG) --includedir)
# Types only: see hs_dialect_pgsql.c.
PQ_INCLUDES := -isystem $(shell pg_config --includedir)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
    -Wwrite-strings -Wcast-qual -Wpointer-arith -Wformat=2 -Wvla -Wundef -Wconversion \
    -Wsign-conversion -Wnull-dereference -Wswitch-enum
GCC_WARNINGS := -Wlogical-op -Wduplicated-cond -Wduplicated-branches

VARIANT_release := -fstack-protector-strong
VARIANT_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
VARIANT_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer
VARIANT_cov := -O0 --coverage -fprofile-update=atomic

DEFINES := -D_GNU_SOURCE -DHS_SHAREDIR='"$(SHAREDIR)"'
BASE := -std=gnu11 $(DEFINES) -fPIC -pthread -fvisibility=hidden $(APR_INCLUDES) $(PQ_INCLUDES) -I $(OUT)
COMPILE = $(CC) $(BASE) $(WARNINGS) $(CFLAGS) $(VARIANT_$(VARIANT)) $(CPPFLAGS) -MMD -MP
LINK = $(CC) $(CFLAGS) $(VARIANT_$(VARIANT)) -pthread $(LDFLAGS)
LIBS := -Wl,--as-needed -laprutil-1 -lapr-1 -ljansson -lcurl -lidn2 -lunistring -lsqlite3

.PHONY: all check check-long lint format asan tsan fuzz coverage bench preview install uninstall dist clean units
.DELETE_ON_ERROR:

all: $(if $(SKIN_C),$(MODULE)) $(if $(CTL_C),$(CTL))

$(MODULE): $(SKIN_O) $(LIB_O) $(SRC)/mod_helpsupport.map
	$(LINK) -shared -Wl,--version-script=$(SRC)/mod_helpsupport.map -Wl,-z,relro,-z,now \
	    -o $@ $(SKIN_O) $(LIB_O) $(LIBS)

$(CTL): $(CTL_O) $(OUT)/libhs.a
	$(LINK) -o $@ $^ $(LIBS)

# Made anew each time: ar would keep the members of files that are gone.
$(OUT)/libhs.a: $(LIB_O)
	rm -f $@
	ar rcs $@ $^

# All SQL is compiled in; -MMD then knows who includes it.
$(OUT)/hs_sql.h: $(SQL_AWK) $(SQL) | $(OUT)
	awk -f $(SQL_AWK) $(SQL) >$@

$(LIB_O) $(CTL_O): $(OUT)/%.o: $(SRC)/%.c | $(OUT) $(SQL_H)
	$(COMPILE) -c -o $@ $<

# The module record must be seen from outside; the version script then hides all the rest.
$(SKIN_O): $(OUT)/%.o: $(SRC)/%.c | $(OUT)
	$(COMPILE) -fvisibility=default $(HTTPD_INCLUDES) -c -o $@ $<

units: $(UNITS)

$(OUT)/unit/%: t/unit/%.c $(OUT)/libhs.a | $(OUT)/unit
	$(COMPILE) -I $(SRC) -I t/unit -o $@ $< $(OUT)/libhs.a $(LDFLAGS) $(LIBS)

# Fuzz targets that only replay their corpus; `make fuzz` searches for more.
$(OUT)/fuzz/%: t/fuzz/%.c t/fuzz/replay.c $(OUT)/libhs.a | $(OUT)/fuzz
	$(COMPILE) -I $(SRC) -I t/fuzz -o $@ $< t/fuzz/replay.c $(OUT)/libhs.a $(LDFLAGS) $(LIBS)

$(OUT) $(OUT)/unit $(OUT)/fuzz build/fuzz:
	mkdir -p $@

-include $(wildcard $(OUT)/*.d $(OUT)/unit/*.d $(OUT)/fuzz/*.d)

# Several files may run at once: each test has an httpd, ports and folders of its own.
check: all units
	t/lib/with-servers $(PROVE) -j$(J) --timer t/

# The same with 200 kills and 50 restarts on each database, and 200,000 requests: an hour.
check-long: all units
	HS_LONG=1 t/lib/with-servers $(PROVE) -j$(J) --timer t/12-pgsql.t t/12-mysql.t t/21-copy.t \
	    t/22-migrate.t t/23-search.t t/60-crash.t \
	    t/61-sqlite.t t/62-restart.t t/65-mail-crash.t t/66-mail-process.t t/70-memory.t

lint: $(SQL_H)
	@failed=0; perl t/lint/source.pl || failed=1; \
	CC='$(CC)' J='$(J)' BASE='$(subst ',,$(BASE))' HTTPD='$(HTTPD_INCLUDES)' WARNINGS='$(WARNINGS)' \
	    GCC_WARNINGS='$(GCC_WARNINGS)' bash t/lint/tools.sh || failed=1; \
	exit $$failed

format:
	clang-format -i $(SRC)/*.[ch] $(wildcard t/*/*.[ch])

# The tests again, with the variant's module, command and test programs.
asan: build/asan/pools.so
asan tsan:
	$(MAKE) VARIANT=$@ all units
	t/lint/sanitize.sh $@

build/asan/pools.so: t/lib/pools.c
	mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(APR_INCLUDES) -O1 -g -fPIC -shared -pthread -o $@ $<

coverage:
	$(MAKE) VARIANT=cov all units
	t/lint/coverage.sh

T ?= 60
# T seconds for each target; what it finds lands in build/fuzz, and then in t/fuzz/corpus by hand.
fuzz: $(SQL_H) | build/fuzz
	@for source in $(FUZZ_C); do name=$$(basename $$source .c); mkdir -p build/fuzz/$$name.corpus; \
	    clang $(BASE) -I $(SRC) -I t/fuzz -g -O1 -fsanitize=fuzzer,address,undefined -o build/fuzz/$$name \
	        $$source $(LIB_C) $(LIBS) || exit 1; \
	    build/fuzz/$$name -max_total_time=$(T) -artifact_prefix=build/fuzz/ -print_final_stats=1 \
	        build/fuzz/$$name.corpus t/fuzz/corpus/$${name#fuzz_} || exit 1; \
	done

BENCHES := $(OUT)/bench/smtp_bench $(OUT)/bench/courier_bench

$(OUT)/bench/%: t/bench/%.c $(OUT)/libhs.a
	mkdir -p $(OUT)/bench
	$(COMPILE) -I $(SRC) -o $@ $< $(OUT)/libhs.a $(LDFLAGS) $(LIBS)

bench: all $(BENCHES)
	t/bench/run
	t/bench/lists
	t/bench/mail

preview:
	t/preview.sh

install: all
	install -d "$(DESTDIR)$(LIBEXECDIR)" "$(DESTDIR)$(SBINDIR)" "$(DESTDIR)$(MANDIR)/man8" \
	    "$(DESTDIR)$(SHAREDIR)/templates" "$(DESTDIR)$(SHAREDIR)/sql"
	install -m 644 $(MODULE) "$(DESTDIR)$(LIBEXECDIR)/"
	install -m 755 $(CTL) "$(DESTDIR)$(SBINDIR)/"
	install -m 644 $(wildcard templates/*) "$(DESTDIR)$(SHAREDIR)/templates/"
	install -m 644 $(SQL) "$(DESTDIR)$(SHAREDIR)/sql/"
	install -m 644 $(SRC)/helpsupportctl.8 "$(DESTDIR)$(MANDIR)/man8/"

# Only what install put there: templates that an administrator wrote stay, and so does their folder.
uninstall:
	rm -f "$(DESTDIR)$(LIBEXECDIR)/mod_helpsupport.so" "$(DESTDIR)$(SBINDIR)/helpsupportctl" \
	    "$(DESTDIR)$(MANDIR)/man8/helpsupportctl.8" \
	    $(patsubst %,"$(DESTDIR)$(SHAREDIR)/%",$(wildcard templates/*) $(SQL))
	for dir in templates sql ''; do rmdir "$(DESTDIR)$(SHAREDIR)/$$dir" 2>/dev/null || true; done

VERSION = $(shell sed -n 's/^.define HS_VERSION "\(.*\)"/\1/p' $(SRC)/hs_error.h)
dist:
	mkdir -p build
	git archive --prefix=mod_helpsupport-$(VERSION)/ -o build/mod_helpsupport-$(VERSION).tar.gz HEAD

# build/run holds what ./build.sh run keeps: it is data, not a product.
clean:
	find build -mindepth 1 -maxdepth 1 ! -name run -exec rm -rf {} + 2>/dev/null || true
