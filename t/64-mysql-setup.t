# 64-mysql-setup.t - MariaDB whose schema is half made, that refuses, or whose defaults are others.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command submission wait_until);
use HSLoad;
use HSOutage;
use HSProxy;
use HSServer;
use IO::Socket::INET;
use Test::More;

plan skip_all => 'no MariaDB server is installed' unless HSServer->is_installed('mysql');

my $server = HSServer->start('mysql');

# The tables, as the server describes them.
sub schema_of {
    my ($name) = @_;
    return join "\n", map { $server->sql("SHOW CREATE TABLE $_", $name) }
        split /\n/, $server->sql('SHOW TABLES', $name);
}

sub init {
    my ($db) = @_;
    local $ENV{HELPSUPPORT_DB} = $db;
    return command("$Bin/../" . ($ENV{HS_BUILD} // 'build') . '/helpsupportctl', 'db', 'init');
}

my ($made) = init($server->database);
is $made, 0, 'a schema';
my $whole = schema_of($server->{last});

subtest 'db init goes on where a lost connection ended it' => sub {
    my $proxy = HSProxy->start($server->{port});
    for my $count (1 .. 24) {
        (my $db = $server->database) =~ s/port=\d+/port=$proxy->{port}/;
        $proxy->mode("once $count");
        my ($status, $out, $err) = init($db);
        is $status, 0, "after $count statements" or diag $err;
        is schema_of($server->{last}), $whole, 'the schema is whole';
    }
};

subtest 'two at once' => sub {
    my $db = $server->database;
    my @pids = map {
        my $pid = fork // die "fork: $!\n";
        POSIX::_exit((init($db))[0]) if !$pid;
        $pid;
    } 1 .. 2;
    is_deeply [map { waitpid $_, 0; $? } @pids], [0, 0], 'both succeed';
    is schema_of($server->{last}), $whole, 'and make one schema';
};

# Submissions are refused, and the log soon says why: a process of httpd that has just failed for
# another reason repeats that one for a second.
sub refuses {
    my ($hs, $log, $what) = @_;
    my @answers;
    my $is_said = eval {
        wait_until('the log says it', sub {
            push @answers, $hs->post('/help-support/u', submission());
            $hs->log =~ $log;
        });
    };
    ok $is_said, "$what: a line for the administrator" or diag $hs->log;
    is_deeply [grep { $_->{status} != 503 || !$_->{headers}{'retry-after'} } @answers], [],
        '503 with Retry-After';
}

sub works {
    my ($hs) = @_;
    ok eval {
        wait_until('it works', sub { $hs->post('/help-support/u', submission())->{status} == 201 });
    }, 'afterwards all is well' or diag $hs->log;
}

my $soon = "HelpSupportDBPool 4 1s\n";

subtest 'what is no schema of ours, or not whole, is not served' => sub {
    my $hs = HSOutage::start_httpd($server, server => $soon);
    my $name = $hs->{database};
    my $mark = 'mod_helpsupport 1752396907';
    $server->sql("ALTER TABLE ticket COMMENT '$mark 0'; DROP TABLE mail, admin_token; KILL USER helpsupport", $name);
    refuses($hs, qr/not all there yet.*helpsupportctl db init/, 'half a schema');
    is((init($hs->{db}))[0], 0, 'db init completes it');
    works($hs);
    $server->sql("ALTER TABLE ticket COMMENT '$mark 3'; KILL USER helpsupport", $name);
    refuses($hs, qr/made by a newer mod_helpsupport/, 'a newer one');
    $server->sql("ALTER TABLE ticket COMMENT 'tickets'; KILL USER helpsupport", $name);
    refuses($hs, qr/belongs to another program/, 'another program\'s');
    my ($status, undef, $err) = init($hs->{db});
    isnt $status, 0, 'which db init leaves alone';
    like $err, qr/belongs to another program/, 'and says so';
};

subtest 'a server that refuses' => sub {
    my $hs = HSOutage::start_httpd($server, server => $soon);
    my $name = $hs->{database};
    is $hs->get('/help-support')->{status}, 200, 'all is well';
    $server->sql('SET GLOBAL read_only = 1');
    refuses($hs, qr/read-only: HelpSupportDB must lead to the primary/, 'read-only');
    is $hs->get('/help-support')->{status}, 200, 'reading goes on';
    $server->sql('SET GLOBAL read_only = 0');
    works($hs);
    $server->sql("ALTER USER helpsupport IDENTIFIED BY 'x'; KILL USER helpsupport");
    refuses($hs, qr/Access denied.*look at the user, its password/, 'another password');
    is((init("$hs->{db},pass=x"))[0], 0, 'which is right elsewhere');
    $server->sql("ALTER USER helpsupport IDENTIFIED BY 'host=x'");
    is((init("$hs->{db},pass=host=x"))[0], 0, 'also one that looks like a parameter');
    $server->sql("ALTER USER helpsupport IDENTIFIED BY ''");
    works($hs);
    $server->sql("REVOKE INSERT ON $name.* FROM helpsupport; KILL USER helpsupport");
    refuses($hs, qr/must be allowed to read and write the tables: GRANT/, 'no right to write');
    $server->sql("GRANT INSERT ON $name.* TO helpsupport; KILL USER helpsupport");
    works($hs);
    my $most = $server->sql('SELECT @@max_connections');
    $server->sql('SET GLOBAL max_connections = 10; KILL USER helpsupport');
    my @sockets = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}) } 1 .. 12;
    $_->sysread(my $greeting, 1000) for @sockets;
    refuses($hs, qr/raise max_connections or lower HelpSupportDBPool/, 'too many connections');
    close $_ for @sockets;
    wait_until('there is room', sub { eval { $server->sql("SET GLOBAL max_connections = $most"); 1 } });
    works($hs);
    $server->sql('RENAME TABLE mail TO mails', $name);
    refuses($hs, qr/'\S+mail' doesn't exist; a table or a column is missing/, 'a table is missing');
    $server->sql('RENAME TABLE mails TO mail', $name);
    works($hs);
    $server->sql("DROP DATABASE $name");
    refuses($hs, qr/Unknown database.*create it, and its tables with helpsupportctl db init/, 'no database');
    $server->sql("CREATE DATABASE $name");
    refuses($hs, qr/not all there yet.*helpsupportctl db init/, 'no tables');
    is((init($hs->{db}))[0], 0, 'they are made');
    works($hs);
};

