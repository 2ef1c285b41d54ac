# 64-mysql.t - MariaDB that restarts, ends sessions, locks, hangs, or whose answer to COMMIT is lost.
# SPDX-License-Identifier: Apache-2.0
# HS_LONG (`make check-long`) makes each longer.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(parse_answer submission wait_until);
use HSLoad;
use HSOutage;
use HSProxy;
use HSServer;
use HSSession;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'no MariaDB server is installed' unless HSServer->is_installed('mysql');

my $rounds = $ENV{HS_LONG} ? 20 : 3;
my $server = HSServer->start('mysql');

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
    is $hs->stop, 0, 'a clean end';
};

subtest 'sessions that are ended under load fail no request' => sub {
    my $hs = HSOutage::start_httpd($server);
    my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
    for (1 .. 5 * $rounds) {
        HSOutage::wait_for_answers($load, 20);
        $server->sql('KILL USER helpsupport');
    }
    HSOutage::nothing_failed($hs, $load->stop);
};

subtest 'connections that are cut: a lost answer to COMMIT makes no second ticket' => sub {
    my $proxy = HSProxy->start($server->{port});
    my $hs = HSOutage::start_httpd($server, port => $proxy->{port});
    # A transaction takes many more exchanges than with PostgreSQL.
    HSOutage::cut_connections($hs, $proxy, 0.03, 100 * $rounds);
};

subtest 'a host that answers nothing stops no static file' => sub {
    my $proxy = HSProxy->start($server->{port});
    my $hs = HSOutage::start_httpd($server, port => $proxy->{port}, server => "HelpSupportDBPool 4 1s\n");
    HSOutage::hangs($hs, sub { $proxy->mode('hole') }, sub { $proxy->mode('pass') });
};

subtest 'neither does a server that is stopped' => sub {
    my $hs = HSOutage::start_httpd($server, server => "HelpSupportDBPool 4 1s\n");
    HSOutage::hangs($hs, sub { kill 'STOP', $server->{pid} }, sub { kill 'CONT', $server->{pid} });
};

subtest 'a row that is locked' => sub {
    my $hs = HSOutage::start_httpd($server, server => "HelpSupportDBPool 4 2s\n");
    my $id = $hs->post('/help-support/u', submission())->{json}{id};
    my $other = HSSession->start($server, $hs->{database});
    $other->run('START TRANSACTION');
    $other->run("SELECT number FROM ticket WHERE id = '$id' FOR UPDATE");
    my $start = time;
    my $answer = $hs->patch("/help-support/$id/status?status=closed");
    is $answer->{status}, 503, 'a change of its status';
    ok $answer->{headers}{'retry-after'}, 'may be tried again';
    cmp_ok time - $start, '<', 2 * 2 + 1, 'in about the time that HelpSupportDBPool gives';
    is $hs->get("/help-support/$id")->{json}{status}, 'open', 'reading goes on';
    is $hs->post('/help-support/u', submission())->{status}, 201, 'and so does submitting';
    $other->run('ROLLBACK');
    is $hs->patch("/help-support/$id/status?status=closed")->{status}, 200, 'afterwards all is well';
};

subtest 'a transaction that a deadlock undoes is done again' => sub {
    my $hs = HSOutage::start_httpd($server);
    my $id = $hs->post('/help-support/u', submission())->{json}{id};
    my $number = $hs->get("/help-support/$id")->{json}{number};
    my $event = "INSERT INTO ticket_event SELECT $number, seq, 0, 0, 0, 'x' FROM";
    # Many rows, so that InnoDB undoes the other one.
    my $other = HSSession->start($server, $hs->{database});
    $other->run('START TRANSACTION');
    $other->run("$event seq_2_to_2");
    $other->run("$event seq_1000_to_2000");
    my $token = $hs->token;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hs->{port}) or die "$!\n";
    $socket->print("PATCH /help-support/$id/status?status=closed HTTP/1.1\r\nHost: x\r\n"
            . "Authorization: Bearer $token\r\nConnection: close\r\n\r\n");
    wait_until('the change waits for the row of its event', sub {
        $hs->sql('SELECT count(*) FROM information_schema.innodb_lock_waits') > 0;
    });
    $other->run("UPDATE ticket SET name = 'x' WHERE number = $number");
    $other->run('ROLLBACK');
    my $answer = do { local $/; parse_answer(scalar <$socket>) };
    is $answer->{status}, 200, 'nobody notices';
    is_deeply [map { $_->{event} } @{$hs->get("/help-support/$id/history")->{json}}],
        [qw(created mail status)], 'it is done once';
    like $server->sql('SHOW ENGINE INNODB STATUS'), qr/LATEST DETECTED DEADLOCK/, 'there was one';
};

done_testing;
