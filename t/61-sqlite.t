# 61-sqlite.t - what others do to the database file while requests are served: VACUUM, long readers,
# locks, a file or folder that goes away, a full disk.
# SPDX-License-Identifier: Apache-2.0
# HS_LONG (`make check-long`) makes each longer.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command submission wait_until);
use HSLoad;
use IPC::Open2 qw(open2);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'needs sqlite3' if command('sh', '-c', 'command -v sqlite3');

my $times = $ENV{HS_LONG} ? 50 : 5;
my $unlimited = "HelpSupportSubmitLimit off\n";

sub file { return "$_[0]{root}/data/tickets.db" }

# How many there are of each status; 0 is no answer.
sub statuses {
    my ($ledger) = @_;
    my %count;
    $count{$_->{status}}++ for @$ledger;
    return \%count;
}

sub nothing_lost {
    my ($hs, $ledger) = @_;
    is_deeply HSLoad::missing($hs, $ledger), [], 'nothing acknowledged is missing';
    is_deeply HSLoad::damage(file($hs)), [], 'and the file is whole';
}

# A sqlite3 that has the file open and does as it is told. Each command is over when this returns.
sub open_shell {
    my ($hs) = @_;
    my $shell = {};
    $shell->{pid} = open2($shell->{out}, $shell->{in},
        qw(stdbuf -oL sqlite3 -batch), file($hs));
    tell_shell($shell, '.timeout 10000');
    return $shell;
}

sub tell_shell {
    my ($shell, $command) = @_;
    my $answer = '';
    print {$shell->{in}} "$command\n.print over\n";
    $shell->{in}->flush;
    while (my $line = readline $shell->{out}) {
        return $answer if $line eq "over\n";
        $answer .= $line;
    }
    die "sqlite3 ended\n";
}

# Each child tries once a second: some of them may still refuse when one already serves.
sub comes_back {
    my ($hs) = @_;
    return wait_until('it is back', sub {
        return 1 if $hs->post('/help-support/u1', submission())->{status} == 201
            && $hs->get('/help-support/1')->{status} == 200;
        return 0;
    }, 10);
}

sub close_shell {
    my ($shell) = @_;
    close $shell->{in};
    waitpid $shell->{pid}, 0;
}

subtest 'VACUUM and ANALYZE during load' => sub {
    my $hs = HS->start(location => $unlimited);
    my $load = HSLoad->start($hs, changes => 0.3);
    my @failed;
    for my $time (1 .. $times) {
        my $before = $load->answered;
        for my $statement ('VACUUM', 'ANALYZE', 'PRAGMA wal_checkpoint(TRUNCATE)') {
            my ($status, $out, $err) = command('sqlite3', file($hs), '.timeout 20000', $statement);
            push @failed, "$statement: $err" if $status;
        }
        wait_until('it goes on', sub { $load->answered > $before });
    }
    my $ledger = $load->stop;
    is_deeply \@failed, [], 'they come through';
    is_deeply [sort keys %{statuses($ledger)}], [200, 201], 'and no request failed';
    nothing_lost($hs, $ledger);
    is $hs->get("/help-support?$_")->{status}, 200, "$_ after ANALYZE"
        for 'status=open,closed', 'q=jane', 'sort=updated_at', 'email=jane@example.com', 'skip=5';
};

subtest 'a reader that stays during load' => sub {
    my $hs = HS->start(location => $unlimited);
    is $hs->post('/help-support/u1', submission())->{status}, 201;
    my $reader = open_shell($hs);
    tell_shell($reader, 'BEGIN;');
    is tell_shell($reader, 'SELECT count(*) FROM ticket;'), "1\n";
    my $load = HSLoad->start($hs, changes => 0.3);
    sleep($ENV{HS_LONG} ? 30 : 3);
    my $ledger = $load->stop;
    is tell_shell($reader, 'SELECT count(*) FROM ticket;'), "1\n", 'it still reads what was';
    is_deeply [sort keys %{statuses($ledger)}], [200, 201], 'no request failed';
    tell_shell($reader, 'COMMIT;');
    close_shell($reader);
    nothing_lost($hs, $ledger);
};

subtest 'another program has the write lock for a second' => sub {
    my $hs = HS->start(location => $unlimited);
    is $hs->post('/help-support/u1', submission())->{status}, 201;
    my $writer = open_shell($hs);
    my $load = HSLoad->start($hs, changes => 0.3);
    my $held = 0;
    for my $time (1 .. ($ENV{HS_LONG} ? 20 : 2)) {
        wait_until('there are answers', sub { $load->answered > $held });
        tell_shell($writer, 'BEGIN IMMEDIATE;');
        sleep 0.1;
        $held = $load->answered;
        is $hs->get('/help-support/1')->{status}, 200, 'readers do not wait';
        sleep 1;
        my $meanwhile = $load->answered - $held;
        cmp_ok $meanwhile, '<=', 4, "writers do: $meanwhile answers";
        tell_shell($writer, 'COMMIT;');
    }
    wait_until('there are answers', sub { $load->answered > $held + 10 });
    my $ledger = $load->stop;
    close_shell($writer);
    is_deeply [sort keys %{statuses($ledger)}], [200, 201], 'they waited and no request failed';
    cmp_ok((sort { $b <=> $a } map { $_->{seconds} } @$ledger)[0], '<', 10, 'none for long');
    nothing_lost($hs, $ledger);
};

