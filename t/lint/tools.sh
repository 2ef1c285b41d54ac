#!/bin/bash
# tools.sh - compilers and checkers over all sources; silent when they find nothing.
# SPDX-License-Identifier: Apache-2.0
# Called by `make lint`, which hands over the flags: BASE, HTTPD, WARNINGS, GCC_WARNINGS, CC, J.
set -u
cd "$(dirname "$0")/../.." || exit 1

src=mod_helpsupport
failed=$(mktemp)
trap 'rm -f "$failed"' EXIT

# The flags come as one string each, to be split.
# shellcheck disable=SC2206
base=($BASE $HTTPD -I $src -I t/unit -I t/fuzz) warnings=($WARNINGS -Werror) gcc_warnings=($GCC_WARNINGS)
export LC_ALL=C

shopt -s nullglob
sources=("$src"/*.c t/*/*.c)
headers=("$src"/*.h)
everything=("${sources[@]}" "${headers[@]}" t/*/*.h)

# each COMMAND... -- FILE...: run the command on each file, $J at once, and note failures.
each() {
    local command=()
    while [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    shift
    [ $# -eq 0 ] && return
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$J" "${command[@]}" || echo "${command[0]}" >>"$failed"
}

# once COMMAND...: show what it says only if it fails.
once() {
    local output
    output=$("$@" 2>&1) && return
    printf '%s\n' "$output"
    echo "$1" >>"$failed"
}

# The optimiser must run for -Wnull-dereference and the like to see anything.
each "$CC" "${base[@]}" "${warnings[@]}" "${gcc_warnings[@]}" -O2 -c -o /dev/null -- "${sources[@]}"
each clang "${base[@]}" -Wall -Wextra -Werror -fsyntax-only -- "${sources[@]}"

# Every header compiles alone. A file that only includes it, since a header given to the compiler
# itself is a "main file" and gets warnings of its own.
alone() {
    printf '#include "%s"\n' "${1##*/}" | "$CC" "${base[@]}" "${warnings[@]}" -fsyntax-only -x c -
}
for header in "${headers[@]}"; do
    alone "$header" || echo "$header" >>"$failed"
done

# clang-tidy counts on stderr what it left out; what it found is on stdout. Only on what is shipped:
# it takes three times as long as all the rest.
for source in "$src"/*.c; do
    printf '%s\0' "$source"
done | xargs -0 -P "$J" -I '{}' clang-tidy --quiet '{}' -- "${base[@]}" 2>/dev/null ||
    echo clang-tidy >>"$failed"

once cppcheck --quiet --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --std=c11 -j "$J" --suppress=missingIncludeSystem -I "$src" -I build/release "$src"
once clang-format --dry-run -Werror "${everything[@]}"

scripts=(build.sh .ci/run t/*.sh t/*/*.sh)
for script in "${scripts[@]}"; do
    [ -e "$script" ] && once bash -n "$script" && once shellcheck "$script"
done
for script in t/*.t t/*/*.pl t/*/*.pm; do
    once perl -It/lib -wc "$script"
done
for page in "$src"/*.8; do
    once mandoc -Tlint -Wwarning "$page"
done
for script in t/lib/*.py; do
    once python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$script"
done
[ ! -s "$failed" ]
