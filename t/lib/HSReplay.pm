package HSReplay;    # other tests' programs again, on a server
# SPDX-License-Identifier: Apache-2.0
#
#   HSReplay::on('pgsql');
#
# `make check` replays each test of the store, the API and the mail in its short form; HS_LONG
# (`make check-long`) the long forms of those in which processes and servers die or are replaced.
use strict;
use warnings;
use Cwd qw(abs_path);
use HS qw(command);
use HSServer;
use Test::More;

my $T = abs_path(__FILE__) =~ s{/lib/HSReplay\.pm$}{}r;
my $BUILD = "$T/../" . ($ENV{HS_BUILD} // 'build/release');

# Not test_db and test_store_plans: they are about SQLite's own faults and plans. Not
# test_courier_stop: it locks a file; 65-mail-crash kills couriers here.
my @UNITS = qw(db_server store store_list store_index store_search store_token outbox courier);

# Not 42, 43, 50, 55: no database is asked there. Not 61: SQLite's own; a server's own are in
# 64-pgsql and 65-pgbouncer. Not 70, 80, 81: they measure, or call what calls the same again.
my @TESTS = qw(20-ctl 23-search 30-submit 31-read 32-list 33-status 34-errors 35-cors 36-http 37-hosts 38-mpm
    40-access 41-attacks 60-crash 62-restart 63-mail 64-mail-relay 65-mail-crash);
my @LONG = qw(23-search 60-crash 62-restart 65-mail-crash 66-mail-process);

# Each of its lines becomes a test here, so that a failure is named in the summary.
sub replay {
    my ($status, $out, $err) = command(@_);
    my ($count, $plan) = (0, -1);
    for my $line (split /\n/, $out) {
        if ($line =~ /^(not )?ok \d+(?: - )?(.*)/) {
            my ($failed, $name) = ($1, $2);
            ok !$failed, $name =~ /\D/ ? $name : "case $name";    # Test::More warns of bare numbers
            $count++;
        } elsif ($line =~ /^1\.\.(\d+)/) {
            $plan = $1;
        } elsif ($status && $line =~ /\S/) {
            diag $line;
        }
    }
    is $plan, $count, 'as many as planned';
    is $status, 0, 'exit status';
    diag $err if $err ne '';
}

sub on {
    my ($driver) = @_;
    plan skip_all => "no $driver server is installed" unless HSServer->is_installed($driver);
    my $params = HSServer->get($driver)->{params};
    local $ENV{HS_DB} = $driver;
    local $ENV{'HS_' . uc $driver} = $params;
    local $ENV{HS_TEST_DB} = "$driver $params";
    for my $name ($ENV{HS_LONG} ? () : @UNITS) {
        subtest $name => sub { replay("$BUILD/unit/test_$name") };
    }
    for my $name ($ENV{HS_LONG} ? @LONG : @TESTS) {
        subtest $name => sub { replay($^X, "$T/$name.t") };
    }
    done_testing;
}

1;