subtest 'another program keeps the write lock for longer than a request may wait' => sub {
    my $hs = HS->start(location => $unlimited, server => "HelpSupportDBPool 4 1s\n");
    is $hs->post('/help-support/u1', submission())->{status}, 201;
    my $writer = open_shell($hs);
    my $load = HSLoad->start($hs, keys => 0.3, changes => 0.3);
    wait_until('there are answers', sub { $load->answered });
    tell_shell($writer, 'BEGIN IMMEDIATE;');
    sleep 3;
    my $start = time;
    my $answer = $hs->post('/help-support/u1', submission());
    my $waited = time - $start;
    is $answer->{status}, 503, 'a submission is refused';
    like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After';
    is $answer->{headers}{'content-type'}, 'application/problem+json';
    cmp_ok $waited, '>', 0.8, 'not before the time in HelpSupportDBPool';
    cmp_ok $waited, '<', 4, 'and not long after it';
    my $held = $load->answered(201);
    tell_shell($writer, 'COMMIT;');
    wait_until('there are answers', sub { $load->answered(201) > $held + 10 });
    my $ledger = $load->stop;
    close_shell($writer);
    is_deeply [sort keys %{statuses($ledger)}], [200, 201, 503], 'refused in time or done';
    is_deeply [grep { $_->{status} == 503 && !$_->{retry_after} } @$ledger], [],
        'each 503 has Retry-After';
    nothing_lost($hs, $ledger);
    like $hs->log, qr/HS\d{4}: .*(?:locked|turn|writers)/i, 'the log says why';
};

# A group of submissions that finds the database locked is refused as one: each of its members trying
# once more by itself would add up to minutes.
subtest 'many submissions wait for a lock that does not go away' => sub {
    my $hs = HS->start(location => $unlimited,
        server => "HelpSupportDBPool 4 1s\nStartServers 1\nServerLimit 1\nThreadsPerChild 40\n"
            . "MaxRequestWorkers 40\n");
    is $hs->post('/help-support/u1', submission())->{status}, 201;
    my $writer = open_shell($hs);
    tell_shell($writer, 'BEGIN IMMEDIATE;');
    my $start = time;
    my @clients;
    for my $client (1 .. 20) {
        my $pid = open my $out, '-|' // die;
        if (!$pid) {
            print $hs->post("/help-support/u$client", submission())->{status};
            close STDOUT;
            POSIX::_exit(0);
        }
        push @clients, $out;
        sleep 0.05;
    }
    my @statuses = map { scalar readline $_ } @clients;
    my $seconds = time - $start;
    tell_shell($writer, 'ROLLBACK;');
    close_shell($writer);
    is_deeply \@statuses, [(503) x 20], 'all are refused';
    cmp_ok $seconds, '<', 12, sprintf 'within %.1f seconds', $seconds;
    ok comes_back($hs), 'and it goes on';
};

subtest 'the file is replaced by a backup' => sub {
    my $hs = HS->start(location => $unlimited);
    my $data = "$hs->{root}/data";
    is $hs->post('/help-support/u1', submission(name => 'First Ticket'))->{status}, 201;
    is $hs->get('/help-support/1')->{json}{name}, 'First Ticket';
    is((command('sqlite3', file($hs), ".backup $hs->{root}/copy.db"))[0], 0, 'a backup');
    is $hs->post('/help-support/u1', submission(name => 'Later Ticket'))->{status}, 201;
    mkdir "$data/old";
    command('sh', '-c', "mv '$data'/tickets.db* '$data/old/'");
    command('chown', '--reference', $data, "$hs->{root}/copy.db");
    rename "$hs->{root}/copy.db", file($hs) or die "rename: $!\n";
    my $answer = $hs->post('/help-support/u1', submission(name => 'New Ticket'));
    is $answer->{status}, 201, 'submissions go on' or diag $hs->log;
    is $hs->get('/help-support/1')->{json}{name}, 'First Ticket';
    is $hs->get('/help-support/2')->{json}{name}, 'New Ticket', 'in the file that is there now';
    is((command('sqlite3', file($hs), 'SELECT name FROM ticket WHERE number = 2'))[1],
        "New Ticket\n");
    is((command('sqlite3', "$data/old/tickets.db", 'SELECT name FROM ticket WHERE number = 2'))[1],
        "Later Ticket\n", 'and the old one is left alone');
    is_deeply HSLoad::damage("$data/old/tickets.db"), [], 'and whole';
};

