# Sake: every task of the project, from a fresh clone. `make` lists them.
#
# Variables to set on the command line:
#   CXX=clang++-19         the compiler (default g++)
#   CXXFLAGS=-march=native flags added to every compilation
#   JOBS=1                 how much runs at once (default: one per CPU, no -j needed)
#   BUILD=dir              where everything that is made goes, except single_include/
#   PORT=8080              where `make demo` serves
#   PREFIX=, DESTDIR=      where `make install` installs
#   TEST_ARGS='-tc=*cookie*'   arguments for the test program (doctest's)
#   T=router               the file that `make test-one` runs, UNDER=asan or UNDER=tsan the sanitizer

ifeq ($(origin CXX),default)
CXX := g++
endif
BUILD   ?= build
PREFIX  ?= /usr/local
PORT    ?= 8080
JOBS    ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

MAKEFLAGS += -j$(JOBS) --no-print-directory --no-builtin-rules
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

STRICT     := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wsign-conversion
BASE_FLAGS := -std=c++20 -pthread $(STRICT)
PARTS      := $(shell find sake -name '*.hpp' 2>/dev/null | sort)
SOURCES    := $(wildcard sake.hpp) $(PARTS) $(shell find tests examples bench docs/site -name '*.[ch]pp' 2>/dev/null | sort)
RECORD     := BUILD=$(BUILD) tests/checks/support/record.sh
SETUP      := tests/checks/support/setup.sh
export CXX BUILD

##@ Everyday

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nVariables: CXX CXXFLAGS JOBS BUILD PORT PREFIX DESTDIR TEST_ARGS T UNDER (see the top of the Makefile)\n'

.PHONY: setup
setup: ## look for what is needed, and install what is missing (Debian, Ubuntu)
	@$(SETUP) make python3 curl c++20 doctest nlohmann-json openssl zlib brotli zstd
.PHONY: setup-product
setup-product: # what programs that use the header need
	@$(SETUP) c++20 nlohmann-json

.PHONY: demo
demo: $(BUILD)/demo ## build the demo and serve it on 127.0.0.1:8080 (PORT=)
	@printf 'Starting; Ctrl-C stops. In another terminal, or a browser, try http://127.0.0.1:$(PORT)/ and:\n'
	@printf '  curl -i http://127.0.0.1:$(PORT)/\n  curl -i http://127.0.0.1:$(PORT)/fib/30\n'
	@exec $(BUILD)/demo 127.0.0.1:$(PORT)

.PHONY: header
header: ## make single_include/sake.hpp from the parts
	@$(SETUP) python3
	@python3 amalgamate.py && echo 'wrote single_include/sake.hpp'

