# 10-unit.t - runs the unit tests of the core and the adapters, each program a subtest.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HSReplay;
use Test::More;

my $build = $ENV{HS_BUILD} // 'build/release';
# Those of servers are in 12-pgsql.t and 12-mysql.t.
my @sources = grep { !/_server\.c$/ } glob "$Bin/unit/test_*.c";
ok scalar @sources, 'there are unit tests';

for my $source (@sources) {
    my ($name) = $source =~ m{(test_\w+)\.c$};
    subtest $name => sub { HSReplay::replay("$Bin/../$build/unit/$name") };
}

done_testing;