subtest 'the folder goes away and comes back' => sub {
    my $hs = HS->start(location => $unlimited);
    my $data = "$hs->{root}/data";
    is $hs->post('/help-support/u1', submission())->{status}, 201;
    is $hs->get('/help-support/1')->{status}, 200;
    rename $data, "$data.away" or die "rename: $!\n";
    for my $answer ($hs->post('/help-support/u1', submission()), $hs->get('/help-support/1')) {
        is $answer->{status}, 503, '503 without it';
        like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After';
    }
    like $hs->log, qr/HS\d{4}: .*the file's folder must exist, .* write both/, 'the log says what to do';
    rename "$data.away", $data or die "rename: $!\n";
    is comes_back($hs), 1, 'it is back with its tickets';
    is_deeply HSLoad::damage(file($hs)), [], 'and whole';
};

subtest 'the file is deleted' => sub {
    my $hs = HS->start(location => $unlimited);
    is $hs->post('/help-support/u1', submission())->{status}, 201;
    is $hs->get('/help-support/1')->{status}, 200;
    unlink glob file($hs) . '*';
    wait_until('it is made anew', sub {
        $hs->post('/help-support/u1', submission())->{status} == 201;
    }, 5);
    is((command('sqlite3', file($hs), 'SELECT count(*) FROM ticket'))[1], "1\n",
        'what is acknowledged is in the file that is there');
    delete $hs->{tokens};
    wait_until('a new token works', sub { $hs->get('/help-support/1')->{status} == 200 }, 10);
};

subtest 'no folder at start' => sub {
    my $hs = HS->prepare(location => $unlimited);
    my $data = "$hs->{root}/data";
    rename $data, "$data.later" or die "rename: $!\n";
    $hs->launch;
    for my $time (1, 2) {
        my $answer = $hs->post('/help-support/u1', submission());
        is $answer->{status}, 503, 'httpd runs and says 503';
        like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After';
    }
    is $hs->request('GET', '/help-support/1')->{status}, 401, 'who is nobody learns nothing';
    is $hs->request('OPTIONS', '/help-support/1')->{status}, 204;
    like $hs->log, qr/HS\d{4}: .*the file's folder must exist, .* write both/, 'the log says what to do';
    rename "$data.later", $data or die "rename: $!\n";
    is comes_back($hs), 1, 'it recovers';
};

subtest 'the disk is full' => sub {
    plan skip_all => 'needs root, to mount a small file system' if $>;
    my $hs = HS->prepare(location => $unlimited, server => "HelpSupportDBPool 4 1s\n");
    my $data = "$hs->{root}/data";
    my $options = join ',', 'size=3m', 'uid=' . (stat $data)[4], 'gid=' . (stat $data)[5];
    plan skip_all => 'this machine mounts no tmpfs'
        if (command('mount', '-t', 'tmpfs', '-o', $options, 'none', $data))[0];
    my $is_mounted = 1;
    my $end = sub {
        return unless $is_mounted--;
        $hs->stop;
        command('umount', '-l', $data);
    };
    local $SIG{TERM} = local $SIG{INT} = sub { $end->(); exit 1 };
    eval {
        $hs->launch;
        fill_disk($hs, $data);
        1;
    } or fail "died: $@";
    $end->();
};

sub fill_disk {
    my ($hs, $data) = @_;
    is $hs->get('/help-support')->{status}, 200;
    my $load = HSLoad->start($hs, keys => 0, changes => 0.2, padding => 9000);
    wait_until('the disk is full', sub { $load->answered(503) > 5 });
    my $answer = $hs->post('/help-support/u1', submission(message => 'x' x 9000));
    is $answer->{status}, 503, 'a submission is refused';
    like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After';
    is $hs->get('/help-support/1')->{status}, 200, 'a ticket can be read';
    is $hs->get('/help-support?limit=1')->{status}, 200, 'the list, too';
    like $hs->log, qr/HS\d{4}: .*full: make room/, 'the log says what to do';
    my $before = $load->answered(201);
    command('mount', '-o', 'remount,size=64m', $data);
    wait_until('it recovers', sub { $load->answered(201) > $before + 10 }, 10);
    my $ledger = $load->stop;
    my $statuses = statuses($ledger);
    is_deeply [sort keys %$statuses], [200, 201, 503], 'every request was answered';
    is_deeply [grep { $_->{status} == 503 && !$_->{retry_after} } @$ledger], [],
        'each 503 has Retry-After';
    nothing_lost($hs, $ledger);
    my %sent = map { ("<$_->{mark}>" => 1) }
        grep { $_->{what} eq 'submit' && $_->{status} == 503 } @$ledger;
    is_deeply [grep { /^(<[^>]+>)/ && $sent{$1} } map { $_->{message} }
        values %{HSLoad::all_tickets($hs)}], [], 'what was refused is not there';
}

done_testing;
