#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An SMTP server for tests that misbehaves on request and records every octet.

    scripted-smtp.py [options] DIR

It listens on 127.0.0.1, prints "ready PORT" (and writes DIR/port), and ends when its standard
input is closed, so it never outlives the test that holds the pipe. It writes into DIR:

    events.jsonl    one object a line: time, connection, tls, and "client" or "server" with the line
                    and, where octets of the client were already there behind it, "more": how many;
                    also {"event": "open" | "close" | "tls"}
    mails.jsonl     one object for each mail whose final dot arrived: time, connection, tls, from, to,
                    reply (what will be answered, "" for nothing) and data: its octets, dots
                    unstuffed, each octet as the code point of the same number
    connection-N    with --raw: what connection N sent, octet for octet, after TLS was removed

A mail is recorded before it is answered, so a test that got an answer finds it there.

DIR/rules, if there, says where to misbehave; it may be replaced (by rename) at any time, and the
counts start anew then. Each line is

    STAGE WHICH ACTION[; ACTION]...

STAGE   connect ehlo starttls auth mail rcpt data dot quit idle. "idle" is the wait for a next mail
        after at least one mail on this connection.
WHICH   * always; 3 the third time this stage is reached, over all connections; 3+ from then on;
        @TEXT where the recipient (at "mail": the sender) holds TEXT.
ACTION  wait MS; reply TEXT (\\n for further lines); close; silent (no reply, but stay).

The first line that fits wins. With only "wait" the usual reply follows. Example:

    rcpt @nobody reply 550 5.1.1 No such user
    dot 2 wait 1500; reply 554 5.7.1 Too late
    idle * wait 300; reply 421 4.4.2 Idle too long; close
