# 20-ctl.t - helpsupportctl: commands, streams, exit statuses, whose files it leaves.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp qw(tempdir);
use HS qw(command);
use HSServer;
use Test::More;

my $ctl = "$Bin/../" . ($ENV{HS_BUILD} // 'build') . '/helpsupportctl';
my $folder = tempdir(CLEANUP => 1);
my $file = "$folder/tickets.db";
my $secret = qr/^hst_[0-9A-Za-z]{38}\n\z/;
my $owner = $> == 0 ? (getpwnam 'www-data')[2] : $>;
chmod 0700, $folder;
chown $owner, -1, $folder;

my $is_sqlite = ($ENV{HS_DB} // 'sqlite3') eq 'sqlite3';
my $db = $is_sqlite ? "sqlite3 $file" : HSServer->get($ENV{HS_DB})->database;

sub ctl {
    local $ENV{HELPSUPPORT_DB} = $db;
    return command($ctl, @_);
}

subtest 'the command line' => sub {
    delete local $ENV{HELPSUPPORT_DB};
    my ($status, $out, $err) = command($ctl, '--version');
    is $status, 0;
    like $out, qr/^helpsupportctl \d+\.\d+\.\d+\n\z/;
    ($status, $out, $err) = command($ctl, '--help');
    is $status, 0;
    like $out, qr/token create NAME/;
    is $err, '';

    my @wrong = (
        [], ['token'], ['token', 'eat'], ['db', 'init'], ['-x', 'db', 'init'],
        ['-d', 'sqlite3', 'db', 'init'], ['db', 'init', '-d', 'sqlite3'], ['db', 'init', '-d'],
        ['-d', 'sqlite3', '-p', $file, 'db', 'init', 'now'],
    );
    for my $words (@wrong) {
        ($status, $out, $err) = command($ctl, @$words);
        is $status, 2, "status 2: helpsupportctl @$words";
        is $out, '', 'nothing on stdout';
        isnt $err, '', 'words on stderr';
    }
    for my $database ('sqlite3', 'sqlite3 ', ' x') {
        local $ENV{HELPSUPPORT_DB} = $database;
        is((command($ctl, 'db', 'check'))[0], 2, "status 2: HELPSUPPORT_DB='$database'");
    }
    ok !-e $file, 'a wrong command line makes no file';
};

subtest 'db' => sub {
    for my $time (1, 2) {
        my ($status, $out, $err) = ctl('db', 'init');
        is $status, 0, "db init, time $time" or diag $err;
        is $out, '';
    }
    my ($status, $out, $err) = ctl('db', 'check');
    is $status, 0, 'db check' or diag $err;
    my ($driver, $params) = split / /, $db, 2;
    for my $words (['-d', $driver, '-p', $params, 'db', 'check'],
        ['db', 'check', '-d', $driver, '-p', $params],
        ['db', 'check', '--params', $params, "--driver=$driver"]) {
        is((command($ctl, @$words))[0], 0, "helpsupportctl @$words");
    }
    if ($is_sqlite) {
        is((stat $_)[4], $owner, "$_ belongs to the folder's owner") for glob "$folder/tickets.db*";
        is((stat $file)[2] & 077, 0, 'nobody else reads it');
    }
    ($status, $out, $err) = command($ctl, '-d', 'sqlite3', '-p', "$folder/none/x.db", 'db', 'init');
    is $status, 3, 'no folder: status 3';
    isnt $err, '';
    ($status, $out, $err) = command($ctl, '-d', 'abacus', '-p', 'x', 'db', 'init');
    is $status, 1, 'an unknown driver: status 1';
};

subtest 'token create' => sub {
    my ($status, $out, $err) = ctl('token', 'create', 'ci');
    is $status, 0, 'made' or diag $err;
    like $out, $secret, 'the secret is alone on stdout';
    like $err, qr/"ci" may read and write.*never expires/s;
    chomp(my $first = $out);
    unlike $err, qr/\Q$first/, 'it is not on stderr, too';

    ($status, $out, $err) = ctl('token', 'create', 'ci');
    is $status, 1, 'the name is in use';
    is $out, '';
    isnt $err, '';

    ($status, $out, $err) = ctl('token', 'create', '--scope', 'read', 'reader', '--expires=90d');
    is $status, 0, 'options before and after the name' or diag $err;
    like $out, $secret;
    like $err, qr/"reader" may read; .* expires at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/s;

    my @wrong = (
        [], [''], ['a b'], ["a\n"], ['x' x 65], ['a', 'b'], ['a', '--scope'], ['a', '--scope=all'],
        ['a', '--expires', '0d'], ['a', '--expires', '90'], ['a', '--expires', 'd'],
        ['a', '--expires', '9y'], ['a', '--expires', '99999999999d'], ['a', '--expire', '1d'],
    );
    for my $words (@wrong) {
        ($status, $out) = ctl('token', 'create', @$words);
        is $status, 2, 'status 2: token create ' . join(' ', map { s/\n/\\n/r } @$words);
        is $out, '';
    }
    is((ctl('token', 'create', "J\x{c3}\x{bc}rgen"))[0], 0, 'a name in UTF-8');
    is((ctl('token', 'create', "J\x{fc}rgen"))[0], 2, 'no name in Latin-1');
    is((ctl('token', 'create', 'x' x 64))[0], 0, 'a name of 64 octets');
};

subtest 'token list, revoke and rotate' => sub {
    my ($status, $out, $err) = ctl('token', 'list');
    is $status, 0, 'list' or diag $err;
    unlike $out, qr/hst_/, 'it shows no secret';
    my $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
    like $out, qr/^[0-9a-f]{8}  usable   write  $time  -\s+-\s+ci$/m;
    like $out, qr/^[0-9a-f]{8}  usable   read   $time  $time  -\s+reader$/m;

    ($status, $out, $err) = ctl('token', 'rotate', 'ci', '--grace', '24h');
    is $status, 0, 'rotate' or diag $err;
    like $out, $secret;
    my @lines = (ctl('token', 'list'))[1] =~ /^(.* ci)$/mg;
    is scalar @lines, 2, 'two live secrets';
    is((scalar grep { /  usable   write  $time  $time  / } @lines), 1, 'the old one expires');

    is((ctl('token', 'rotate', 'ci'))[0], 2, 'rotate needs --grace');
    is((ctl('token', 'rotate', 'nobody', '--grace', '1h'))[0], 1, 'rotate: no such token');
    is((ctl('token', 'rotate', 'ci', '--grace', '0s'))[0], 0, 'a grace of nothing');
    is((scalar grep { /  expired  / } (ctl('token', 'list'))[1] =~ /^(.* ci)$/mg), 2,
        'what was usable is over at once, the one in its grace, too');

    is((ctl('token', 'revoke', 'ci'))[0], 0, 'revoke');
    is((scalar grep { /  usable  / } (ctl('token', 'list'))[1] =~ /^(.* ci)$/mg), 0,
        'none of that name is usable');
    is((ctl('token', 'revoke', 'ci'))[0], 1, 'revoke: none is left');
    is((ctl('token', 'create', 'ci'))[0], 0, 'the name is free again');
};

SKIP: {
    skip 'needs /dev/full', 4 unless -c '/dev/full';
    local $ENV{HELPSUPPORT_DB} = $db;
    my ($status, $out, $err) = command('sh', '-c', qq("$ctl" token create lost >/dev/full));
    is $status, 1, 'a secret that nobody got is a failure';
    like $err, qr/token revoke lost/, 'and stderr says what to do';
    ($status, $out, $err) =
        command('sh', '-c', qq("$ctl" token rotate lost --grace 24h >/dev/full));
    is $status, 1, 'so is the new one of a rotation';
    like $err, qr/token rotate lost/, 'which is repeated: the first secret stays good meanwhile';
}

done_testing;
