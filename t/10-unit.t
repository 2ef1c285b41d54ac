# 10-unit.t - runs the unit tests of the core and the adapters, each program a subtest.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use Test::More;

my $build = $ENV{HS_BUILD} // 'build/release';
# Those of servers are in 12-servers.t.
my @sources = grep { !/_server\.c$/ } glob "$Bin/unit/test_*.c";
ok scalar @sources, 'there are unit tests';

# Each line of the program's TAP becomes a test here, so that a failure is named in the summary.
sub replay {
    my ($program) = @_;
    my ($status, $out, $err) = command($program);
    my ($count, $plan) = (0, -1);
    for my $line (split /\n/, $out) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            my ($failed, $name) = ($1, $2);
            ok !$failed, $name =~ /\D/ ? $name : "case $name";    # Test::More warns of bare numbers
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

for my $source (@sources) {
    my ($name) = $source =~ m{(test_\w+)\.c$};
    subtest $name => sub { replay("$Bin/../$build/unit/$name") };
}

done_testing;
