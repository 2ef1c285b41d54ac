// parse.cjs - prints what mailparser reads from the mail on stdin as JSON.
// SPDX-License-Identifier: Apache-2.0
const { simpleParser } = require('mailparser');

simpleParser(process.stdin, { skipHtmlToText: true, skipTextToHtml: true }).then((mail) => {
  process.stdout.write(JSON.stringify({
    from: mail.from.value,
    to: mail.to.value,
    subject: mail.subject,
    date: mail.date.toISOString(),
    id: mail.messageId,
    text: mail.text,
    html: mail.html,
    attachments: mail.attachments.length,
  }));
});
