#!/bin/bash
# coverage.sh - runs the tests with counters and prints how many lines of each file they ran.
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$(dirname "$0")/../.."

# httpd's children are another user, who may not be able to write below build/.
counters=$(mktemp -d)
chmod 1777 "$counters"
trap 'rm -rf "$counters"' EXIT
umask 0
export GCOV_PREFIX=$counters HS_BUILD=build/cov

find build/cov -name '*.gcda' -delete
# TESTS="t/30-submit.t t/32-list.t" runs only these.
# shellcheck disable=SC2086
prove --timer ${TESTS:-t/[1-9]*.t}
cp -r "$counters$PWD/build/cov/." build/cov/
gcov -n -o build/cov mod_helpsupport/*.c 2>/dev/null | awk '
    /^File / { file = $2; gsub(/\047/, "", file) }
    /^Lines executed:/ && file ~ /^mod_helpsupport\/.*\.c$/ {
        split($0, part, /[:% ]+/)
        printf "%6.1f %%  %s\n", part[3], file
        lines += $NF; run += part[3] * $NF / 100; file = ""
    }
    END { if (lines) printf "%6.1f %%  of %d lines\n", 100 * run / lines, lines; else exit 1 }' |
    sort -n
