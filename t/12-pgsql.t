# 12-pgsql.t - the tests of the store, the API and the mail again, on PostgreSQL.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HSReplay;

HSReplay::on('pgsql');
