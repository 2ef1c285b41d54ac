#!/bin/bash
# run.sh - what `./build.sh run` does once everything is built: an httpd of its own, in the
# foreground, and a mail server that keeps what it gets; both end with this script.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

# as_children COMMAND...: as the user that serves requests.
as_children() {
    if [ "$(id -u)" -eq 0 ]; then
        runuser -u www-data -- "$@"
    else
        "$@"
    fi
}

# Below /root, say, www-data gets nowhere. That folder's mode is not ours to change, so the data
# then lies elsewhere and build/run is a link to it.
make_run_folder() {
    local elsewhere=/var/lib/helpsupport-run
    mkdir -p build
    [ -e build/run ] || [ -L build/run ] || mkdir build/run
    if ! as_children test -x "$PWD/build/run/."; then
        [ -L build/run ] || rmdir build/run ||
            fail "www-data can't reach build/run, which has data: move it to $elsewhere"
        mkdir -p "$elsewhere"
        ln -sfn "$elsewhere" build/run
    fi
    run=$(readlink -f build/run)
    chmod 755 "$run"
    # Only these two belong to the children: what root writes must not lie in a folder of theirs.
    mkdir -p "$run/logs" "$run/htdocs" "$run/data" "$run/mailbox"
    chmod 700 "$run/data" "$run/mailbox"
    [ "$(id -u)" -ne 0 ] || chown www-data:www-data "$run/data" "$run/mailbox"
}

# The file belongs to the children from its first day on, wherever it lies, and SQLite's log comes to
# lie beside it; helpsupportctl then becomes its owner.
make_database_file() {
    local file=$1
    [ -e "$file" ] || as_children install -m 600 /dev/null "$file" 2>/dev/null || true
    as_children test -w "$file" -a -w "$(dirname "$file")" ||
        fail "$(as_children id -un) can't write $file and its folder: chown them, or name another file"
}

# The admin token of the last run while the database still takes it, else a new one.
find_token() {
    local file=$run/admin-token digest
    if [ -s "$file" ]; then
        digest=$(tr -d '\n' <"$file" | sha256sum | cut -c1-8)
        build/helpsupportctl token list | grep -q "^$digest  usable " && return
        build/helpsupportctl token revoke run 2>/dev/null || true
    fi
    rm -f "$file"
    (umask 077 && build/helpsupportctl token create run >"$file" 2>/dev/null) || {
        # The file of an earlier run is gone, its token is not.
        build/helpsupportctl token revoke run
        (umask 077 && build/helpsupportctl token create run >"$file" 2>/dev/null)
    }
}

# A free port, from the system.
free_port() {
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")
        ->sockport'
}

processes=()

# Each in a session of its own: a Ctrl-C must reach this script alone, which then ends them in
# order, and httpd signals its whole process group.
start() {
    setsid "$@" </dev/null &
    processes+=($!)
}

stop() {
    local i
    trap '' INT TERM HUP
    for ((i = ${#processes[@]} - 1; i >= 0; i--)); do
        kill -TERM "${processes[i]}" 2>/dev/null || true
        wait "${processes[i]}" || true
    done
}

answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Wait until the process $1 answers on port $2.
wait_for() {
    local i
    for ((i = 0; i < 100; i++)); do
        kill -0 "$1" 2>/dev/null || return 1
        answers "$2" && kill -0 "$1" && return
        sleep 0.1
    done
    return 1
}

say_how() {
    local url=http://127.0.0.1:$PORT/help-support token
    token=$(cat "$run/admin-token")
    cat <<END

$url is up. Ctrl-C ends it; its data stays in build/run/.

curl -i $url/user-1 -H 'Content-Type: application/json' -d '{"name": "Jane Doe", "phone_number": "+1234567890", "email": "jane@example.com", "message": "I am having trouble connecting my database."}'
curl -i $url -H 'Authorization: Bearer $token'
curl -i $url/1 -H 'Authorization: Bearer $token'
curl -i -X PATCH '$url/1/status?status=resolved' -H 'Authorization: Bearer $token'
curl -i $url/1/history -H 'Authorization: Bearer $token'

The admin token is also in build/run/admin-token, the logs are in build/run/logs/, mails in build/run/mailbox/.
END
}

defines=()
[ "$(id -u)" -ne 0 ] || defines+=(-D RUN_AS_ROOT)
if [ -n "${EXTRA_CONF-}" ]; then
    EXTRA_CONF=$(readlink -e "$EXTRA_CONF") || fail "EXTRA_CONF names no file"
    defines+=(-D EXTRA_CONF)
fi
make_run_folder
export PORT=${PORT:-8080} EXTRA_CONF=${EXTRA_CONF-}
export HELPSUPPORT_DB=${HELPSUPPORT_DB:-sqlite3 $run/data/tickets.db}
export HS_RUN=$run HS_BUILD=$PWD/build HS_DRIVER=${HELPSUPPORT_DB%% *}
HS_MODULES=$(apxs -q LIBEXECDIR)
# As it stands between quotes in httpd.conf.
HS_PARAMS=$(printf '%s' "${HELPSUPPORT_DB#* }" | sed 's/["\\]/\\&/g')
HS_SMTP_PORT=$(free_port)
HS_TEMPLATES=$PWD/templates
if ! as_children test -r "$HS_TEMPLATES/."; then
    rm -rf "$run/templates"
    cp -r templates "$run/templates"
    HS_TEMPLATES=$run/templates
fi
export HS_MODULES HS_PARAMS HS_SMTP_PORT HS_TEMPLATES

! answers "$PORT" || fail "something answers on port $PORT already; PORT=8081 takes another"
[[ $HELPSUPPORT_DB != "sqlite3 /"* ]] || make_database_file "${HELPSUPPORT_DB#* }"
build/helpsupportctl db init 2>"$run/logs/db-init" || fail "$(cat "$run/logs/db-init")"
find_token

trap stop EXIT
trap 'exit 0' INT TERM HUP
start /usr/bin/python3 t/lib/smtp-sink.py "$HS_SMTP_PORT" "$run/mailbox"
wait_for "${processes[0]}" "$HS_SMTP_PORT" || fail "the mail server did not start"
log=$run/logs/error.log
touch "$log"
logged=$(wc -l <"$log")
start apache2 -f "$PWD/t/conf/run.conf" -D FOREGROUND "${defines[@]}"
httpd=${processes[1]}
wait_for "$httpd" "$PORT" || fail "httpd did not start: $(tail -n "+$((logged + 1))" "$log" | tail -n 5)"
say_how
wait "$httpd"
