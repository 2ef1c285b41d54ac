#!/bin/bash
# sanitize.sh asan|tsan - the tests with a module, a command and unit tests that were built with
# sanitizers; any report fails, also one of a process whose test passed.
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/../.." || exit 1

variant=$1
# httpd's children are another user; and their standard error is the error log, where a report
# would be easy to miss.
reports=$(mktemp -d)
chmod 1777 "$reports"
trap 'rm -rf "$reports"' EXIT

# Leaks: what lives in httpd's pools until the process ends is none, and all we allocate does.
# detect_odr_violation: the same file is in the module and, for the tests, in a program.
export ASAN_OPTIONS=log_path=$reports/asan:detect_leaks=0:detect_odr_violation=0
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan
# Debian's httpd and APR are not instrumented: what they do among themselves is not looked at.
export TSAN_OPTIONS=log_path=$reports/tsan:ignore_noninstrumented_modules=1:history_size=4
HS_PRELOAD=$(gcc -print-file-name="lib$variant.so")
[ "$variant" != asan ] || HS_PRELOAD+=:$PWD/build/asan/pools.so
export HS_PRELOAD HS_BUILD=build/$variant

# TESTS="t/30-submit.t t/32-list.t" runs only these.
# shellcheck disable=SC2086
prove --timer ${TESTS:-t/[1-9]*.t}
status=$?
for report in "$reports"/*; do
    [ -e "$report" ] || continue
    cat "$report"
    status=1
done
exit $status