subtest 'a full disk' => sub {
    my $small = HSServer->start('mysql', "innodb-file-per-table = 0\ninnodb-data-file-path = ibdata1:12M\n");
    my $hs = HSOutage::start_httpd($small, server => $soon);
    is $hs->get('/help-support')->{status}, 200, 'all is well';
    my $load = HSLoad->start($hs, clients => 4, padding => 9000, keys => 0);
    wait_until('it is full', sub { $load->answered(503) });
    my $ledger = $load->stop;
    my %count;
    $count{$_->{status}}++ for @$ledger;
    is join(' ', sort keys %count), '201 503', 'what does not fit is refused';
    ok !(grep { $_->{status} == 503 && !$_->{retry_after} } @$ledger), 'with Retry-After';
    $hs->wait_for_log(qr/the server's disk is full: make room/);
    HSOutage::nothing_lost($hs, $ledger);
};

# All that an administrator may have set, at the server or for each session of an ordinary user.
subtest 'defaults that are not what the statements are made for' => sub {
    my $strange = HSServer->start('mysql', <<'END');
log-bin
binlog-format = STATEMENT
transaction-isolation = SERIALIZABLE
lower-case-table-names = 1
innodb-default-row-format = compact
innodb-strict-mode = 0
max-allowed-packet = 1M
wait-timeout = 2
lc-messages = de_DE
sql-mode = ANSI_QUOTES,NO_BACKSLASH_ESCAPES,EMPTY_STRING_IS_NULL,PAD_CHAR_TO_FULL_LENGTH
init-connect = "SET autocommit = 0, completion_type = 'RELEASE', sql_safe_updates = 1, sql_big_selects = 0, max_join_size = 1, sql_select_limit = 1, sql_auto_is_null = 1, unique_checks = 0, tx_read_only = 1, time_zone = '-11:00', collation_connection = latin1_german1_ci"
END
    my $hs = HSOutage::start_httpd($strange);
    my $id = $hs->post('/help-support/u', submission(name => "Zo\x{eb} \x{1f600}", message => 'a\\b "c" \'d\''))->{json}{id};
    my $ticket = $hs->get("/help-support/$id")->{json};
    is "$ticket->{name} $ticket->{message}", "Zo\x{eb} \x{1f600} a\\b \"c\" 'd'", 'a ticket comes back';
    my ($now) = $ticket->{created_at} =~ /^(\d+-\d+-\d+T\d+)/;
    my @gmt = gmtime;
    is $now, sprintf('%d-%02d-%02dT%02d', $gmt[5] + 1900, $gmt[4] + 1, @gmt[3, 2]), 'with the time in UTC';
    my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
    HSOutage::wait_for_answers($load, 500);
    HSOutage::nothing_failed($hs, $load->stop);
    is scalar @{$hs->get('/help-support?q=jane')->{json}} > 1, 1, 'a search finds more than one';
    is $hs->stop, 0, 'a clean end';
    $hs = HSOutage::start_httpd($strange,
        server => "StartServers 1\nServerLimit 1\nThreadsPerChild 64\nMaxRequestWorkers 64\n");
    # Of one httpd process, 40 messages at once whose words take 54 KB each: what may wait is written
    # together, but a statement must fit into a packet.
    my $long = HSLoad->start($hs, clients => 40, count => 3, keys => 0, message => " \x{10428}" x 4900);
    HSOutage::nothing_failed($hs, $long->wait);
    # Many small transactions at once, on small tables.
    local $ENV{HS_TEST_DB} = "mysql $strange->{params}";
    my ($status, $out) = command("$Bin/../" . ($ENV{HS_BUILD} // 'build/release') . '/unit/test_store');
    is $status, 0, 'the unit tests pass' or diag $out =~ /^not ok.*/mg;
};

done_testing;
