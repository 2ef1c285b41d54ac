# 12-mysql.t - the tests of the store, the API and the mail again, on MariaDB.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HSReplay;

HSReplay::on('mysql');
