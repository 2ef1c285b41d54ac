# 13-plans.t - what a list reads does not grow with the desk: rows that PostgreSQL and MariaDB examine.
# SPDX-License-Identifier: Apache-2.0
# SQLite's plans are in unit/test_store_plans.c; times are in bench/lists.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(wait_until);
use HSSeed;
use HSServer;
use JSON::PP ();
use Test::More;

my $rows = 20_000;
my $sample = 1000;    # HS_STORE_SAMPLE

# PostgreSQL tells each statement's plan, with what it read, in its log. random_page_cost is as for an
# SSD: with its default, of a disk that turns, the plan for all values reads and sorts a third of the
# tickets for some pages, and so it may do on desks as small as this one in production, too.
my %settings = (
    pgsql => "random_page_cost = 1.1\nsession_preload_libraries = auto_explain\nauto_explain.log_min_duration = 0\n"
        . "auto_explain.log_analyze = on\nauto_explain.log_format = json\nautovacuum = off\n"
        . "log_min_messages = log\n",
    mysql => "userstat = 1\n",
);

# Rows that the scans of a plan read, also those that a filter removed.
sub examined {
    my ($node) = @_;
    my $count = 0;
    $count += examined($_) for @{$node->{Plans} // []};
    return $count if $node->{'Node Type'} !~ /Scan/ || $node->{'Node Type'} =~ /Subquery|CTE/;
    my $each = $node->{'Actual Rows'} + ($node->{'Rows Removed by Filter'} // 0)
        + ($node->{'Rows Removed by Index Recheck'} // 0);
    return $count + $each * $node->{'Actual Loops'};
}

# What $work's statements wrote to the log: how many rows they examined.
sub watch_pgsql {
    my ($server, $work) = @_;
    my $log = "$server->{root}/log";
    my $begin = -s $log;
    $work->();
    $server->sql("DO \$\$ BEGIN RAISE LOG 'the end'; END \$\$");
    my $part = wait_until('the log is written', sub {
        my $new = substr HS::slurp($log), $begin;
        return $new =~ /LOG: +the end/ ? $new : undef;
    });
    my $count = 0;
    while ($part =~ /plan:\n(\t\{.*?\n\t\})\n/sg) {
        my $plan = JSON::PP::decode_json($1);
        $count += examined($plan->{Plan}) if $plan->{'Query Text'} =~ /\bticket AS t\b/;
    }
    return $count;
}

sub watch_mysql {
    my ($server, $work, $database) = @_;
    $server->sql('FLUSH TABLE_STATISTICS');
    $work->();
    return $server->sql('SELECT coalesce(sum(rows_read), 0) FROM information_schema.table_statistics '
            . "WHERE table_schema = '$database' AND table_name LIKE 'ticket%'");
}

my %watch = (pgsql => \&watch_pgsql, mysql => \&watch_mysql);

sub at {
    my ($part) = @_;
    return HSSeed::time_of(int $rows * $part);
}

# How often a request is made first: PostgreSQL decides on a plan for all values after five, on each
# connection.
my $warm = 6;
my $one_connection = "HelpSupportDBPool 1\nStartServers 1\nServerLimit 1\nThreadsPerChild 16\n"
    . "MaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n";

sub check_lists {
    my ($hs, $server, $driver) = @_;
    my $reads = sub {
        my ($path) = @_;
        $hs->get($path) for 1 .. $warm;
        my $answer;
        my $count = $watch{$driver}->($server, sub { $answer = $hs->get($path) }, $hs->{database});
        is $answer->{status}, 200, $path or diag $answer->{body};
        return ($count, $answer);
    };
    my $page = '/help-support?limit=20';
    my ($first) = $reads->($page);
    cmp_ok $first, '>', 19, 'what is read is seen';
    # Followed by cursor, each page costs what the first does.
    for my $sort ('', '&sort=created_at', '&sort=-updated_at', '&sort=updated_at') {
        my (undef, $answer) = $reads->("$page$sort&created_after=" . at(0.5) . '&created_before=' . at(0.51));
        my ($cursor) = ($answer->{headers}{link} // '') =~ /[?&](after=[\w-]+)/;
        for my $filter ('', '&status=closed', '&status=open,resolved,closed', '&user_id=guest') {
            next if $filter =~ /guest/ && $sort =~ /updated/;
            my ($deep) = $reads->("$page$sort$filter&$cursor");
            cmp_ok $deep, '<=', 4 * 2 * 21 + 20, "a page in the middle reads $deep rows";
        }
    }
    # Where a walk is sampled: the sample, twice what it needs, and the page.
    my %most = (
        'status=pending' => 100,
        'status=open,pending' => 200,
        'user_id=single' => 50,
        'email=customer77@example.org' => 50,
        'q=unique' => 4 * $sample,
        'q=please' => 4 * $sample,
        'q=z&sort=-updated_at' => 4 * $sample,
        'q=please&status=pending' => 4 * $sample,
        'q=please&created_after=' . at(0.5) => 4 * $sample,
        'user_id=guest&sort=-updated_at' => 6 * $sample,
        'user_id=guest&q=please' => 6 * $sample,
        'updated_after=' . at(1.0001) => 4 * $sample,
        'created_before=' . at(0.001) . '&sort=-updated_at' => 4 * $sample,
        'created_after=' . at(0.1) . '&sort=-updated_at' => 4 * $sample,
        'count=100&q=please' => 8 * $sample,
    );
    for my $query (sort keys %most) {
        my ($count) = $reads->("$page&$query");
        cmp_ok $count, '<=', $most{$query}, "$count rows of $rows";
    }
}

# ---- the statements of the search and of its index ----

# A statement, or fragments of one, of sql/ with its parameters as $1, $2 ... or, given values, with these.
sub statement {
    my ($driver, $names, @values) = @_;
    my $all = HS::slurp("$Bin/../sql/queries.$driver.sql");
    my $sql = join "\n", map {
        $all =~ /^-- (?:name|option|fragment): $_\n(.*?)(?=^--|\z)/ms ? $1 : die "no $_\n";
    } split ' ', $names;
    my $number = 0;
    $sql =~ s/%(?:lld|s)/@values ? shift @values : '$' . ++$number/ge;
    return $sql =~ s/%%/%/gr;
}

# What each reads: names, values, PostgreSQL's plan, MariaDB's way to a table. No plan may read all
# tickets. Of pages it may where PostgreSQL knows nothing of them: they are few, and apart from that
# what is in them is not read with them.
my $numbers = "'[" . join(',', 1 .. 4096) . "]'";
my @STATEMENTS = (
    ['list_keys list_from_found list_where list_test_user', [$numbers, q('guest')],
        qr/Index Scan using ticket_pkey/, t => 'eq_ref PRIMARY'],
    ['search_range', [0, 20_000], qr/using ticket_created.*using ticket_created/s, t => 'range ticket_created'],
    ['search_numbers', [0, 5], qr/(?:using|on) ticket_created/, ticket => 'range ticket_created'],
    ['search_pages', [q('[[1,0],[2,5]]')], qr/using search_page_pkey|Seq Scan on search_page/,
        p => 'eq_ref PRIMARY'],
    ['search_created', [5], qr/using ticket_pkey/, ticket => 'const PRIMARY'],
    ['index_times', [0, 19_000, 20_000], qr/(?:using|on) ticket_pkey/, ticket => 'range PRIMARY'],
    ['index_pages', [5], qr/(?:using|on) search_page_pkey/, search_page => 'ref PRIMARY'],
    ['index_take_waiting', [$numbers], qr/search_waiting/, w => 'eq_ref PRIMARY'],
    ['index_take_pages', ["'[1,2]'"], qr/search_page/, w => 'ref PRIMARY'],
);

sub plan_of_pgsql {
    my ($server, $database, $names, @values) = @_;
    return $server->sql('SET plan_cache_mode = force_generic_plan; PREPARE one AS '
            . statement('pgsql', $names) . '; EXPLAIN EXECUTE one (' . join(', ', @values) . ')', $database);
}

sub check_pgsql {
    my ($server, $database, $when) = @_;
    for my $case (@STATEMENTS) {
        my ($names, $values, $wanted) = @$case;
        my $plan = plan_of_pgsql($server, $database, $names, @$values);
        ok $plan =~ $wanted && $plan !~ /Seq Scan on ticket\b/, "$names $when" or diag $plan;
    }
}

# How each table is read, by its alias: type and key.
sub plan_of_mysql {
    my ($server, $database, $names, @values) = @_;
    my %how;
    for my $line (split /\n/, $server->sql('EXPLAIN ' . statement('mysql', $names, @values), $database)) {
        my (undef, undef, $table, $type, undef, $key) = split /\t/, $line;
        push @{$how{$table}}, [$type, $key];
    }
    return \%how;
}

sub check_mysql {
    my ($server, $database, $when) = @_;
    for my $case (@STATEMENTS) {
        my ($names, $values, undef, $table, $wanted) = @$case;
        my %ways = map {; "@$_" => 1 } @{plan_of_mysql($server, $database, $names, @$values)->{$table} // []};
        is join(', ', sort keys %ways), $wanted, "$names $when";
    }
}

my %check = (pgsql => \&check_pgsql, mysql => \&check_mysql);

# Large tables that nobody has analysed, as after the first hour of a desk.
my %series = (pgsql => "generate_series(1, $rows) AS s (n)",
    mysql => "(SELECT seq AS n FROM seq_1_to_$rows) AS s");

sub fill_plainly {
    my ($server, $driver) = @_;
    my $db = $server->database;
    my $name = $server->{last};
    my ($status, undef, $err) = HS::ctl({db => $db}, 'db', 'init');
    is $status, 0, 'tables' or diag $err;
    $server->sql($_, $name) for
        'INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, status, version, created_us,'
        . " updated_us, message) SELECT concat('id', n), 'u', 'N', '123', 'a', 'a', 0, 1, n, n, repeat('help ', 100)"
        . " FROM $series{$driver}",
        "INSERT INTO search_waiting (ticket, words) SELECT n, ' help' FROM $series{$driver} WHERE n < 2000",
        "INSERT INTO search_page (segment, page, postings) SELECT n % 100, floor(n / 100), 'help 0'"
        . " FROM $series{$driver}";
    return $name;
}

sub check_statements {
    my ($hs, $server, $driver) = @_;
    my $name = fill_plainly($server, $driver);
    $check{$driver}->($server, $name, 'where nothing is analysed');
    $server->sql($driver eq 'pgsql' ? 'VACUUM ANALYZE'
        : 'ANALYZE TABLE ticket, search_waiting, search_segment, search_page', $name);
    $check{$driver}->($server, $name, 'where all is analysed');
    return unless $driver eq 'pgsql';
    like plan_of_pgsql($server, $name, 'search_pages', q('[[1,0]]')), qr/using search_page_pkey/,
        'of pages only some are read';
    for my $names (qw(search_range search_numbers)) {
        my $plan = plan_of_pgsql($server, $name, $names, 0, 0);
        unlike $plan, qr/Index Scan using ticket_created/, "$names reads no ticket";
    }
}

for my $driver (qw(pgsql mysql)) {
    subtest $driver => sub {
        plan skip_all => "no $driver server is installed" unless HSServer->is_installed($driver);
        my $server = HSServer->start($driver, $settings{$driver});
        local %ENV = (%ENV, HS_DB => $driver, 'HS_' . uc $driver => $server->{params});
        my $hs = HS->prepare(server => $one_connection);
        HSSeed::fill($hs, $rows);
        $hs->launch;
        check_lists($hs, $server, $driver);
        check_statements($hs, $server, $driver);
        $hs->stop;
        $server->stop;
    };
}

done_testing;
