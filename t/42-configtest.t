# 42-configtest.t - what `apachectl configtest` refuses, in which words, and what it accepts.
# SPDX-License-Identifier: Apache-2.0
#
# Each wrong configuration must be refused with its own file and line, before httpd starts.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS;
use Test::More;

my $hs = HS->prepare(modules => [qw(alias authz_user macro proxy setenvif)]);

# Test a configuration with more lines for the server or the Location, with another "driver params",
# or another path in place of /help-support.
sub configtest {
    my (%part) = @_;
    local @$hs{qw(server location access db)} = (@part{qw(server location access)},
        $part{db} // $hs->{db});
    $hs->write_config;
    if (defined $part{path}) {
        my $config = HS::slurp($hs->{config});
        $config =~ s{<Location "/help-support">}{<Location $part{path}>};
        open my $out, '>', $hs->{config} or die "$hs->{config}: $!\n";
        print $out $config;
        close $out or die "$hs->{config}: $!\n";
    }
    return $hs->configtest;
}

# The line of the configuration that begins like this.
sub line_of {
    my ($start) = @_;
    my @lines = split /\n/, HS::slurp($hs->{config});
    my ($number) = grep { $lines[$_ - 1] =~ /^\Q$start\E(?!\w)/ } 1 .. @lines;
    return $number // die "no line begins with $start\n";
}

# Refused: in these words, and with the line that begins like $start.
sub is_refused {
    my ($name, $parts, $words, $start) = @_;
    my ($status, $said) = configtest(%$parts);
    isnt $status, 0, "$name is refused";
    like $said, $words, 'in clear words';
    my $line = line_of($start);
    like $said, qr/line $line of \Q$hs->{config}\E:|\Q$hs->{config}\E line $line:/, "at line $line";
}

# Values of one directive: each refused in these words. The part is "server" or "location".
sub are_refused {
    my ($part, $directive, $words, @values) = @_;
    is_refused("$directive $_", {$part => "$directive $_\n"}, $words, $directive) for @values;
}

sub is_accepted {
    my ($name, %part) = @_;
    my ($status, $said) = configtest(%part);
    is $status, 0, "$name is accepted" or diag $said;
}

# HelpSupport On in sections that are opened like this.
sub place {
    my (@opened) = @_;
    my @closed = map { /^<(\w+)/ ? "</$1>" : () } reverse @opened;
    return {server => join "\n", @opened, 'HelpSupport On', @closed, ''};
}

subtest 'where HelpSupport On may not stand' => sub {
    my $words = qr{HelpSupport\ (?:not\ allowed\ (?:here|in\ <VirtualHost>)
        |cannot\ occur\ within\ <
        |On\ is\ allowed\ in\ <Location\ "/literal/path">\ only)}x;
    is_refused("in @$_", place(@$_), $words, 'HelpSupport On') for
        [],
        ['<VirtualHost 127.0.0.1:1>'],
        ['<LocationMatch "^/desk$">'],
        ['<Location ~ "^/desk$">'],
        ['<Location ~ /desk>'],
        ['<Location "/desk*">'],
        ['<Location "/des?">'],
        ['<Location "/[d]esk">'],
        ['<Location "/des]k">'],
        ['<Location "desk">'],
        ['<Location "http://example.com/desk">'],
        ['<Directory "/desk">'],
        ['<Directory ~ "/desk">'],
        ['<DirectoryMatch "/desk">'],
        ['<Files "desk">'],
        ['<FilesMatch "desk">'],
        ['<Proxy "http://desk/">'],
        ['<ProxyMatch "desk">'],
        ['<If "true">'],
        ['<Location "/desk">', '<If "true">'],
        ['<Location "/desk">', '<Limit GET>'],
        ['<Location "/desk">', '<LimitExcept GET>'],
        ['<VirtualHost 127.0.0.1:1>', '<LocationMatch "/desk">'];
    is_refused('a trailing slash', place('<Location "/desk/">'),
        qr/the path of its <Location> must not end in a slash/, 'HelpSupport On');
};

subtest 'one such Location inside another' => sub {
    my $inside = qr/HelpSupport On inside another such Location, \Q$hs->{config}\E line \d+/;
    is_refused("$_ in /help-support", place(qq(<Location "$_">)), $inside, 'HelpSupport On')
        for '/help-support/desk', '/help-support/a/b';
    is_refused('/desk in /', {%{place('<Location "/desk">')}, path => '"/"'}, $inside,
        'HelpSupport On');
    is_refused("a virtual host's in the main server's",
        place('<VirtualHost 127.0.0.1:1>', '<Location "/help-support/desk">'), $inside,
        'HelpSupport On');
    is_accepted('a neighbour', %{place('<Location "/help-support-2">')});
    is_accepted('a second section for the same place', %{place('<Location "/help-support">')});
    is_accepted('HelpSupport Off within',
        server => qq(<Location "/help-support/x">\nHelpSupport Off\n</Location>\n));
};

subtest 'the database' => sub {
    is_refused('no HelpSupportDB', {%{place('<Location "/desk">')}, db => ''},
        qr/HelpSupport On needs a HelpSupportDB in its server/, 'HelpSupport On');
    my $unknown = qr/HelpSupportDB: .*nonesuch/;
    is_refused('an unknown driver', {db => "nonesuch x"}, $unknown, 'HelpSupportDB');
    are_refused(server => 'HelpSupportDB', qr/HelpSupportDB takes two arguments/, '', 'sqlite3',
        'sqlite3 a b');
    is_refused('HelpSupportDB in a Location',
        {server => qq(<Location "/desk">\nHelpSupportDB sqlite3 x\n</Location>\n)},
        qr/HelpSupportDB not allowed in <Location> context/, 'HelpSupportDB');
    are_refused(server => 'HelpSupportDBPool', qr/the number of connections must be 1 to 1000/,
        0, -1, 1001, 'x', '8x', '99999999999999999999', '8.5');
    are_refused(server => 'HelpSupportDBPool', qr/the time-out must be 10ms to 300s/,
        '8 0', '8 9ms', '8 301s', '8 -1s', '8 x', '8 5y', '8 1h', '8 99999999999999999999s');
    are_refused(server => 'HelpSupportDBPool', qr/HelpSupportDBPool takes 1-2 arguments/,
        '', '8 5s 5s');
    are_refused(server => 'HelpSupportDBPrepare', qr/HelpSupportDBPrepare must be On or Off/,
        'maybe');
    is_accepted("HelpSupportDBPool $_", server => "HelpSupportDBPool $_\n")
        for 1, 1000, '8 10ms', '8 300', '8 5s', '8 5min';
    is_accepted("HelpSupportDBPrepare $_", server => "HelpSupportDBPrepare $_\n") for qw(On off);
};

subtest 'values of a Location' => sub {
    are_refused(location => 'HelpSupport', qr/HelpSupport must be On or Off/, 'maybe');
    are_refused(location => 'HelpSupportMaxBody', qr/must be a number of bytes, 1 to 67108864/,
        0, -1, 67108865, '1k', 'x', '99999999999999999999', '0x10');
    are_refused(location => 'HelpSupportMaxBody', qr/HelpSupportMaxBody takes one argument/, '',
        '1 2');
    are_refused(location => 'HelpSupportAllowOrigin',
        qr/HelpSupportAllowOrigin: '.*' must be \* or an origin as browsers send it/,
        'example.com', 'https://', '://x', 'null', 'https://a.example/', 'https://a.example/x',
        'https://*.example', 'https://u@a.example', '* example.com', '"https://a.example b"');
    are_refused(location => 'HelpSupportAllowOrigin', qr/requires at least one argument/, '');
    are_refused(location => 'HelpSupportSubmitLimit',
        qr/HelpSupportSubmitLimit must be requests\/period, such as 600\/h or 10\/5m, or off/,
        'x', '600', '/h', '600/', '0/h', '-1/h', '600/x', '600/0h', '600/-5m', '600/h/h',
        '99999999999999999999/h', 'off 5');
    are_refused(location => 'HelpSupportSubmitLimit', qr/the burst must be 1 to 1000000/,
        '600/h 0', '600/h -1', '600/h x', '600/h 1000001');
    are_refused(server => $_, qr/$_ not allowed here/, 1)
        for qw(HelpSupportMaxBody HelpSupportAllowOrigin HelpSupportSubmitLimit);
    is_accepted($_, location => "$_\n") for 'HelpSupportMaxBody 1', 'HelpSupportMaxBody 67108864',
        'HelpSupportAllowOrigin *',
        'HelpSupportAllowOrigin https://a.example http://b.example:8080',
        'HelpSupportAllowOrigin https://[2001:db8::1]:8443',
        'HelpSupportSubmitLimit off', 'HelpSupportSubmitLimit 600/h',
        'HelpSupportSubmitLimit 10/5m 3', 'HelpSupportSubmitLimit 1/s 1',
        'HelpSupportSubmitLimit 9/d';
};

subtest 'mail' => sub {
    are_refused(server => 'HelpSupportMail', qr/HelpSupportMail must be On or Off/, 'maybe');
    are_refused(server => 'HelpSupportMailServer', qr/HelpSupportMailServer: ./, 'mail.example',
        'http://mail.example', 'smtp://', 'smtp://mail.example:0', 'smtp://mail.example:65536',
        'smtp://mail.example:x', 'smtp://u:p@mail.example', 'smtp://mail.example?tls=maybe');
    are_refused(server => "HelpSupportMail$_", qr/HelpSupportMail$_: ./, 'support', '@example.com',
        'support@', '"Desk <support@example.com"', '"a@example.com, b@example.com"')
        for qw(From ReplyTo);
    are_refused(server => 'HelpSupportMailBounce',
        qr/HelpSupportMailBounce must be one e-mail address or <>/, 'bounce', '"<a@example.com>"');
    are_refused(server => 'HelpSupportMailConnections',
        qr/HelpSupportMailConnections must be 1 to 64/, 0, -1, 65, 'x', '4x');
    is_refused('HelpSupportMailConnections in a virtual host', {server =>
        "<VirtualHost 127.0.0.1:1>\nHelpSupportMailConnections 4\n</VirtualHost>\n"},
        qr/HelpSupportMailConnections cannot occur within <VirtualHost> section/,
        'HelpSupportMailConnections');
    are_refused(server => 'HelpSupportMailMaxAge', qr/must be a time of a minute or more/, 0, '59s',
        '-1h', 'x', '48x');
    are_refused(server => 'HelpSupportMailLimit', qr/HelpSupportMailLimit:? ./, 'recipient', 'site',
        'person 5/h', 'off', 'recipient 5/h off', 'recipient off 5/h');
    are_refused(server => 'HelpSupportMailLimit', qr/must be n\/period, such as 20\/h/,
        'recipient 5', 'recipient 5/5m 20', 'domain x/h', 'site 0/h', 'site 5/x');
    are_refused(server => 'HelpSupportMailEcho', qr/HelpSupportMailEcho must be none or message/,
        'all', 'on');
    are_refused(server => 'HelpSupportSite', qr/the url must be an http or https URL/,
        '"Desk" desk.example', '"Desk" javascript:alert(1)', '"Desk" ftp://desk.example/');
    my ($status, $said) = configtest(server => "HelpSupportMailServer smtp://127.0.0.1\n");
    isnt $status, 0, 'a server without a From is refused';
    like $said, qr/HelpSupportMailFrom/, 'in clear words';
    is_accepted($_, server => "$_\n") for 'HelpSupportSite "Our desk" https://desk.example/',
        'HelpSupportSite Desk', 'HelpSupportMail Off', 'HelpSupportMailBounce <>',
        'HelpSupportMailBounce bounce@example.com', 'HelpSupportMailConnections 64',
        'HelpSupportMailMaxAge 48h', 'HelpSupportMailLimit recipient 5/5m 20/h 50/d',
        'HelpSupportMailLimit domain off', 'HelpSupportMailEcho message';
};

subtest 'Require help-support' => sub {
    my $words = qr/Require help-support: '.*' is none of submit, read, write, or written twice/;
    are_refused(location => 'Require', $words, map { "help-support $_" }
        'reed', 'submit read wrote', 'read read', 'all', 'submit,read', '"" submit');
    is_accepted("Require help-support $_", access => "AuthType Bearer\nRequire help-support $_\n")
        for '', 'submit', 'read write', 'SUBMIT Read WRITE', '"read"';
};

subtest 'Mutex' => sub {
    for my $line ('Mutex posixsem', 'Mutex posixsem helpsupport') {
        my ($status, $said) = configtest(server => "$line\n");
        isnt $status, 0, "$line is refused";
        like $said, qr/Mutex posixsem can't be used: it stays locked when a process is killed/;
    }
    is_accepted("Mutex $_ helpsupport", server => "Mutex $_ helpsupport\n")
        for qw(pthread sysvsem), "fcntl:$hs->{root}/logs", "file:$hs->{root}/logs";
};

subtest 'a Location as administrators write it' => sub {
    is_accepted('the plain one');
    is_accepted('"/"', path => '"/"');
    is_accepted('without quotes', path => '/desk');
    is_accepted('several segments', path => '"/a/b/desk"');
    is_accepted('a name that is no ASCII', path => '"/Höflich nett"');
    is_accepted('within IfModule', %{place('<IfModule helpsupport_module>', '<Location "/desk">')});
    is_accepted('around IfModule', %{place('<Location "/desk">', '<IfModule helpsupport_module>')});
    is_accepted('in a macro', server => <<'END');
<Macro Desk $path>
<Location "$path">
HelpSupport On
AuthType Bearer
Require help-support
</Location>
</Macro>
Use Desk /desk
END
    is_accepted('in a virtual host',
        %{place('<VirtualHost 127.0.0.1:1>', '<Location "/desk">')});
    is_accepted('with a database of its own', server => <<"END");
<VirtualHost 127.0.0.1:1>
HelpSupportDB sqlite3 "$hs->{root}/data/other.db"
<Location "/desk">
HelpSupport On
</Location>
</VirtualHost>
END
};

done_testing;
