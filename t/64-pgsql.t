# 64-pgsql.t - PostgreSQL that restarts, ends sessions, locks, hangs, or whose answer to COMMIT is lost.
# SPDX-License-Identifier: Apache-2.0
# HS_LONG (`make check-long`) makes each longer.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(submission wait_until);
use HSLoad;
use HSProxy;
use HSServer;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'no PostgreSQL server is installed' unless HSServer->is_installed('pgsql');

my $rounds = $ENV{HS_LONG} ? 20 : 3;
my $server = HSServer->start('pgsql');
my $unlimited = "HelpSupportSubmitLimit off\n";

# An httpd on a database of its own; `port` is another way to the server.
sub start_httpd {
    my (%option) = @_;
    local $ENV{HS_DB} = 'pgsql';
    local $ENV{HS_PGSQL};
    my $db = $server->database;
    my $name = $server->{last};
    my $port = delete $option{port};
    if ($port) {
        $db =~ s/host=\S+ port=\d+/host=127.0.0.1 port=$port/;
    }
    my $hs = HS->prepare(db => $db, location => $unlimited, %option);
    @$hs{qw(server_db database)} = ($server, $name);
    my ($status, $out, $err) = $hs->ctl('db', 'init');
    is $status, 0, 'the tables are made' or diag $err;
    $hs->launch;
    return $hs;
}

sub failed { return [grep { $_->{status} !~ /^20[01]$/ } @{$_[0]}] }

# What must be true of the tables.
sub damage {
    my ($hs) = @_;
    my %queries = (
        'a ticket has no mail' =>
            'SELECT number FROM ticket WHERE number NOT IN (SELECT ticket FROM mail)',
        'a mail has no ticket' =>
            'SELECT id FROM mail WHERE ticket NOT IN (SELECT number FROM ticket)',
        'a key has no ticket' => 'SELECT key_text FROM idempotency_key '
            . 'WHERE ticket_id NOT IN (SELECT id FROM ticket)',
        'a change has no history or a history no change' => 'SELECT number FROM ticket '
            . 'WHERE version <> 1 + (SELECT count(*) FROM ticket_event WHERE ticket = number)',
    );
    return [map { my $found = $hs->sql("$queries{$_} LIMIT 5"); $found eq '' ? () : "$_: $found" }
            sort keys %queries];
}

sub nothing_lost {
    my ($hs, $ledger) = @_;
    is_deeply HSLoad::missing($hs, $ledger), [], 'nothing acknowledged is missing';
    is_deeply damage($hs), [], 'and the tables are whole';
    unlike $hs->log, qr/exit signal|seg fault/, 'no child crashed';
}

sub end_sessions {
    $server->sql('SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity '
            . "WHERE usename = 'helpsupport'");
}

subtest 'a restart under load fails no request' => sub {
    my $hs = start_httpd();
    my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
    for my $how (('fast') x $rounds, 'immediate') {
        my $before = $load->answered;
        wait_until('there are answers', sub { $load->answered > $before + 50 });
        $server->restart($how);
    }
    my $before = $load->answered;
    wait_until('there are answers', sub { $load->answered > $before + 50 });
    my $ledger = $load->stop;
    is_deeply failed($ledger), [], 'no request of ' . @$ledger . ' failed';
    nothing_lost($hs, $ledger);
};

subtest 'a restart while nobody asks fails no request' => sub {
    my $hs = start_httpd();
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
    my $hs = start_httpd();
    my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
    for (1 .. 5 * $rounds) {
        my $before = $load->answered;
        wait_until('there are answers', sub { $load->answered > $before + 20 });
        end_sessions();
    }
    my $ledger = $load->stop;
    is_deeply failed($ledger), [], 'no request of ' . @$ledger . ' failed';
    nothing_lost($hs, $ledger);
};

subtest 'connections that are cut: a lost answer to COMMIT makes no second ticket' => sub {
    my $proxy = HSProxy->start($server->{port});
    my $hs = start_httpd(port => $proxy->{port});
    for my $mode ('after 0.1', 'before 0.1') {
        my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
        $proxy->mode($mode);
        my $before = $load->answered;
        wait_until('there are answers', sub { $load->answered > $before + 100 * $rounds });
        $proxy->mode('pass');
        my $ledger = $load->stop;
        my %count;
        $count{$_->{status}}++ for @$ledger;
        note "$mode: ", explain \%count;
        ok !(grep { !/^(?:20[01]|503)$/ } keys %count), "$mode: answers are right or 503";
        ok $count{201}, 'tickets are stored';
        nothing_lost($hs, $ledger);
    }
};

subtest 'a server that hangs stops no static file' => sub {
    my $proxy = HSProxy->start($server->{port});
    my $hs = start_httpd(port => $proxy->{port}, server => "HelpSupportDBPool 4 1s\n");
    open my $file, '>', "$hs->{root}/htdocs/static.txt" or die "$!\n";
    print $file "static\n";
    close $file;
    is $hs->post('/help-support/u', submission())->{status}, 201, 'all is well';
    $proxy->mode('hole');
    my $load = HSLoad->start($hs, clients => 40, keys => 0, fresh => 1);
    my ($worst, $count, $end) = (0, 0, time + 12);
    while (time < $end) {
        my $start = time;
        is $hs->request(GET => '/static.txt')->{status}, 200 if $count++ < 5;
        $hs->request(GET => '/static.txt');
        my $took = time - $start;
        $worst = $took if $took > $worst;
        sleep 0.02;
    }
    cmp_ok $worst, '<', 0.5, "the slowest of $count static files takes $worst s";
    my $ledger = $load->stop;
    my @slow = sort { $b <=> $a } map { $_->{seconds} } @$ledger;
    is_deeply [grep { $_->{status} != 503 } @$ledger], [], 'every submission is refused';
    is_deeply [grep { !$_->{retry_after} } @$ledger], [], 'with Retry-After';
    cmp_ok $slow[0], '<', 12, "after $slow[0] s at most";
    cmp_ok scalar @$ledger, '>', 400, 'and soon at once';
    $proxy->mode('pass');
    wait_until('it recovers', sub { $hs->post('/help-support/u', submission())->{status} == 201 });
    pass 'afterwards all is well';
    unlike $hs->log, qr/exit signal|seg fault/, 'no child crashed';
};

subtest 'a table that is locked' => sub {
    my $hs = start_httpd(server => "HelpSupportDBPool 4 1s\n");
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

done_testing;
