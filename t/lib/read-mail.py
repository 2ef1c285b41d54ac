# read-mail.py - reads a mail from stdin as strictly as Python can and prints it as JSON.
# SPDX-License-Identifier: Apache-2.0
import email
import email.policy
import json
import sys

octets = sys.stdin.buffer.read()
mail = email.message_from_bytes(octets, policy=email.policy.default)
parts = list(mail.iter_parts())
defects = [str(defect) for part in mail.walk() for defect in part.defects]
for name, value in mail.items():
    defects += [f"{name}: {defect}" for defect in value.defects]


def body(part):
    return part.get_content().replace("\r\n", "\n")


lines = octets.split(b"\r\n")
head = octets.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
json.dump({
    "defects": defects,
    "headers": [[name, str(value)] for name, value in mail.items()],
    "from": [[address.display_name, address.addr_spec] for address in mail["from"].addresses],
    "to": [[address.display_name, address.addr_spec] for address in mail["to"].addresses],
    "date": mail["date"].datetime.isoformat(),
    "type": mail.get_content_type(),
    "types": [part.get_content_type() for part in parts],
    "bodies": [body(part) for part in parts],
    "longest_line": max(map(len, lines)),
    "longest_header": max(map(len, head)),
    "is_seven_bit": octets.isascii(),
    "has_bare_break": b"\r" in octets.replace(b"\r\n", b"") or b"\n" in octets.replace(b"\r\n", b""),
    "has_dot_line": any(line.startswith(b".") for line in lines),
    "ends_in_crlf": octets.endswith(b"--\r\n"),
}, sys.stdout)