"""
import argparse
import base64
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

MAX_LINE = 65536


class Gone(Exception):
    """The client closed the connection, or a rule told us to."""


class Rules:
    """DIR/rules and how often each stage was reached."""

    def __init__(self, path):
        self.path, self.stamp, self.lines, self.counts = path, None, [], {}
        self.lock = threading.Lock()

    def _reload(self):
        try:
            found = os.stat(self.path)
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        except FileNotFoundError:
            stamp = None
        if stamp == self.stamp:
            return
        self.stamp, self.lines, self.counts = stamp, [], {}
        if stamp:
            with open(self.path, encoding="utf-8") as file:
                self.lines = [line.split(None, 2) for line in file if line.strip()]

    def actions(self, stage, subject=""):
        """The actions for this stage now, as (verb, argument) pairs."""
        with self.lock:
            self._reload()
            count = self.counts[stage] = self.counts.get(stage, 0) + 1
            for name, which, actions in self.lines:
                if name == stage and self._fits(which, count, subject):
                    parts = [part.strip().partition(" ") for part in actions.split(";")]
                    return [(verb, argument) for verb, _, argument in parts]
            return []

    @staticmethod
    def _fits(which, count, subject):
        if which.startswith("@"):
            return which[1:] in subject
        if which.endswith("+"):
            return count >= int(which[:-1])
        return which == "*" or count == int(which)


class Recorder:
    """The files in DIR; one lock, so that lines never mix."""

    def __init__(self, folder, raw):
        self.folder, self.raw, self.lock = folder, raw, threading.Lock()
        self.events = open(os.path.join(folder, "events.jsonl"), "a", encoding="ascii")
        self.mails = open(os.path.join(folder, "mails.jsonl"), "a", encoding="ascii")

    def _write(self, file, what):
        with self.lock:
            file.write(json.dumps({"time": time.time(), **what}) + "\n")
            file.flush()

    def event(self, **what):
        self._write(self.events, what)

    def mail(self, **what):
        self._write(self.mails, what)

    def octets(self, connection, octets):
        if self.raw:
            with open(os.path.join(self.folder, f"connection-{connection}"), "ab") as file:
                file.write(octets)


class Session:
    """One connection, in its own thread."""

    def __init__(self, server, number, sock):
        self.server, self.number, self.sock = server, number, sock
        self.tls, self.user, self.mails, self.buffer = False, None, 0, bytearray()
        self.reset()

    def reset(self):
        self.sender, self.recipients = None, []

    def note(self, **what):
        self.server.recorder.event(connection=self.number, tls=self.tls, **what)

    def start_tls(self):
        self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
        self.tls = True
        self.note(event="tls")

    def fill(self):
        octets = self.sock.recv(MAX_LINE)
        if not octets:
            raise Gone
        self.server.recorder.octets(self.number, octets)
        self.buffer += octets

    def take(self, end):
        """The octets up to and with `end`."""
        start = 0
        while (at := self.buffer.find(end, start)) < 0:
            start = max(0, len(self.buffer) - len(end) + 1)
            self.fill()
        octets = bytes(self.buffer[: at + len(end)])
        del self.buffer[: at + len(end)]
        return octets

    def line(self):
        text = self.take(b"\r\n")[:-2].decode("latin-1")
        self.note(client=text, **({"more": len(self.buffer)} if self.buffer else {}))
        return text

    def reply(self, text):
        lines = text.split("\n")
        marked = [line[:3] + "-" + line[4:] for line in lines[:-1]] + lines[-1:]
        for line in marked:
            self.note(server=line)
        self.sock.sendall("".join(line + "\r\n" for line in marked).encode("latin-1"))

    def play(self, actions, usual):
        """Carry out `actions`, with `usual` where they hold no answer; returns the last code."""
        code = "000"
        answers = [verb for verb, _ in actions if verb != "wait"]
        for verb, argument in actions + ([] if answers else [("reply", usual)]):
            if verb == "wait":
                time.sleep(int(argument) / 1000)
            elif verb == "reply":
                text = argument.replace("\\n", "\n")
                self.reply(text)
                code = text[:3]
            elif verb == "close":
                raise Gone
        return code

    def step(self, stage, usual, subject=""):
        return self.play(self.server.rules.actions(stage, subject), usual)

    def next_command(self):
        """Wait for a command; between two mails an "idle" rule may end the wait."""
        idle = self.mails and self.sender is None and not self.buffer
        actions = self.server.rules.actions("idle") if idle else []
        if not actions:
            return self.line()
        wait = sum(int(argument) for verb, argument in actions if verb == "wait")
        self.sock.settimeout(wait / 1000)
        try:
            self.fill()
        except TimeoutError:
            self.play([action for action in actions if action[0] != "wait"], "")
        finally:
            self.sock.settimeout(None)
        return self.line()

    def run(self):
        try:
            self.note(event="open")
            if self.server.options.tls:
                self.start_tls()
            if self.step("connect", "220 scripted.test ESMTP")[0] != "2":
                raise Gone
            while self.command(self.next_command()):
                pass
        except (Gone, OSError):
            pass
        self.note(event="close")
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def command(self, line):
        verb = re.split(r"[ :]", line, 1)[0].upper()
        handler = getattr(self, "on_" + verb.lower(), None)
        if handler is None:
            self.reply("502 5.5.2 Command not recognized")
            return True
        return handler(line) is not False

    def on_ehlo(self, _line):
        self.reset()
        words = ["scripted.test", "SIZE 10485760", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self.server.options.pipelining:
            words.append("PIPELINING")
        if self.server.tls and not self.tls:
            words.append("STARTTLS")
        if self.server.options.auth and (self.tls or not self.server.tls):
            words.append("AUTH PLAIN LOGIN")
        self.step("ehlo", "\n".join("250 " + word for word in words))

    on_helo = on_ehlo

    def on_starttls(self, _line):
        if not self.server.tls or self.tls:
            self.reply("502 5.5.1 Not available")
        elif self.step("starttls", "220 2.0.0 Ready")[0] == "2":
            self.start_tls()

    def ask(self, prompt):
        self.reply("334 " + base64.b64encode(prompt).decode())
        return base64.b64decode(self.line())

    def on_auth(self, line):
        words = line.split()
        if words[1].upper() == "PLAIN":
            said = base64.b64decode(words[2]) if len(words) > 2 else self.ask(b"")
            login = b":".join(said.split(b"\0")[1:])
        else:
            login = self.ask(b"Username:") + b":" + self.ask(b"Password:")
        right = login.decode() == self.server.options.auth
        usual = "235 2.7.0 Welcome" if right else "535 5.7.8 Authentication failed"
        if self.step("auth", usual)[0] == "2":
            self.user = login

    def on_mail(self, line):
        if self.server.options.auth and not self.user:
            self.reply("530 5.7.0 Authentication required")
            return
        sender = re.search(r"<(.*?)>", line)
        sender = sender.group(1) if sender else line[10:]
        if self.step("mail", "250 2.1.0 Ok", sender)[0] == "2":
            self.sender, self.recipients = sender, []

    def on_rcpt(self, line):
        recipient = re.search(r"<(.*?)>", line)
        recipient = recipient.group(1) if recipient else line[8:]
        if self.step("rcpt", "250 2.1.5 Ok", recipient)[0] == "2":
            self.recipients.append(recipient)

    def on_data(self, _line):
        subject = " ".join(self.recipients)
        if self.step("data", "354 End with a dot", subject) != "354":
            return
        # the mail may be empty: then its first line is the dot, so look from a CRLF before it
        self.buffer[:0] = b"\r\n"
        octets = self.take(b"\r\n.\r\n")[:-3]
        data = octets.replace(b"\r\n.", b"\r\n")[2:]
        actions = self.server.rules.actions("dot", subject)
        self.mails += 1
        usual = f"250 2.0.0 Ok: queued as {self.number}-{self.mails}"
        answers = [(verb, argument) for verb, argument in actions if verb != "wait"]
        replies = [argument for verb, argument in answers if verb == "reply"]
        self.server.recorder.mail(
            connection=self.number, tls=self.tls, to=self.recipients, data=data.decode("latin-1"),
            reply=replies[-1] if replies else "" if answers else usual, **{"from": self.sender})
        self.play(actions, usual)
        self.reset()

    def on_rset(self, _line):
        self.reset()
        self.reply("250 2.0.0 Ok")

    def on_noop(self, _line):
        self.reply("250 2.0.0 Ok")

    def on_quit(self, _line):
        return self.step("quit", "221 2.0.0 Bye") == "000"


class Server:
    """What all connections share."""

    def __init__(self, options):
        self.options = options
        self.rules = Rules(os.path.join(options.folder, "rules"))
        self.recorder = Recorder(options.folder, options.raw)
        self.tls = None
        if options.make_cert:
            options.cert = make_cert(options.folder)
        if options.cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.cert)

    def serve(self):
        listener = socket.create_server((self.options.bind, self.options.port), backlog=128)
        port = listener.getsockname()[1]
        with open(os.path.join(self.options.folder, "port.new"), "w", encoding="ascii") as file:
            file.write(f"{port}\n")
        os.rename(file.name, os.path.join(self.options.folder, "port"))
        print(f"ready {port}", flush=True)
        number = 0
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number += 1
            threading.Thread(target=Session(self, number, sock).run, daemon=True).start()


def make_cert(folder):
    """DIR/cert.pem: a key and a certificate that nobody signed, for the names tests use."""
    path = os.path.join(folder, "cert.pem")
    names = "subjectAltName=DNS:localhost,DNS:relay.test,IP:127.0.0.1"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=relay.test", "-addext", names, "-keyout", path, "-out", path + ".crt"],
        check=True, stderr=subprocess.DEVNULL)
    with open(path, "a", encoding="ascii") as both, open(path + ".crt", encoding="ascii") as crt:
        both.write(crt.read())
    return path


def end_with_stdin():
    while sys.stdin.buffer.raw.read(512):
        pass
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--raw", action="store_true", help="write connection-N files")
    parser.add_argument("--cert", help="PEM with key and certificate: offer STARTTLS")
    parser.add_argument("--make-cert", action="store_true", help="make one in DIR and use it")
    parser.add_argument("--tls", action="store_true", help="TLS from the first octet (smtps)")
    parser.add_argument("--no-pipelining", dest="pipelining", action="store_false",
                        help="do not offer it")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="refuse mail without this login")
    server = Server(parser.parse_args())
    threading.Thread(target=end_with_stdin, daemon=True).start()
    server.serve()


if __name__ == "__main__":
    main()
