# 12-servers.t - the unit tests of the store again, on PostgreSQL and MariaDB.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use HSServer;
use Test::More;

my $build = $ENV{HS_BUILD} // 'build/release';

sub replay {
    my ($program) = @_;
    my ($status, $out, $err) = command($program);
    my ($count, $plan) = (0, -1);
    for my $line (split /\n/, $out) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            ok !$1, $2 =~ /\D/ ? $2 : "case $2";
            $count++;
        } elsif ($line =~ /^1\.\.(\d+)$/) {
            $plan = $1;
        } else {
            diag $line;
        }
    }
    is $plan, $count, 'as many as planned';
    is $status, 0, 'exit status';
    diag $err if $err ne '';
}

for my $driver (qw(pgsql mysql)) {
    subtest $driver => sub {
        plan skip_all => "no $driver server is installed" unless HSServer->is_installed($driver);
        local $ENV{HS_TEST_DB} = "$driver " . HSServer->get($driver)->{params};
        for my $name (qw(db_server store store_list store_token outbox)) {
            subtest $name => sub { replay("$Bin/../$build/unit/test_$name") };
        }
    };
}

done_testing;