.PHONY: examples
# All but postgres.cpp and guestbook/, which need libpq and SQLite (see peers), and import.cpp, which needs clang 19 (see
# check-module).
EXAMPLES := $(patsubst examples/%.cpp,$(BUILD)/examples/%,$(filter-out examples/postgres.cpp examples/import.cpp,$(wildcard examples/*.cpp)))
examples: $(EXAMPLES) ## build every example against the single header

.PHONY: format
format: ## lay out every C++ file with clang-format 19
	@$(SETUP) clang-format-19
	@clang-format-19 -i $(SOURCES)

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

##@ Proof

# ---- the suite, in three variants: on the parts in separate form; on the single header in separate form under
# AddressSanitizer and UndefinedBehaviorSanitizer, and in one-file form under ThreadSanitizer ----
# suite NAME, FLAGS, INCLUDES, FORM: tests are compiled on a precompiled header, because the framework costs more to
# compile than the tests do, and in six groups of files, because all files one by one cost about three
# times as much. A change of one test is quicker by `make test-one`, which compiles that file alone. System calls pass
# through the wrappers of tests/support, which put faults in; kqueue is a double over epoll.
#
# In separate form, the framework is compiled once. Tests see what programs see, the declarations; those that include
# support/machinery.hpp see all, by SAKE_MACHINERY.

comma         := ,
TEST_FILES    := $(sort $(wildcard tests/test_*.cpp))
TEST_NAMES    := $(TEST_FILES:tests/test_%.cpp=%)
MACHINERY     := $(sort $(shell grep -l 'support/machinery.hpp' $(TEST_FILES)))
PROGRAMS      := $(filter-out $(MACHINERY),$(TEST_FILES))
TEST_GROUPS   := programs_1 programs_2 programs_3 machinery_1 machinery_2 machinery_3
GROUP_FILES   := $(TEST_GROUPS:%=$(BUILD)/groups/%.cpp)
TEST_SUPPORT  := $(wildcard tests/support/*.cpp tests/support/kqueue/*.cpp)
WRAPPED_CALLS := $(shell sed 's/\#.*//' tests/support/wrapped_calls.txt 2>/dev/null)
TEST_FLAGS    := $(BASE_FLAGS) -DSAKE_KQUEUE -Itests -isystem tests/support/kqueue
TEST_LINK     := $(WRAPPED_CALLS:%=-Wl,--wrap=%)
# Libraries that programs need not have. The suite has all of them, and the tests decode by them, too.
TEST_MACROS   := -DSAKE_WITH_OPENSSL -DSAKE_WITH_ZLIB -DSAKE_WITH_BROTLI -DSAKE_WITH_ZSTD
TEST_FLAGS    += $(TEST_MACROS)
TEST_LIBS     := -lcrypto -lz -lbrotlienc -lbrotlidec -lzstd
# A test's local types are in a file that a group includes, which is what -Wsubobject-linkage is about.
TEST_FLAGS    += $(if $(findstring clang,$(CXX)),-Wno-gnu-inline-cpp-without-extern,-Wno-subobject-linkage)
# GCC's -Wmaybe-uninitialized and -Wtsan are unreliable under its sanitizers.
# clang 14 cannot assemble coroutines under -fsanitize=function ("Cannot represent a difference across sections").
QUIET         := $(if $(findstring clang,$(CXX)),-fno-sanitize=function,-Wno-maybe-uninitialized -Wno-tsan)

# The suite has an operator new of its own; clang++ would link the one of ThreadSanitizer's as well, clang does not.
LINK_SUITE    := $(CXX)
LINK_TSAN     := $(if $(findstring clang,$(CXX)),$(subst clang++,clang,$(CXX)) -lstdc++ -lm,$(CXX))

define suite
$(1)_header  := $(BUILD)/$(1)/$(if $(4),programs,machinery).hpp
$(1)_support := $$(TEST_SUPPORT:%.cpp=$(BUILD)/$(1)/%.o) $(if $(4),$(BUILD)/$(1)/definitions.o)
$(1)_files   := $$(TEST_FILES:%.cpp=$(BUILD)/$(1)/%.o)
$(1)_groups  := $$(GROUP_FILES:$(BUILD)/%.cpp=$(BUILD)/$(1)/%.o)
$(1)_objects := $$($(1)_support) $$($(1)_files) $$($(1)_groups)
$(BUILD)/$(1)/sake_tests: $$($(1)_support) $$($(1)_groups)
	$$(link_$(1))
$(BUILD)/$(1)/one/%: $(BUILD)/$(1)/tests/test_%.o $$($(1)_support)
	$$(link_$(1))
$(PROGRAMS:%.cpp=$(BUILD)/$(1)/%.o): $(BUILD)/$(1)/%.o: %.cpp $$($(1)_header).gch
	$$(call compile_$(1),-include $$($(1)_header))
$(MACHINERY:%.cpp=$(BUILD)/$(1)/%.o): $(BUILD)/$(1)/%.o: %.cpp $(BUILD)/$(1)/machinery.hpp.gch
	$$(call compile_$(1),$(if $(4),-DSAKE_MACHINERY) -include $(BUILD)/$(1)/machinery.hpp)
$(BUILD)/$(1)/groups/programs_%.o: $(BUILD)/groups/programs_%.cpp $$($(1)_header).gch
	$$(call compile_$(1),-include $$($(1)_header))
$(BUILD)/$(1)/groups/machinery_%.o: $(BUILD)/groups/machinery_%.cpp $(BUILD)/$(1)/machinery.hpp.gch
	$$(call compile_$(1),$(if $(4),-DSAKE_MACHINERY) -include $(BUILD)/$(1)/machinery.hpp)
$(BUILD)/$(1)/%.o: %.cpp $(BUILD)/$(1)/compiler | setup
	$$(call compile_$(1),$(if $(4),-DSAKE_MACHINERY))
$(BUILD)/$(1)/definitions.o: tests/support/common.hpp $(BUILD)/$(1)/compiler | setup
	$$(call compile_$(1),-DSAKE_IMPLEMENTATION -x c++)
$(BUILD)/$(1)/programs.hpp.gch: tests/support/common.hpp $(BUILD)/$(1)/compiler | setup
	$$(call compile_$(1),-x c++-header)
$(BUILD)/$(1)/machinery.hpp.gch: tests/support/common.hpp $(BUILD)/$(1)/compiler | setup
	$$(call compile_$(1),$(if $(4),-DSAKE_MACHINERY) -x c++-header)
define compile_$(1)
	@mkdir -p $$(@D)
	@echo '  CXX   $$(@:$(BUILD)/%=%)'
	@$(CXX) $(TEST_FLAGS) $(2) $(3) $(4) $(CXXFLAGS) $$(1) -MMD -MP -c $$< -o $$@
endef
define link_$(1)
	@mkdir -p $$(@D)
	@echo '  LINK  $$(@:$(BUILD)/%=%)'
	@$$(LINK_SUITE) -pthread $(2) $(CXXFLAGS) $$^ $(TEST_LINK) $(LDFLAGS) $(TEST_LIBS) -o $$@
endef
$(BUILD)/$(1)/compiler: COMMAND = $(CXX) $(TEST_FLAGS) $(2) $(3) $(4) $(CXXFLAGS)
-include $$($(1)_objects:.o=.d) $(BUILD)/$(1)/programs.hpp.d $(BUILD)/$(1)/machinery.hpp.d
endef

SANITIZE := -fno-omit-frame-pointer -fno-sanitize-recover=all $(QUIET)
# -O0 where nothing else is asked, because most of the time goes into compiling.
$(eval $(call suite,plain,-O0 -g1,-I.,-DSAKE_SEPARATE))
$(eval $(call suite,asan,-O0 -g1 -fsanitize=address$(comma)undefined $(SANITIZE),-Isingle_include -I.,-DSAKE_SEPARATE))
$(eval $(call suite,tsan,-O0 -g1 -fsanitize=thread $(SANITIZE),-Isingle_include -I.))
$(BUILD)/tsan/sake_tests $(TEST_NAMES:%=$(BUILD)/tsan/one/%): LINK_SUITE = $(LINK_TSAN)

# Every third file of its kind.
$(BUILD)/groups/programs_%.cpp: IN_GROUP = $(PROGRAMS)
$(BUILD)/groups/machinery_%.cpp: IN_GROUP = $(MACHINERY)
$(GROUP_FILES): FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(IN_GROUP) | awk 'NR % 3 + 1 == $(lastword $(subst _, ,$(basename $(@F)))) { print "#include \"" $$0 "\"" }' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# What another compiler, or other flags, made is made again.
$(BUILD)/%/compiler: FORCE
	@mkdir -p $(@D)
	@echo '$(COMMAND)' | cmp -s - $@ || echo '$(COMMAND)' > $@

.SECONDARY:
.PHONY: FORCE
FORCE:

FUZZ_CXX     ?= clang++-14
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(notdir $(wildcard tests/fuzz/corpus/*))

.PHONY: test
test: $(BUILD)/plain/sake_tests $(EXAMPLES) ## the suite on the parts, the programs that must not compile, the examples
	@rm -f $(BUILD)/results/test-*
	@python3 amalgamate.py --check > /dev/null || echo 'note: single_include/sake.hpp is stale: run `make header`'
	@$(RECORD) test-suite tests/checks/support/suite.sh plain/sake_tests $(TEST_ARGS)
	@$(RECORD) test-compile_fail tests/checks/support/compile_fail.sh
	@if [ -f tests/examples.sh ]; then $(RECORD) test-examples bash tests/examples.sh $(BUILD); fi
	@$(RECORD) --total test

# Any form of the name will do: router, test_router, tests/test_router.cpp.
ONE := $(patsubst test_%,%,$(basename $(notdir $(T))))
ifneq ($(filter test-one,$(MAKECMDGOALS)),)
ifeq ($(filter $(ONE),$(TEST_NAMES)),)
$(error make test-one needs T=NAME, one of: $(TEST_NAMES))
endif
ifeq ($(filter $(or $(UNDER),plain),plain asan tsan),)
$(error UNDER is asan or tsan, not '$(UNDER)')
endif
endif
.PHONY: test-one
test-one: $(BUILD)/$(or $(UNDER),plain)/one/$(ONE) ## one test file, quickly: T=router is tests/test_router.cpp (UNDER=asan, UNDER=tsan)
	@tests/checks/support/suite.sh $(or $(UNDER),plain)/one/$(ONE) $(TEST_ARGS)

.PHONY: asan tsan fresh-header
fresh-header: setup
	@python3 amalgamate.py --check > /dev/null || { echo 'single_include/sake.hpp is stale: run `make header`'; exit 1; }
$(asan_objects) $(tsan_objects): | fresh-header
asan: $(BUILD)/asan/sake_tests ## the suite on the single header under AddressSanitizer and UndefinedBehaviorSanitizer
	@rm -f $(BUILD)/results/asan-*
	@$(RECORD) asan-suite tests/checks/support/suite.sh asan/sake_tests $(TEST_ARGS)
	@$(RECORD) --total asan
tsan: $(BUILD)/tsan/sake_tests ## the suite on the single header under ThreadSanitizer
	@rm -f $(BUILD)/results/tsan-*
	@$(RECORD) tsan-suite tests/checks/support/suite.sh tsan/sake_tests $(TEST_ARGS)
	@$(RECORD) --total tsan

# ---- checks of the code as text and of the header as a product: one subject, one script ----

CHECKS := layers forbidden public_names reliability format amalgamation parts_alone strict two_units separate module macros libraries json_diagnostics foreign_macros libcxx plugin packages release locale docs links messages compile_errors precompiled compile_cost

.PHONY: check check-tools $(CHECKS:%=check-%)
check: $(CHECKS:%=check-%) ## layers, warnings, macros, format, packages, docs, links
	@$(RECORD) --total check
check-tools: setup
	@rm -f $(BUILD)/results/check-*
	@$(SETUP) locales
	@$(SETUP) --optional clang-format-19 clang++-14 clang++-19 libc++-19 cmake pkg-config meson ninja dh lintian sqlite3
check-locale: $(BUILD)/plain/sake_tests
$(CHECKS:%=check-%): check-%: check-tools
	@$(RECORD) $@ tests/checks/$*

.PHONY: public-names
public-names: ## rewrite the list of public names, tests/checks/public_names.txt
	@$(SETUP) python3 clang++-14
	@tests/checks/public_names --write

.PHONY: check-fresh
check-fresh: ## `make demo` and `make test` on a bare Debian 12 that debootstrap makes; root, a quarter of an hour
	@rm -f $(BUILD)/results/fresh-*
	@$(RECORD) fresh-suite tests/checks/fresh
	@$(RECORD) --total fresh

.PHONY: check-deb
check-deb: ## the Debian package, installed in a bare Debian 12 that debootstrap makes; root, five minutes
	@$(SETUP) dpkg-buildpackage dh
	@rm -f $(BUILD)/results/deb-*
	@$(RECORD) deb-suite tests/checks/fresh_package
	@$(RECORD) --total deb

# ---- fuzzing: a target is a function over bytes; its corpus grows in $(BUILD)/fuzz, and the suite replays what is committed ----

.PHONY: fuzz
fuzz: $(BUILD)/fuzz/fuzzer ## fuzz each target for a minute (FUZZ_SECONDS=), with libFuzzer
	@rm -f $(BUILD)/results/fuzz-*
	@for target in $(FUZZ_TARGETS); do $(RECORD) fuzz-$$target tests/fuzz/run.sh $$target $(FUZZ_SECONDS); done
	@$(RECORD) --total fuzz
$(BUILD)/fuzz/fuzzer: tests/fuzz/fuzzer.cpp $(wildcard tests/fuzz/*.hpp) single_include/sake.hpp
	@$(SETUP) $(FUZZ_CXX) nlohmann-json zlib
	@mkdir -p $(@D)
	@echo '  CXX   $@'
	@$(FUZZ_CXX) $(BASE_FLAGS) -DSAKE_WITH_ZLIB -Isingle_include -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize=function -fno-sanitize-recover=undefined $< -lz -o $@

.PHONY: hostile
hostile: $(BUILD)/hostile ## faults by strace and slow clients by slowhttptest, against a server; three minutes
	@$(SETUP) strace slowhttptest curl python3 ss
	@rm -f $(BUILD)/results/hostile-*
	@$(RECORD) hostile-strace python3 tests/hostile/strace.py $<
	@$(RECORD) hostile-slow_clients tests/hostile/slow_clients.sh $<
	@$(RECORD) --total hostile

.PHONY: peers
PEER_PROGRAMS := fetch files postgres forms docs_page dashboard openapi metrics compress jwt proxies guestbook websocket websocket_talk
PEER_PACKAGES := node validators negotiator jose proxy-addr ws
peers: $(PEER_PROGRAMS:%=$(BUILD)/peers/%) $(PEER_PACKAGES:%=$(BUILD)/peers/%) $(BUILD)/examples/events $(BUILD)/examples/chat ## client, pool, middleware, pages and WebSockets against nginx, Python, curl, npm's, Chromium, Prometheus, PostgreSQL; eight minutes
	@rm -f $(BUILD)/results/peers-*
	@$(RECORD) peers-http python3 tests/peers/http_servers.py $(BUILD)/peers/fetch
	@$(RECORD) peers-files python3 tests/peers/files.py $(BUILD)/peers/files
	@$(RECORD) peers-forms python3 tests/peers/forms.py $(BUILD)/peers/forms $(BUILD)/peers/node
	@$(RECORD) peers-postgres python3 tests/peers/postgres.py $(BUILD)/peers/postgres --bench
	@$(RECORD) peers-events node tests/peers/event_source.mjs $(BUILD)/examples/events $(BUILD)/peers/node/node_modules
	@$(RECORD) peers-compress node tests/peers/compress.mjs $(BUILD)/peers/compress $(BUILD)/peers/negotiator
	@$(RECORD) peers-openapi node tests/peers/openapi.mjs $(BUILD)/peers/openapi $(BUILD)/peers/validators
	@$(RECORD) peers-proxies node tests/peers/proxies.mjs $(BUILD)/peers/proxies $(BUILD)/peers/proxy-addr
	@$(RECORD) peers-jwt node tests/peers/jwt.mjs $(BUILD)/peers/jwt $(BUILD)/peers/jose
	@$(SETUP) python3-websockets python3-wsproto
	@$(RECORD) peers-websocket node tests/peers/websocket.mjs $(BUILD)/peers/websocket $(BUILD)/peers/ws/node_modules $(BUILD)/peers/node/node_modules
	@$(RECORD) peers-websocket_python /usr/bin/python3 tests/peers/websocket.py $(BUILD)/peers/websocket
	@$(RECORD) peers-websocket_client node tests/peers/websocket_servers.mjs $(BUILD)/peers/websocket_talk $(BUILD)/peers/ws/node_modules
	@$(RECORD) peers-websocket_client_python /usr/bin/python3 tests/peers/websocket_servers.py $(BUILD)/peers/websocket_talk
	@$(RECORD) peers-websocket_hostile /usr/bin/python3 tests/peers/websocket_hostile.py $(BUILD)/peers/websocket
	@$(SETUP) --optional prometheus
	@$(RECORD) peers-metrics python3 tests/peers/metrics.py $(BUILD)/peers/metrics
	@$(SETUP) --optional chromium
	@$(RECORD) peers-chromium python3 tests/peers/chromium.py $(BUILD)/peers/forms $(BUILD)/examples/events
	@$(RECORD) peers-websocket_page python3 tests/peers/websocket_page.py $(BUILD)/peers/websocket
	@$(RECORD) peers-docs_page python3 tests/peers/docs_page.py $(BUILD)/peers/docs_page
	@$(RECORD) peers-dashboard python3 tests/peers/dashboard.py $(BUILD)/peers/dashboard $(BUILD)/peers/pictures
	@$(RECORD) peers-guestbook python3 tests/peers/guestbook.py $(BUILD)/peers/guestbook $(BUILD)/peers/pictures
	@$(RECORD) peers-chat python3 tests/peers/chat.py $(BUILD)/examples/chat $(BUILD)/peers/pictures
	@$(RECORD) --total peers
$(BUILD)/peers/fetch: tests/peers/fetch.cpp
$(BUILD)/peers/files: tests/peers/files.cpp
$(BUILD)/peers/postgres: examples/postgres.cpp
$(BUILD)/peers/forms: tests/peers/forms.cpp
$(BUILD)/peers/docs_page: tests/peers/docs_page.cpp
$(BUILD)/peers/dashboard: tests/peers/dashboard.cpp
$(BUILD)/peers/dashboard: private CXXFLAGS += -DSAKE_MACHINERY
$(BUILD)/peers/compress: tests/peers/compress.cpp
$(BUILD)/peers/metrics: tests/peers/metrics.cpp
$(BUILD)/peers/openapi: tests/peers/openapi.cpp tests/support/sample_api.hpp
$(BUILD)/peers/guestbook: examples/guestbook/guestbook.cpp examples/guestbook/pages.hpp
$(BUILD)/peers/proxies: tests/peers/proxies.cpp
$(BUILD)/peers/jwt: tests/peers/jwt.cpp
$(BUILD)/peers/websocket: tests/peers/websocket.cpp
$(BUILD)/peers/websocket_talk: tests/peers/websocket_talk.cpp
$(BUILD)/peers/ws:
	@$(SETUP) node npm
	@mkdir -p $@.new
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix $@.new ws@8.23.0
	@mv $@.new $@
$(BUILD)/peers/proxy-addr:
	@$(SETUP) node npm
	@mkdir -p $@.new
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix $@.new proxy-addr@2.0.7
	@mv $@.new $@
$(BUILD)/peers/jose:
	@$(SETUP) node npm
	@mkdir -p $@.new
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix $@.new jose@5.10.0
	@mv $@.new $@
# Senders and a reader of forms, readers of event streams; of versions that Debian's node runs.
$(BUILD)/peers/node:
	@$(SETUP) curl node npm
	@mkdir -p $@.new
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix $@.new form-data@4 undici@6 busboy@1 eventsource@3
	@mv $@.new $@
# What chooses codings as Sake does.
$(BUILD)/peers/negotiator:
	@$(SETUP) node npm
	@mkdir -p $@.new
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix $@.new negotiator@1.0.0
	@mv $@.new $@
# What OpenAPI documents are checked by, exactly these: what they complain of differs from one to the next.
$(BUILD)/peers/validators:
	@$(SETUP) node npm
	@mkdir -p $@.new
	@npm install --silent --no-fund --no-audit --ignore-scripts --prefix $@.new @seriousme/openapi-schema-validator@2.11.0 \
	    @redocly/cli@2.77.0 @stoplight/spectral-cli@6.16.3 openapi-typescript@7.13.0 typescript@5.9.3 ajv@8.20.0 ajv-formats@3.0.1
	@mv $@.new $@
# In separate form, with every library: the definitions are compiled once.
PEER_LIBS := -lpq -lsqlite3 -lcrypto -lz -lbrotlienc -lzstd
define compile_peer
	@mkdir -p $(@D)
	@echo '  CXX   $@'
	@$(CXX) $(BASE_FLAGS) -O1 -DSAKE_SEPARATE $(TEST_MACROS) -Isingle_include -isystem $$(pg_config --includedir) $(CXXFLAGS)
endef
$(BUILD)/peers/definitions.o: single_include/sake.hpp | setup-product
	@$(SETUP) python3 nginx curl libpq postgresql sqlite3 openssl zlib brotli zstd
	$(compile_peer) -DSAKE_IMPLEMENTATION -x c++ -c $< -o $@
$(BUILD)/peers/%: $(BUILD)/peers/definitions.o
	$(compile_peer) $(filter %.cpp,$^) $< $(LDFLAGS) $(PEER_LIBS) -o $@

SOAK_SECONDS ?= 120
SOAK_SUPPORT := $(wildcard tests/support/*.hpp) $(addprefix tests/support/,allocations.cpp faults.cpp oracle.cpp raw_client.cpp)

.PHONY: soak
soak: $(BUILD)/soak ## two minutes (SOAK_SECONDS=) under every kind of load: memory does not grow
	@rm -f $(BUILD)/results/soak-*
	@$(RECORD) soak-suite $(BUILD)/soak $(SOAK_SECONDS)
	@$(RECORD) --total soak
$(BUILD)/soak: tests/soak/soak.cpp $(SOAK_SUPPORT) single_include/sake.hpp | setup
	@mkdir -p $(@D)
	@echo '  CXX   $@'
	@$(CXX) $(BASE_FLAGS) -O2 -Isingle_include -Itests $(CXXFLAGS) $(filter %.cpp,$^) $(TEST_LINK) $(LDFLAGS) -o $@

.PHONY: bench
bench: ## build and run the benchmarks, some 30 minutes; writes bench/RESULTS.md (BENCH_ARGS= goes to bench/run.py)
	@$(SETUP) python3
	@python3 bench/run.py --install $(BENCH_ARGS)

##@ Documentation

# The site is built in a folder of its own: VitePress looks for its packages above the pages.
SITE := $(BUILD)/docs-site

.PHONY: docs
docs: $(SITE)/node_modules/.package-lock.json ## build the documentation site, by VitePress, in build/site
	@$(SETUP) python3
	@python3 docs/site/stage.py $(SITE)
	@cd $(SITE) && node_modules/.bin/vitepress build --outDir $(abspath $(BUILD)/site)
	@python3 docs/site/check_html.py $(BUILD)/site
$(SITE)/node_modules/.package-lock.json: docs/site/package.json docs/site/package-lock.json docs/site/.npmrc
	@$(SETUP) node npm
	@mkdir -p $(SITE)
	@cp $^ $(SITE)
	@cd $(SITE) && npm ci --silent
	@touch $@

.PHONY: docs-serve
docs-serve: docs $(BUILD)/docs-serve ## build the site and serve it by Sake on 127.0.0.1:8080 (PORT=)
	@echo 'Serving http://127.0.0.1:$(PORT)/; Ctrl-C stops.'
	@exec $(BUILD)/docs-serve $(BUILD)/site 127.0.0.1:$(PORT)

##@ Product

.PHONY: install
VERSION := $(shell sed -n 's/^.define SAKE_VERSION "\(.*\)"/\1/p' sake/base/version.hpp 2>/dev/null)
INSTALL_TO = $(DESTDIR)$(PREFIX)
# The templates' other words are the optional parts, which programs choose.
FILL_IN := sed -e 's/@VERSION@/$(VERSION)/' -e 's/@FEATURES@//' -e 's/@REQUIRES@//' -e 's/@DEFINES@//'
install: ## the header, for pkg-config and CMake as well, under PREFIX=/usr/local
	@install -d '$(INSTALL_TO)/include' '$(INSTALL_TO)/share/pkgconfig' '$(INSTALL_TO)/share/cmake/sake'
	install -m 644 single_include/sake.hpp '$(INSTALL_TO)/include/sake.hpp'
	@$(FILL_IN) packaging/sake.pc.in > '$(INSTALL_TO)/share/pkgconfig/sake.pc'
	@for file in sakeConfig.cmake sakeConfigVersion.cmake; do \
	    $(FILL_IN) packaging/$$file.in > '$(INSTALL_TO)/share/cmake/sake/'$$file; done
	@install -m 644 packaging/sakeFeatures.cmake '$(INSTALL_TO)/share/cmake/sake/sakeFeatures.cmake'

.PHONY: deb
deb: ## the Debian package libsake-dev, in $(BUILD)/deb
	@$(SETUP) dpkg-buildpackage dh
	@packaging/make_deb.sh $(BUILD)/deb

.PHONY: release
release: ## every file of a release, with notes and checksums, in $(BUILD)/release
	@$(SETUP) python3 git nlohmann-json dpkg-buildpackage dh
	@packaging/release.py $(BUILD)/release

# ---- programs against the single header ----

$(BUILD)/demo: examples/demo.cpp
$(BUILD)/hostile: tests/hostile/server.cpp
$(BUILD)/docs-serve: docs/site/serve.cpp
$(BUILD)/demo $(BUILD)/hostile $(BUILD)/docs-serve: single_include/sake.hpp | setup-product
	@mkdir -p $(@D)
	@echo '  CXX   $@'
	@$(CXX) $(BASE_FLAGS) -O2 -Isingle_include $(CXXFLAGS) $(filter %.cpp,$^) $(LDFLAGS) -o $@
# Examples are built to be run, not measured, and all at once: hence -O0, and in separate form, with the definitions
# compiled once and the declarations precompiled.
EXAMPLE_FLAGS := $(BASE_FLAGS) -O0 -DSAKE_SEPARATE -Isingle_include
$(BUILD)/examples/compiler: COMMAND = $(CXX) $(EXAMPLE_FLAGS) $(CXXFLAGS)
$(BUILD)/examples/declarations.hpp.gch: IN_FORM := -x c++-header
$(BUILD)/examples/definitions.o: IN_FORM := -DSAKE_IMPLEMENTATION -x c++ -c
$(BUILD)/examples/declarations.hpp.gch $(BUILD)/examples/definitions.o: single_include/sake.hpp $(BUILD)/examples/compiler | setup-product
	@mkdir -p $(@D)
	@echo '  CXX   $@'
	@$(CXX) $(EXAMPLE_FLAGS) $(CXXFLAGS) $(IN_FORM) $< -o $@
$(BUILD)/examples/chat: examples/chat_page.hpp
$(BUILD)/examples/%: examples/%.cpp $(BUILD)/examples/declarations.hpp.gch $(BUILD)/examples/definitions.o
	@echo '  CXX   $@'
	@$(CXX) $(EXAMPLE_FLAGS) $(CXXFLAGS) -include $(BUILD)/examples/declarations.hpp $< $(BUILD)/examples/definitions.o $(LDFLAGS) -o $@
