"""smtp-sink.py PORT FOLDER - an SMTP server on 127.0.0.1 that keeps each mail in a Maildir.

SPDX-License-Identifier: Apache-2.0
Runs on Debian's python3-aiosmtpd until SIGTERM. Started by root it becomes the owner of FOLDER.
"""

import asyncio
import mailbox
import os
import signal
import sys

from aiosmtpd.smtp import SMTP


class Keeper:
    """What happens to a mail: it is stored with its envelope, as a delivery agent does it."""

    def __init__(self, folder):
        # mailbox makes these only where the folder itself is missing.
        for part in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(folder, part), exist_ok=True)
        self.maildir = mailbox.Maildir(folder, factory=None, create=True)

    async def handle_DATA(self, server, session, envelope):
        head = "Return-Path: <%s>\r\n" % (envelope.mail_from or "").strip("<>")
        head += "".join("Delivered-To: %s\r\n" % to for to in envelope.rcpt_tos)
        self.maildir.add(head.encode("utf-8") + envelope.original_content)
        return "250 2.0.0 kept"


def become_owner(folder):
    if os.geteuid() == 0:
        owner = os.stat(folder)
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


async def serve(port, folder):
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    keeper = Keeper(folder)
    server = await loop.create_server(
        lambda: SMTP(keeper, hostname="sink.example", loop=loop), "127.0.0.1", port
    )
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    become_owner(sys.argv[2])
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
