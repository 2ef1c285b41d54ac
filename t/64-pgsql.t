# 64-pgsql.t - PostgreSQL that restarts, ends sessions, locks, hangs, or whose answer to COMMIT is lost.
# SPDX-License-Identifier: Apache-2.0
# HS_LONG (`make check-long`) makes each longer.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(submission wait_until);
use HSLoad;
use HSOutage;
use HSProxy;
use HSServer;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'no PostgreSQL server is installed' unless HSServer->is_installed('pgsql');

my $rounds = $ENV{HS_LONG} ? 20 : 3;
my $server = HSServer->start('pgsql');

sub end_sessions {
    $server->sql('SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity '
            . "WHERE usename = 'helpsupport'");
}

subtest 'a restart under load fails no request' => sub {
    my $hs = HSOutage::start_httpd($server);
    my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
    for my $how (('fast') x $rounds, 'immediate') {
        HSOutage::wait_for_answers($load, 50);
        $server->restart($how);
    }
    HSOutage::wait_for_answers($load, 50);
    HSOutage::nothing_failed($hs, $load->stop);
};

subtest 'a restart while nobody asks fails no request' => sub {
    my $hs = HSOutage::start_httpd($server);
    my @before = map { $hs->post('/help-support/u', submission())->{status} } 1 .. 5;
    $hs->get('/help-support');
    $server->restart('fast');
    my @after = map { ($hs->post('/help-support/u', submission())->{status},
        $hs->get('/help-support')->{status}) } 1 .. 5;
    is "@before @after", join(' ', (201) x 5, (201, 200) x 5);
    is $hs->sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mod_helpsupport' "
            . "AND datname = current_database()") > 0, 1, 'sessions have a name';
    is $hs->stop, 0, 'a clean end';
};

subtest 'sessions that are ended under load fail no request' => sub {
    my $hs = HSOutage::start_httpd($server);
    my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
    for (1 .. 5 * $rounds) {
        HSOutage::wait_for_answers($load, 20);
        end_sessions();
    }
    HSOutage::nothing_failed($hs, $load->stop);
};

subtest 'connections that are cut: a lost answer to COMMIT makes no second ticket' => sub {
    my $proxy = HSProxy->start($server->{port});
    my $hs = HSOutage::start_httpd($server, port => $proxy->{port});
    HSOutage::cut_connections($hs, $proxy, 0.1, 100 * $rounds);
};

subtest 'a server that hangs stops no static file' => sub {
    my $proxy = HSProxy->start($server->{port});
    my $hs = HSOutage::start_httpd($server, port => $proxy->{port}, server => "HelpSupportDBPool 4 1s\n");
    HSOutage::hangs($hs, sub { $proxy->mode('hole') }, sub { $proxy->mode('pass') });
};

subtest 'a table that is locked' => sub {
    my $hs = HSOutage::start_httpd($server, server => "HelpSupportDBPool 4 1s\n");
    my $id = $hs->post('/help-support/u', submission())->{json}{id};
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        eval { $server->sql('BEGIN; LOCK TABLE ticket IN EXCLUSIVE MODE; SELECT pg_sleep(5)', $hs->{database}) };
        POSIX::_exit(0);
    }
    wait_until('it is locked', sub {
        $hs->sql("SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND "
                . "relation = 'ticket'::regclass") == 1;
    });
    my $start = time;
    for my $answer ($hs->post('/help-support/u', submission()),
        $hs->patch("/help-support/$id/status?status=closed")) {
        is $answer->{status}, 503, 'a write';
        ok $answer->{headers}{'retry-after'}, 'may be tried again';
    }
    cmp_ok time - $start, '<', 2 * 2, 'in the time that HelpSupportDBPool gives';
    is $hs->get("/help-support/$id")->{status}, 200, 'reading goes on';
    waitpid $pid, 0;
    is $hs->post('/help-support/u', submission())->{status}, 201, 'afterwards all is well';
};

subtest 'a database that does not sync is not served' => sub {
    my $hs = HSOutage::start_httpd($server);
    $hs->sql("ALTER DATABASE $hs->{database} SET synchronous_commit = off");
    my ($status, undef, $err) = $hs->ctl('db', 'check');
    isnt $status, 0, 'db check says so';
    like $err, qr/synchronous_commit is off here, .* ALTER ROLE/, 'and what to do';
    end_sessions();
    is $hs->post('/help-support/u', submission())->{status}, 503, 'no 201 that is not on disk';
    like $hs->log, qr/synchronous_commit is off here/, 'and the log says why';
    $hs->sql("ALTER DATABASE $hs->{database} RESET synchronous_commit");
    wait_until('it is served again',
        sub { $hs->post('/help-support/u', submission())->{status} == 201 });
    is $hs->stop, 0, 'a clean end';
};

done_testing;
