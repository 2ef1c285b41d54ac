# 15-fuzz.t - replays what the fuzz targets once found; `make fuzz` searches for more.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use Test::More;

my $build = $ENV{HS_BUILD} // 'build/release';
my @sources = glob "$Bin/fuzz/fuzz_*.c";
ok scalar @sources, 'there are fuzz targets';

for my $source (@sources) {
    my ($name) = $source =~ m{fuzz_(\w+)\.c$};
    my ($status, $out, $err) =
        command("$Bin/../$build/fuzz/fuzz_$name", "$Bin/fuzz/corpus/$name");
    is $status, 0, "fuzz_$name" or diag $out, $err;
    like $out, qr/[1-9]\d* inputs/, 'it had inputs';
}

done_testing;
