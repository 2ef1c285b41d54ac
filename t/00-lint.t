# 00-lint.t - the sources are as the checkers want them: `make lint`, which is silent when they are.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command);
use Test::More;

my ($status, $out, $err) = command('make', '-s', '-C', "$Bin/..", 'lint');
is $status, 0, 'make lint finds nothing';
is $out . $err, '', 'and says nothing';

done_testing;
