#!/bin/bash
# build.sh - from a fresh checkout to a running or a tested mod_helpsupport, on Debian.
# SPDX-License-Identifier: Apache-2.0
#
#   ./build.sh run     serves http://127.0.0.1:8080/help-support until Ctrl-C; data is in build/run/
#                      PORT=8081, HELPSUPPORT_DB="driver params", EXTRA_CONF=file change it
#   ./build.sh test    passes all tests
#   ./build.sh install only installs what the tests need, for make lint, asan, tsan, coverage
#
# All install the packages that are missing first (with sudo where the user is not root).
set -euo pipefail
# Relative names are the caller's.
[ -z "${EXTRA_CONF-}" ] || EXTRA_CONF=$(realpath -m -- "$EXTRA_CONF")
[[ ${HELPSUPPORT_DB-} != "sqlite3 "[^/]* ]] ||
    HELPSUPPORT_DB="sqlite3 $(realpath -m -- "${HELPSUPPORT_DB#sqlite3 }")"
cd "$(dirname "$0")"

# apache2-bin, never apache2: that would start the system's own server.
build_packages=(gcc make perl apache2-bin apache2-dev libapr1-dev libaprutil1-dev libjansson-dev
    libcurl4-openssl-dev libidn2-dev libunistring-dev libsqlite3-dev libpq-dev)
run_packages=(libaprutil1-dbd-sqlite3 libaprutil1-dbd-pgsql libaprutil1-dbd-mysql curl
    python3 python3-aiosmtpd)
test_packages=(git clang clang-tidy clang-format cppcheck shellcheck mandoc sqlite3 openssl wrk chromium
    spamassassin slapd libapache2-mod-auth-openidc postgresql mariadb-server pgbouncer haproxy)

# install PACKAGE...: those that are not there yet.
install() {
    local package missing=() as_root=()
    # Another Debian's Node.js (nodesource) brings npm along and refuses Debian's.
    [[ " $* " == *" chromium "* ]] && ! { command -v node && command -v npm; } >/dev/null &&
        set -- "$@" nodejs npm
    if ! command -v dpkg-query >/dev/null; then
        echo "build.sh: this is no Debian; what is needed has these names there: $*" >&2
        return
    fi
    for package; do
        [[ $(dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null) == *installed* ]] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "build.sh: installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    forbid_services "${as_root[@]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
    allow_services
}

# The tests want server programs, nobody wants their services: policy-rc.d keeps packages from
# starting any. One that the administrator has made stays.
policy=/usr/sbin/policy-rc.d policy_made=no
forbid_services() {
    [ -e "$policy" ] && return
    trap allow_services EXIT
    policy_by=("$@") policy_made=yes
    printf '#!/bin/sh\nexit 101\n' | "$@" tee "$policy" >/dev/null
    "$@" chmod 755 "$policy"
}

allow_services() {
    [ "$policy_made" = yes ] || return 0
    policy_made=no
    "${policy_by[@]}" rm -f "$policy"
    trap - EXIT
}

# install_browser_driver: what drives Chromium in t/81-browser.t, from the npm registry.
install_browser_driver() {
    local folder=build/browser
    command -v npm >/dev/null || return 0
    cmp -s t/browser/package-lock.json "$folder/package-lock.json" &&
        [ -e "$folder/node_modules/.package-lock.json" ] && return
    mkdir -p "$folder"
    cp t/browser/package.json t/browser/package-lock.json "$folder/"
    (cd "$folder" && npm ci --loglevel=error --ignore-scripts --no-audit --no-fund)
}

case ${1-} in
run)
    install "${build_packages[@]}" "${run_packages[@]}"
    make -s -j"$(nproc)" all
    # Started in the background, a script has SIGINT ignored, and bash could not trap it any more.
    exec env --default-signal=INT t/conf/run.sh
    ;;
install)
    install "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}"
    install_browser_driver
    ;;
test)
    install "${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}"
    install_browser_driver
    make -s -j"$(nproc)" all units
    exec t/lib/with-servers prove --timer -j2 t/
    ;;
*)
    sed -n 's/^#   //p' "$0"
    exit 2
    ;;
esac
