# 67-cluster.t - two nodes behind haproxy on a PostgreSQL primary with a synchronous standby, or on
# MariaDB: each may be lost, and nothing that was acknowledged is.
# SPDX-License-Identifier: Apache-2.0
# HS_LONG makes each longer.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp ();
use HS qw(command free_port submission wait_until);
use HSCluster;
use HSLoad;
use HSMail qw(children is_running ticket_number wait_for_sender);
use HSOutage;
use HSProxy;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'no PostgreSQL server is installed' unless HSServer->is_installed('pgsql');
plan skip_all => 'no haproxy is installed' unless HSCluster->is_installed;

my $is_long = $ENV{HS_LONG};
my ($relay, $cluster, $doubled_before);

sub start_cluster {
    my (%option) = @_;
    $relay = HSMail->start;
    $doubled_before = 0;
    $cluster = HSCluster->start(%option, server => ($option{server} // '')
            . $relay->lines("HelpSupportMailLimit recipient off\nHelpSupportMailLimit site off\n"));
}

# What is right while databases and nodes come and go: what was asked for, or "later".
my %FINE = map { $_ => 1 } 200, 201, '503 problem later';

sub start_load { return HSLoad->start($cluster, clients => 6, changes => 0.2, reads => 0.2) }

# How often which answer was given.
sub tally {
    my ($ledger) = @_;
    my %count;
    for my $entry (@$ledger) {
        $count{$_} += $entry->{answers}{$_} for keys %{$entry->{answers}};
    }
    note join ', ', map { "$_: $count{$_}" } sort keys %count;
    return \%count;
}

sub slowest { return (sort { $b <=> $a } map { $_->{seconds} } @{$_[0]})[0] }

# How long a write takes at most while all is well, under the load that there is.
sub usual {
    my ($slowest, $front) = (0, shift // $cluster);
    for (1 .. 10) {
        my $start = time;
        $front->post('/help-support/usual', submission());
        $slowest = time - $start if time - $start > $slowest;
    }
    return $slowest;
}

sub nothing_lost {
    my ($ledger) = @_;
    is_deeply HSLoad::missing($cluster, $ledger), [], 'nothing acknowledged is missing';
    is_deeply HSLoad::damage($cluster), [], 'and the tables are whole';
    unlike $cluster->log, qr/exit signal (?!Killed)|seg fault/, 'no child crashed';
}

# Wait until no mail is queued. Leases that nobody will end are, when nothing was sent for a while,
# taken for run out; not where the sender that died is there again. Returns how many leases that were.
sub wait_for_mails {
    my (%option) = @_;
    my ($count, $since, $leases) = (0, time, 0);
    wait_until('all mails are out', sub {
        my $now = $relay->mail_count;
        ($count, $since) = ($now, time) if $now != $count;
        if (time - $since > 6 && !$option{is_back}) {
            $leases += $cluster->let_time_pass;
            $since = time;
        }
        $cluster->sql(q{SELECT count(*) FROM mail WHERE state IN ('queued', 'sending')}) eq 0;
    });
    return $leases;
}

# Each ticket has its mail; returns how many went out more than once, which must be the same octets.
sub check_mails {
    my ($ledger) = @_;
    my (%copies, @different);
    my $doubled = 0;
    my %number = map { $_->{id} => $_->{number} } values %{HSLoad::all_tickets($cluster)};
    push @{$copies{ticket_number($_)}}, $_ for $relay->mails;
    is_deeply [grep { !$copies{$number{$_}} } map { $_->{json}{id} }
            grep { $_->{what} eq 'submit' && $_->{status} == 201 } @$ledger], [],
        'each acknowledged ticket has its mail';
    is_deeply [grep { !$copies{$_} } values %number], [], 'so has each other that is stored';
    for my $number (keys %copies) {
        my ($first, @others) = @{$copies{$number}};
        $doubled += @others;
        push @different, $number if grep { $_->{data} ne $first->{data} } @others;
    }
    is_deeply \@different, [], 'what went out twice is the same';
    return $doubled;
}

# How many mails went out twice since the last time.
sub newly_doubled {
    my $doubled = check_mails(@_);
    my $new = $doubled - $doubled_before;
    $doubled_before = $doubled;
    return $new;
}

sub descendants { return map { ($_, descendants($_)) } children($_[0]) }

# How many sessions wait until a standby has their COMMIT.
sub waiting {
    return $cluster->sql(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
}

subtest "README's haproxy" => sub {
    my ($backend) = HS::slurp("$Bin/../README.md") =~ /^```haproxy\n(.*?)^```/ms;
    my $file = File::Temp->new;
    print $file "defaults\n    timeout connect 1s\n    timeout client 60s\n    timeout server 60s\n"
        . "frontend api\n    mode http\n    bind 127.0.0.1:1\n    default_backend nodes\n$backend";
    close $file;
    my ($status, $out, $err) = command(HSCluster::haproxy(), '-c', '-f', "$file");
    is $status, 0, 'is one' or diag $out . $err;
    unlike $out . $err, qr/WARN/i, 'without a warning';
};

start_cluster();

subtest 'what no standby has is not acknowledged' => sub {
    my ($id, $id2) = map { $cluster->post('/help-support/u', submission())->{json}{id} } 1 .. 2;
    my $etag = $cluster->get("/help-support/$id2")->{headers}{etag};
    my $load = start_load();
    HSOutage::wait_for_answers($load, 50);
    $load->stop;
    my ($one, $other) = @{$cluster->{nodes}};
    my %request = (
        'a submission' => sub { $one->post('/help-support/u', submission()) },
        'one with a key' => sub {
            $other->post('/help-support/u', submission(), headers => {'Idempotency-Key' => 'k'});
        },
        'a change' => sub { $one->patch("/help-support/$id/status?status=closed") },
        'one with If-Match' => sub {
            $other->patch("/help-support/$id2/status?status=closed", headers => {'If-Match' => $etag});
        },
    );
    $cluster->{standby}->stop('immediate');
    my $before = $cluster->sql('SELECT count(*) FROM ticket');
    my %answer;
    for my $what (sort keys %request) {
        my $pid = open($answer{$what}, '-|') // die "fork: $!\n";
        next if $pid;
        my $got = $request{$what}->();
        print "$got->{status} ", $got->{headers}{'retry-after'} ? 'later' : '';
        close STDOUT;
        POSIX::_exit(0);
    }
    # Whoever waits is ended: what it wrote can then be seen, also by those who ask again.
    wait_until('all is seen', sub {
        $cluster->sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                . q{WHERE wait_event = 'SyncRep'});
        $cluster->sql("SELECT count(*), min(status) FILTER (WHERE id IN ('$id', '$id2')) FROM ticket")
            eq $before + 2 . '|3';
    });
    is $cluster->get("/help-support/$id")->{status}, 200, 'reading goes on';
    is $_->request(GET => '/static.txt')->{status}, 200, 'so do static files' for @{$cluster->{nodes}};
    is readline($answer{$_}), '503 later', "$_ is told to try later" for sort keys %request;
    $cluster->{standby}->launch;
    wait_until('nobody waits any more', sub { !waiting() });
    is $cluster->post('/help-support/u', submission())->{status}, 201, 'with the standby all is well';
    like $cluster->log, qr/HS0010: .*standby/, 'the log says what to look at';
};

subtest 'the primary is lost, the standby promoted' => sub {
    my $kills = $is_long ? 20 : 1;
    for my $kill (1 .. $kills) {
        my $load = start_load();
        HSOutage::wait_for_answers($load, 300);
        my $usual = usual();
        my $asking = $cluster->ask_static;
        # Longer than a request may wait, so that all is seen: waiting, refusing, coming back.
        my $since = $cluster->fail_over($kill == 1 ? 7 : rand 8);
        my @back = $cluster->back_after($since);
        HSOutage::wait_for_answers($load, 300);
        my $static = $cluster->slowest_static($asking);
        my $ledger = $load->stop;
        note "kill $kill: nodes write after @back s, a static file takes $static s at most";
        cmp_ok $_, '<', 2 + 2 * $usual, 'a node writes within 2 s' for @back;
        cmp_ok $static, '<', 3, 'static files never wait';
        my $tally = tally($ledger);
        is_deeply [grep { !$FINE{$_} } keys %$tally], [], 'answers are right, or 503';
        ok $tally->{'503 problem later'}, 'some were refused' if $kill == 1;
        cmp_ok slowest($ledger), '<', 15, 'nothing hangs';
        nothing_lost($ledger);
        wait_for_mails();
        cmp_ok newly_doubled($ledger), '<=', 1, 'at most one mail went out twice';
        $cluster->rejoin;
    }
};

subtest 'a node is lost' => sub {
    my $kills = $is_long ? 20 : 2;
    my $total = 0;
    for my $kill (1 .. $kills) {
        my $node = $cluster->{nodes}[$kill % 2];
        my $other = $cluster->{nodes}[1 - $kill % 2];
        my $load = start_load();
        HSOutage::wait_for_answers($load, 200);
        my $mails = $relay->mail_count;
        wait_until('mails go out', sub { $relay->mail_count > $mails + 5 });
        sleep rand 0.3;
        $cluster->lose_node($node);
        HSOutage::wait_for_answers($load, 200);
        # Its leases run out, or it comes back and knows them.
        my $comes_back = $kill % 4 >= 2;
        $node->launch if $comes_back;
        my $ledger = $load->stop;
        is_deeply [grep { !$FINE{$_} && !/^(?:0|50[234])$/ } keys %{tally($ledger)}], [],
            'answers are right, or say that there is none';
        nothing_lost($ledger);
        my $leases = wait_for_mails(is_back => $comes_back);
        my $doubled = newly_doubled($ledger);
        $total += $doubled if $comes_back;
        note "$doubled mails went out twice, $leases leases ran out";
        # What it gave to the relay, and could not note any more; or could not tell the database.
        cmp_ok $doubled, '<=', $comes_back ? 4 : $leases, 'few mails went out twice';
        $node->launch if !$comes_back;
        wait_for_sender($node);
    }
    cmp_ok $total, '<=', $kills, 'at most one mail a kill went out twice' if $is_long;
};

subtest 'a restart of PostgreSQL and sessions that are ended fail no request' => sub {
    my $load = start_load();
    HSOutage::wait_for_answers($load, 50);
    for my $how (('fast', 'immediate') x ($is_long ? 10 : 1)) {
        $cluster->{primary}->restart($how);
        HSOutage::wait_for_answers($load, 100);
    }
    for (1 .. ($is_long ? 50 : 3)) {
        $cluster->sql('SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity '
                . q{WHERE usename = 'helpsupport'});
        HSOutage::wait_for_answers($load, 20);
    }
    my $ledger = $load->stop;
    $cluster->{primary}->restart('fast');
    is $_->post('/help-support/u', submission())->{status}, 201, 'nor does one while nobody asks'
        for @{$cluster->{nodes}};
    is_deeply [grep { !/^20[01]$/ } keys %{tally($ledger)}], [], 'no request of ' . @$ledger . ' failed';
    nothing_lost($ledger);
};

# As when a pooler leads to another server than before.
subtest 'a primary that is only to be read from now on' => sub {
    my $id = $cluster->post('/help-support/u', submission())->{json}{id};
    my $set = sub {
        my ($value) = @_;
        $cluster->sql("ALTER SYSTEM SET default_transaction_read_only = $value");
        $cluster->sql('SELECT pg_reload_conf()');
        wait_until('sessions know', sub {
            $cluster->sql('SHOW default_transaction_read_only') eq $value;
        });
    };
    $set->('on');
    for my $node (@{$cluster->{nodes}}) {
        for my $answer ($node->post('/help-support/u', submission()),
            $node->patch("/help-support/$id/status?status=closed")) {
            is $answer->{status}, 503, 'a write is refused';
            unlike $answer->{json}{detail}, qr/not known/, 'and was surely not done';
            ok $answer->{headers}{'retry-after'}, 'for now';
        }
    }
    $set->('off');
    my @back = $cluster->back_after(time);
    cmp_ok $_, '<', 5, "$_ s later all is well" for @back;
};

is $cluster->stop, 0, 'a clean end';

# A machine that is gone without a word: packets to it are lost, no connection is refused.
subtest 'a primary that is a black hole' => sub {
    my $proxy;
    my $far = HSCluster->start(nodes => 1, server => "HelpSupportDBPool 4 1s\n", params => 'connect_timeout=2',
        way => sub { ($proxy = HSProxy->start($_[0]))->{port} });
    my $node = $far->{nodes}[0];
    is $node->post('/help-support/u', submission())->{status}, 201, 'all is well';
    my $load = HSLoad->start($far, clients => 6, changes => 0.2, reads => 0.2);
    HSOutage::wait_for_answers($load, 50);
    my $usual = usual($far);
    $proxy->mode('hole');
    my $asking = $far->ask_static;
    # As long as connections are kept that wait for an answer.
    sleep 4;
    $far->{primary}->lose;
    my @back = $far->back_after($far->promote);
    HSOutage::wait_for_answers($load, 50);
    cmp_ok $far->slowest_static($asking), '<', 3, 'static files never wait';
    my $ledger = $load->stop;
    note "back after $back[0] s, the slowest answer took ", slowest($ledger), ' s';
    cmp_ok $back[0], '<', 2 + 2 + 2 * $usual, 'a write succeeds within connect_timeout and 2 s';
    is_deeply [grep { !$FINE{$_} } keys %{tally($ledger)}], [], 'answers are right, or 503';
    cmp_ok slowest($ledger), '<', 8, 'nothing hangs';
    is_deeply HSLoad::missing($far, $ledger), [], 'nothing acknowledged is missing';
    is $far->stop, 0, 'a clean end';
};

subtest 'MariaDB is restarted, and lost' => sub {
    plan skip_all => 'no MariaDB server is installed' unless HSServer->is_installed('mysql');
    start_cluster(driver => 'mysql');
    for my $kill (1 .. ($is_long ? 20 : 2)) {
        my $load = start_load();
        HSOutage::wait_for_answers($load, 200);
        my $usual = usual();
        $cluster->{primary}->stop($kill % 2 ? 'immediate' : 'fast');
        # Longer than a request may wait, in every other pair.
        sleep 7 if $kill % 4 >= 2;
        $cluster->{primary}->launch;
        my @back = $cluster->back_after(time);
        HSOutage::wait_for_answers($load, 100);
        my $ledger = $load->stop;
        note "kill $kill: nodes write after @back s";
        cmp_ok $_, '<', 2 + 2 * $usual, 'a node writes within 2 s' for @back;
        is_deeply [grep { !$FINE{$_} } keys %{tally($ledger)}], [], 'answers are right, or 503';
        cmp_ok slowest($ledger), '<', 15, 'nothing hangs';
        nothing_lost($ledger);
        wait_for_mails();
        cmp_ok newly_doubled($ledger), '<=', 1, 'at most one mail went out twice';
    }
    is $cluster->stop, 0, 'a clean end';
};

subtest 't/cluster, by hand' => sub {
    my $port = free_port();
    my $temp = File::Temp->newdir('helpsupport-XXXXXX', TMPDIR => 1);
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $ENV{TMPDIR} = "$temp";
        $ENV{PORT} = $port;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$temp/stdout";
        exec "$Bin/cluster" or POSIX::_exit(127);
    }
    chmod 0755, "$temp";
    wait_until('it is up', sub { HS::slurp("$temp/stdout") =~ /^Type /m });
    my ($curl) = HS::slurp("$temp/stdout") =~ /^(curl .*-d .*)/m;
    my ($status, $out) = command('sh', '-c', $curl);
    like $out, qr{^HTTP/1.1 201 }, 'its first example works';
    ($curl) = HS::slurp("$temp/stdout") =~ /^(curl .*Authorization.*)/m;
    ($status, $out) = command('sh', '-c', $curl);
    like $out, qr{^HTTP/1.1 200 }, 'so does its second';
    my @all = descendants($pid);
    cmp_ok scalar @all, '>', 10, 'many processes';
    kill 'INT', $pid;
    waitpid $pid, 0;
    is $?, 0, 'Ctrl-C ends it';
    wait_until('all of them are gone', sub { !grep { is_running($_) } @all });
    unlink "$temp/stdout";
    is_deeply [glob "$temp/*"], [], 'nothing is left';
};

done_testing;
