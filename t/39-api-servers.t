# 39-api-servers.t - the tests of the API once more, on PostgreSQL and MariaDB.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use HSServer;
use Test::More;

sub replay {
    my ($file) = @_;
    my ($status, $out, $err) = command($^X, $file);
    for my $line (split /\n/, $out) {
        ok !$1, $2 if $line =~ /^(not )?ok \d+(?: - )?(.*)/;
    }
    is $status, 0, 'exit status';
    diag $err if $status;
}

for my $driver (grep { !$ENV{HS_DB} || $_ eq $ENV{HS_DB} } qw(pgsql mysql)) {
    subtest $driver => sub {
        plan skip_all => "no $driver server is installed" unless HSServer->is_installed($driver);
        local $ENV{HS_DB} = $driver;
        local $ENV{'HS_' . uc $driver} = HSServer->get($driver)->{params};
        for my $name (qw(30-submit 31-read 32-list 33-status 34-errors)) {
            subtest $name => sub { replay("$Bin/$name.t") };
        }
    };
}

done_testing;
