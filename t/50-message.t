# 50-message.t - composed mails, read back by Python's strict e-mail parser.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Encode qw(decode encode);
use File::Temp ();
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use JSON::PP ();
use Test::More;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $mail = "$Bin/../" . ($ENV{HS_BUILD} // 'build/release') . '/unit/mail';
my $templates = "$Bin/../templates";
my $folder = File::Temp->newdir('helpsupport-XXXXXX', TMPDIR => 1);

sub put_file {
    my ($name, $octets) = @_;
    open my $out, '>:raw', "$folder/$name" or die "$folder/$name: $!\n";
    print {$out} $octets;
    close $out or die "$folder/$name: $!\n";
    return "$folder/$name";
}

# The arguments of the program, in UTF-8; parts of a mail go through files.
sub arguments {
    my %value = @_;
    for my $part (grep { defined $value{$_} } qw(text html)) {
        $value{$part} = '@' . put_file($part, encode('UTF-8', $value{$part}));
    }
    return map { encode('UTF-8', "$_=$value{$_}") } sort keys %value;
}

# Run the program; returns the mail's octets, or undef and what it said.
sub make_mail {
    my ($status, $out, $err) = command($mail, @_);
    return $status ? (undef, $err) : ($out, '');
}

sub read_mail {
    my ($octets) = @_;
    my $file = put_file('mail', $octets);
    my ($status, $out, $err) = command('sh', '-c', 'exec python3 "$1" <"$2"', 'sh',
        "$Bin/lib/read-mail.py", $file);
    die "read-mail.py: $err" if $status;
    return JSON::PP->new->utf8->decode($out);
}

# What holds for every mail, whatever is in it.
sub is_sound {
    my ($read, $name) = @_;
    is_deeply $read->{defects}, [], "$name: no defects";
    is $read->{type}, 'multipart/alternative', "$name: multipart/alternative";
    is_deeply $read->{types}, ['text/plain', 'text/html'], "$name: text first";
    ok $read->{is_seven_bit}, "$name: 7-bit";
    ok !$read->{has_bare_break}, "$name: no bare CR or LF";
    ok !$read->{has_dot_line}, "$name: no line begins with a dot";
    ok $read->{ends_in_crlf}, "$name: ends in CR LF";
}

sub header {
    my ($read, $name) = @_;
    return join '|', map { $_->[1] } grep { lc $_->[0] eq lc $name } @{$read->{headers}};
}

# Compose, read back, and compare what can be compared.
sub check {
    my ($name, %value) = @_;
    %value = (subject => 'Subject', text => "Text\n", html => "<p>HTML</p>\n",
        to => 'jane@example.com', %value);
    subtest $name => sub {
        my ($octets, $error) = make_mail('compose', arguments(%value));
        ok defined $octets, 'composed' or return diag $error;
        my $read = read_mail($octets);
        is_sound($read, 'mail');
        cmp_ok $read->{longest_line}, '<=', 78, 'short lines' unless length $value{to} > 70;
        is header($read, 'Subject'), $value{subject}, 'subject';
        is_deeply $read->{to}, [['', $value{ascii_to} // $value{to}]], 'To, without a name';
        my @want = map { s/\r\n?/\n/gr } @value{qw(text html)};
        is $read->{bodies}[0], $want[0], 'text';
        is $read->{bodies}[1], $want[1], 'HTML';
        is_deeply [make_mail('compose', arguments(%value))], [$octets, ''], 'the same octets again';
    };
}

my @everything = map { chr } 9, 10, 32 .. 126, 160 .. 255, 0x20AC, 0x1F600;
check 'plain';
check 'every character', text => join('', @everything), html => join('', @everything);
check '200 emoji in the subject', subject => "\x{1F600}" x 200;
check '200 letters in the subject', subject => 'x' x 200;
check 'words in the subject', subject => join ' ', ('word') x 60;
check 'mixed subject', subject => join ' ', ('word', 'Wörter', '字') x 15;
check 'what reads as an encoded word', subject => '=?UTF-8?Q?a?=';
check 'a dot alone', text => ".\n.\n..\na.\n.", html => ".\n";
check 'equals signs', text => '=' x 500, html => "=\n=\n= \n=3D\n";
check 'From', text => "From here\n>From there\n", html => "From\n";
check 'blanks at line ends', text => "a \nb\t\n \n\t\n", html => "x  \n";
check 'line ends of all kinds', text => "a\r\nb\rc\nd", html => "\r\n\r\n";
check '10,000 characters on a line', text => 'x' x 10_000, html => "\x{1F600}" x 10_000;
check '10,000 words on a line', text => 'word ' x 10_000 . "\n", html => ' ' x 10_000 . "\n";
check 'bidi controls', text => "a\x{202E}b\x{2066}c\n", subject => "a\x{202E}b\x{2066}c";
check 'boundaries of its own', text => "--=_hs1confirmation0a1bexamplecom--\n" x 3;
check 'control characters', text => join('', map { chr } 1 .. 8, 11, 12, 14 .. 31, 127) . "\n";
check 'address of 254 octets',
    to => ('a' x 64) . '@' . join '.', 'b' x 63, 'c' x 63, 'd' x 57, 'com';
check 'names that need care', from => 'Desk & Co. (Help) <a@example.com>';

subtest 'senders' => sub {
    my %want = (
        'Help Desk <a@example.com>' => ['Help Desk', 'a@example.com'],
        '"Desk, \"Help\" \\\\" <a@example.com>' => ['Desk, "Help" \\', 'a@example.com'],
        'Hilfe für Sie <a@bücher.example>' => ['Hilfe für Sie', 'a@xn--bcher-kva.example'],
        ("\x{1F600}" x 50) . ' <a@example.com>' => ["\x{1F600}" x 50, 'a@example.com'],
        'a@example.com' => ['', 'a@example.com'],
    );
    for my $from (sort keys %want) {
        my ($octets, $error) = make_mail('compose', arguments(from => $from));
        my $read = read_mail($octets);
        is_sound($read, 'mail');
        # Python 3.11 leaves a space between the encoded words of a name (55-mail-checks.t reads
        # it with another parser).
        my ($name, $address) = @{$read->{from}[0]};
        $name =~ s/ //g if $from =~ /\x{1F600}/;
        is_deeply [$name, $address], $want{$from}, $from;
        cmp_ok $read->{longest_header}, '<=', 78, 'folded';
    }
};

subtest 'headers' => sub {
    my $read = read_mail((make_mail('compose', arguments(reply_to => 'Team <team@example.com>',
        date_us => 1751630400999999, message_id => 'hs.7.confirmation.ff@example.com')))[0]);
    is $read->{date}, '2025-07-04T12:00:00+00:00', 'Date';
    is header($read, 'Message-ID'), '<hs.7.confirmation.ff@example.com>', 'Message-ID';
    is header($read, 'Auto-Submitted'), 'auto-generated', 'Auto-Submitted';
    is header($read, 'X-Auto-Response-Suppress'), 'All', 'X-Auto-Response-Suppress';
    is header($read, 'MIME-Version'), '1.0', 'MIME-Version';
    is header($read, 'Reply-To'), 'Team <team@example.com>', 'Reply-To';
    is scalar @{$read->{headers}}, 10, 'and no others but From, To, Subject, Content-Type';
};

subtest 'what is refused' => sub {
    my @breaks = ("\r", "\n", "\r\nBcc: x\@example.com", "\r\n\r\nbody", "\x{85}", "\x01", "\x7F");
    for my $break (@breaks) {
        my $shown = $break =~ s/([^ -~])/sprintf '<%X>', ord $1/gre;
        my %value = (
            subject => "a$break", to => "jane\@example.com$break", from => "A$break <a\@example.com>",
            reply_to => "a\@example.com$break", message_id => "a\@b$break",
        );
        for my $header (sort keys %value) {
            my ($octets, $error) = make_mail('compose', arguments($header => $value{$header}));
            ok !defined $octets, "$shown in $header";
        }
    }
    for my $to ('', 'jane', 'a@x.example,b@y.example', 'Jane <a@x.example>', 'a b@x.example') {
        ok !defined((make_mail('compose', arguments(to => $to)))[0]), "no address: '$to'";
    }
};

# The templates as they are installed.
for my $language (qw(en de fr)) {
    subtest "confirmation in $language" => sub {
        my ($octets, $error) = make_mail('confirm', $templates, arguments(accept => "$language-XX",
            name => "Seán O'Neil", reply_to => 'help@example.com', url => 'https://example.com/',
            site => 'A & B <C>', number => 4711));
        ok defined $octets, 'rendered' or return diag $error;
        cmp_ok length $octets, '<', 20_000, 'less than 20 KB';
        my $read = read_mail($octets);
        is_sound($read, 'mail');
        like header($read, 'Subject'), qr/4711.*A & B <C>/, 'subject';
        my ($text, $html) = @{$read->{bodies}};
        like $_, qr/4711/, 'ticket number' for $text, $html;
        like $text, qr/Seán O'Neil/, 'name in the text';
        like $html, qr/Seán O&#39;Neil/, 'name in the HTML';
        like $html, qr/A &amp; B &lt;C&gt;/, 'site, escaped';
        like $html, qr/<html lang="$language" dir="ltr">/, 'language';
        unlike $text . $html, qr/\{\{|\}\}/, 'no braces are left';
        unlike $html, qr/<img|<script|background=|url\(|\@import/i, 'nothing is fetched';
        is scalar(() = $html =~ /href=/g), 1, 'one link';
        my ($bare) = make_mail('confirm', $templates, arguments(language => $language,
            name => 'visit http://evil.example now'));
        unlike read_mail($bare)->{bodies}[0], qr/evil/, 'a name that is none is left out';
    };
}

subtest 'a message that is repeated' => sub {
    my $message = "<script>alert(1)</script>\r\n.\n\x{202E}txt.exe\n" . ('=' x 300) . "\n"
        . "\x{1F600}" x 200 . "\nhttps://evil.example/x";
    my ($octets) = make_mail('confirm', $templates, arguments(message => $message));
    my $read = read_mail($octets);
    is_sound($read, 'mail');
    my ($text, $html) = @{$read->{bodies}};
    like $text, qr/^<script>alert\(1\)<\/script>\n\.\ntxt\. exe\n={300}\n\x{1F600}{200}\n/m, 'text';
    like $html, qr/&lt;script&gt;alert\(1\)&lt;\/script&gt;<br>\n\.<br>\n/, 'HTML';
    unlike "$text$html", qr/\x{202E}|:\/\/evil|evil\.example/, 'no override, no link';
};

done_testing;
