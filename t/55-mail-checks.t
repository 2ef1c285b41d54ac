# 55-mail-checks.t - the confirmation as others judge it: a second parser, an HTML checker,
# SpamAssassin, Chromium.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Encode qw(encode);
use File::Copy qw(copy);
use File::Path qw(make_path);
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use JSON::PP ();
use Test::More;

my $root = "$Bin/..";
my $mail = "$root/" . ($ENV{HS_BUILD} // 'build/release') . '/unit/mail';
my $node = "$root/build/mail";
my $preview = "$root/build/preview";
my $greatest_spam_score = 0.5;

# The versions are pinned by t/mail/package-lock.json. No package may run a script of its own.
sub install_node_modules {
    return 1 if -d "$node/node_modules/mailparser";
    make_path($node);
    copy("$Bin/mail/$_", "$node/$_") or die "$_: $!\n" for qw(package.json package-lock.json);
    my ($status, $out, $err) = command('npm', 'ci', '--prefix', $node, '--ignore-scripts',
        '--no-audit', '--no-fund', '--silent');
    diag $out, $err if $status;
    return !$status;
}

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

# Run a program with a file as its standard input.
sub with_input {
    my ($file, @words) = @_;
    return command('sh', '-c', 'file=$1; shift; exec "$@" <"$file"', 'sh', $file, @words);
}

sub run_node {
    my ($script, $input, @words) = @_;
    local $ENV{NODE_PATH} = "$node/node_modules";
    my ($status, $out, $err) = with_input($input, 'node', "$Bin/mail/$script", @words);
    return ($status, $out, $err);
}

sub parse {
    my ($status, $out, $err) = run_node('parse.cjs', $_[0]);
    die "parse.cjs: $err" if $status;
    return JSON::PP->new->utf8->decode($out);
}

ok install_node_modules(), 'the checkers are installed' or BAIL_OUT('npm ci failed: no network?');
my ($status, $out, $err) = command("$Bin/preview.sh");
is $status, 0, 'preview' or diag $err;
my @pages = split /\n/, $out;
is scalar @pages, 9, 'three languages, three mails each';

subtest 'mailparser' => sub {
    for my $name (map { s/\.html$//r } @pages) {
        my $read = parse("$root/$name.eml");
        is encode('UTF-8', $read->{html} =~ s/\r\n/\n/gr), slurp("$root/$name.html"), $name;
        like $read->{subject}, qr/4711/, 'subject';
        like $read->{text}, qr/4711/, 'text';
        is $read->{date}, '2025-07-04T12:00:00.000Z', 'date';
        is_deeply $read->{to}, [{address => 'jane@example.com', name => ''}], 'To';
        is $read->{attachments}, 0, 'nothing attached';
    }
};

subtest 'a long name of the sender and a long subject' => sub {
    my ($name, $subject) = ("\x{1F600}" x 50, "Ünï çødé 字 \x{1F600} " x 12 . 'end');
    my $file = "$preview/long.eml";
    open my $eml, '>:raw', $file or die "$file: $!\n";
    print {$eml} (command($mail, 'compose', encode('UTF-8', "from=$name <a\@example.com>"),
        encode('UTF-8', "subject=$subject")))[1];
    close $eml or die "$file: $!\n";
    my $read = parse($file);
    is $read->{from}[0]{name}, $name, 'name';
    is $read->{subject}, $subject, 'subject';
};

# Mail programs want inline styles, and classic Outlook its conditional comments.
subtest 'html-validate' => sub {
    my ($status, $out, $err) = command("$node/node_modules/.bin/html-validate",
        '--rule', 'no-inline-style:off', '--rule', 'no-conditional-comment:off',
        map { "$root/$_" } @pages);
    is $status, 0, 'no complaint' or diag $out, $err;
};

# Only its own rules (-L): no network. A home of its own, so that nothing is learned or kept.
subtest 'SpamAssassin' => sub {
    make_path("$root/build/spamassassin");
    for my $name (map { s/\.html$//r } @pages) {
        local $ENV{HOME} = "$root/build/spamassassin";
        my ($status, $out, $err) = with_input("$root/$name.eml", 'spamassassin', '-L', '-t');
        my ($score) = $out =~ /^Content analysis details:\s+\((-?[\d.]+) points/m;
        ok defined $score && $score <= $greatest_spam_score, "$name: " . ($score // 'no score')
            or diag $out =~ s/.*(?=^Content analysis)//msr, $err;
    }
};

subtest 'Chromium' => sub {
    my ($status, $out, $err) = run_node('look.cjs', '/dev/null', $preview, map { "$root/$_" } @pages);
    is $status, 0, 'looked at' or diag $err;
    is $out, '', 'no wide page, no low contrast, no request';
    is scalar(() = glob "$preview/*.png"), 4 * @pages, 'screenshots in build/preview';
};

done_testing;
