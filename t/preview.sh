#!/bin/bash
# preview.sh [FOLDER] - renders the confirmation in each language to build/preview/*.html and *.eml.
# SPDX-License-Identifier: Apache-2.0
# FOLDER holds the templates, by default those of the sources. HS_BUILD names another build's folder.
set -euo pipefail
cd "$(dirname "$0")/.."

templates=${1-templates}
mail=${HS_BUILD-build/release}/unit/mail
out=build/preview
mkdir -p "$out"
rm -f "$out"/*

# render NAME KEY=VALUE...: a mail with everything in it is "full", one with little is "bare".
render() {
    local name=$1
    shift
    "$mail" confirm "$templates" number=4711 "$@" >"$out/$name.eml"
    python3 -c '
import email, email.policy, sys
mail = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
sys.stdout.buffer.write(mail.get_body(("html",)).get_content().encode())
' <"$out/$name.eml" >"$out/$name.html"
}

for subject in "$templates"/confirmation*.subject; do
    language=${subject#"$templates"/confirmation}
    language=${language%.subject}
    language=${language#.}
    language=${language:-en}
    render "$language" language="$language" name="Jane O'Neil" url=https://example.com/ \
        reply_to=support@example.com
    render "$language-full" language="$language" name="Jane O'Neil" url=https://example.com/ \
        site="Example Industries Ltd, Department of Very Long Names" \
        reply_to=a-rather-long-address.with.parts@support.subdomain.example.com \
        message=$'I can\'t log in: <b>"denied"</b> & more.\n\nhttps://example.com/a/'"$(printf 'x%.0s' {1..80})"
    render "$language-bare" language="$language"
done
ls "$out"/*.html
