# 05-docs.t - README, man page and program name the same things.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use Test::More;

my $root = "$Bin/..";

sub slurp {
    my ($path) = @_;
    open my $in, '<', "$root/$path" or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

my $readme = slurp('README.md');

# What the interface promises, written by hand: default and where it may stand.
my %promised = (
    HelpSupport => ['`off`', 'location'],
    HelpSupportDB => ['–', 'server, vhost'],
    HelpSupportDBPool => ['`8 5s`, prefork `1 5s`', 'server, vhost'],
    HelpSupportDBPrepare => ['`on`', 'server, vhost'],
    HelpSupportMaxBody => ['`131072`', 'location'],
    HelpSupportAllowOrigin => ['none', 'location'],
    HelpSupportSubmitLimit => ['`600/h 100`', 'location'],
    HelpSupportSite => ['ServerName', 'server, vhost'],
    HelpSupportMail => ['`on` if a server is set', 'server, vhost'],
    HelpSupportMailServer => ['–', 'server, vhost'],
    HelpSupportMailLogin => ['–', 'server, vhost'],
    HelpSupportMailFrom => ['required with a server', 'server, vhost'],
    HelpSupportMailReplyTo => ['–', 'server, vhost'],
    HelpSupportMailBounce => ['`<>`', 'server, vhost'],
    HelpSupportMailConnections => ['`4`', 'server'],
    HelpSupportMailMaxAge => ['`48h`', 'server, vhost'],
    HelpSupportMailLimit => ['recipient `5/5m 20/h 50/d`, domain `off`, site `10000/h`',
        'server, vhost'],
    HelpSupportMailEcho => ['`none`', 'server, vhost'],
    HelpSupportTemplates => ['installed ones', 'server, vhost'],
);

subtest 'directives' => sub {
    my %known;    # name => where the program accepts it
    my $source = slurp('mod_helpsupport/hs_directives.c');
    while ($source =~ /AP_INIT_\w+\(\s*"(\w+)",\s*\w+,\s*\w+,\s*(\w+),/g) {
        $known{$1} = $2 eq 'ACCESS_CONF' ? 'location' : $2 eq 'RSRC_CONF' ? 'server' : $2;
    }
    my ($section) = $readme =~ /^## Directives\n(.*?)^## /ms;
    my %row;
    for my $line (grep { /^\| `/ } split /\n/, $section) {
        my (undef, $names, $default, $context) = split /(?<!\\)\|/, $line;
        s/^\s+|\s+$//g for $default, $context;
        for my $name ($names =~ /`(HelpSupport\w*)/g) {
            ok !$row{$name}, "$name has one row";
            $row{$name} = [$default, $context];
        }
    }
    is_deeply [sort keys %row], [sort keys %known], 'README has those that the module knows';
    is_deeply [sort keys %known], [sort keys %promised], 'which are those that were promised';
    is_deeply $row{$_}, $promised{$_}, "$_: default and context" for sort keys %promised;
    for my $name (sort keys %promised) {
        my ($first) = $promised{$name}[1] =~ /^(\w+)/;
        is $known{$name}, $first, "$name: where it may stand";
    }
};

subtest 'make targets' => sub {
    my ($phony) = slurp('Makefile') =~ /^\.PHONY: (.*)$/m;
    my %target = map { $_ => 1 } split ' ', $phony;
    my ($section) = $readme =~ /^\| make target .*?\n((?:\|.*\n)+)/m;
    for my $row (split /\n/, $section) {
        ok $target{$_}, "make $_ is one" for (split /\|/, $row)[1] =~ /`([\w-]+)`/g;
    }
};

subtest 'helpsupportctl' => sub {
    my $page = slurp('mod_helpsupport/helpsupportctl.8');
    my ($text) = $page =~ s/\\-/-/gr;
    while ($readme =~ /^helpsupportctl (\w+ \w+)/mg) {
        my ($object, $verb) = split / /, $1;
        like $text, qr/\b$object\b.*\b$verb\b/, "the man page has $object $verb";
    }
    my $ctl = "$root/" . ($ENV{HS_BUILD} // 'build') . '/helpsupportctl';
    my ($status, $help) = command($ctl, '--help');
    is $status, 0;
    for my $option ($help =~ /(--\w+)/g) {
        like $text, qr/\Q$option\E\b|Fl -?\Q@{[substr $option, 2]}\E\b/,
            "the man page has $option";
    }
};

subtest 'man page' => sub {
    plan skip_all => 'needs mandoc' if command('sh', '-c', 'command -v mandoc');
    my ($status, $out, $err) = command('mandoc', '-Tlint', '-Wwarning',
        "$root/mod_helpsupport/helpsupportctl.8");
    is $status, 0, 'mandoc has nothing against it';
    is $out . $err, '';
};

subtest 'links and paths' => sub {
    for my $path ($readme =~ m{`((?:sql|t|templates|mod_helpsupport)/[\w./-]*)`}g) {
        ok -e "$root/$path", "$path is there";
    }
};

done_testing;
