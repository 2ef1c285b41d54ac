# 23-search.t - q while the mail process moves words into the index: at once, under load, killed, without a database.
# SPDX-License-Identifier: Apache-2.0
# HS_KILLS (3; HS_LONG: 200) kills, HS_SEED repeats a run's choice of moments.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(submission wait_until);
use HSLoad;
use HSMail qw(is_running sender_pid wait_for_sender);
use HSOutage;
use HSServer;
use Test::More;
use Time::HiRes qw(sleep time);

my $enough = 256;    # HS_STORE_WAITING_MIN
$ENV{HS_SEED} //= int time;
srand $ENV{HS_SEED};
note "HS_SEED=$ENV{HS_SEED}";

# The database of $hs says how many.
sub ask {
    my ($hs, $sql) = @_;
    my $said = $hs->sql($sql);
    chomp $said;
    die "$sql: $said\n" if $said !~ /^\d+$/;
    return $said;
}

sub moved { return ask($_[0], 'SELECT coalesce(sum(tickets), 0) FROM search_segment') }
sub waiting { return ask($_[0], 'SELECT count(*) FROM search_waiting') }

# What q finds, page by page: how often each ticket's id came.
sub search {
    my ($hs, $q) = @_;
    my %times;
    my $path = "/help-support?q=$q&limit=300";
    while ($path) {
        my $answer = $hs->get($path);
        die "$path: $answer->{status} $answer->{body}\n" if $answer->{status} != 200;
        $times{$_->{id}}++ for @{$answer->{json}};
        ($path) = ($answer->{headers}{link} // '') =~ /<([^>]+)>; rel="next"/;
    }
    return \%times;
}

sub count {
    my ($hs, $q) = @_;
    return $hs->get("/help-support?q=$q&limit=1&count=true")->{headers}{'x-total-count'};
}

# Each ticket of the list is found once, and counted.
sub finds_all {
    my ($hs, $what) = @_;
    my %all = map { $_ => 1 } keys %{HSLoad::all_tickets($hs)};
    is_deeply search($hs, 'jan'), \%all, "$what: each ticket is found once";
    is count($hs, 'jan'), scalar keys %all, 'and counted';
}

# A ticket is found as soon as its 201 is there.
sub finds_at_once {
    my ($hs, $word, $when) = @_;
    my $answer = $hs->post('/help-support/u', submission(message => "My $word is broken"));
    is $answer->{status}, 201, "a ticket with $word";
    is_deeply search($hs, $word), {$answer->{json}{id} => 1}, "is found $when";
}

sub start {
    my (%option) = @_;
    return HS->start(location => "HelpSupportSubmitLimit off\n", %option);
}

my $relay = HSMail->start;
my %mail = (
    'without a mail server' => '',
    'with mail off' => $relay->lines("HelpSupportMail off\n"),
    'with mail' => $relay->lines("HelpSupportMailLimit recipient off\nHelpSupportMailLimit site off\n"),
);
for my $how (sort keys %mail) {
    subtest $how => sub {
        my $hs = start(server => $mail{$how});
        finds_at_once($hs, 'needle', 'while it waits');
        is moved($hs), 0, 'one ticket is not worth a move';
        HSLoad->start($hs, clients => 4, count => ($enough + 40) / 4, keys => 0)->wait;
        wait_until('words were moved', sub { moved($hs) >= $enough });
        pass 'words are moved';
        is scalar(keys %{search($hs, 'needle')}), 1, 'the first ticket is found in the index';
        finds_at_once($hs, 'haystack', 'after a move');
        finds_all($hs, 'now');
        is_deeply HSLoad::damage($hs), [], 'the tables are whole';
        is $hs->stop, 0;
        unlike $hs->log, qr/HS0057|exit signal/, 'without trouble';
    };
}

# Killed soon after it began, when most is to be done; never before something was moved or waits. It
# is started again with a pause that grows to 32 s, unless it lived for 5 s, as each fourth does.
subtest 'killed while it moves' => sub {
    my $kills = $ENV{HS_KILLS} // ($ENV{HS_LONG} ? 200 : 3);
    my $hs = start();
    my $load = HSLoad->start($hs, clients => 4, keys => 0.5, pause => $ENV{HS_LONG} ? 0.02 : 0.004);
    my $pid = wait_for_sender($hs);
    my $in_time = 0;
    for my $kill (1 .. $kills) {
        wait_until('there was something to do', sub { waiting($hs) >= $enough || moved($hs) });
        sleep($kill % 4 ? rand 0.2 : 5 + rand 1);
        kill 'KILL', $pid;
        $in_time += waiting($hs) >= $enough;
        $pid = wait_for_sender($hs, $pid);
    }
    my $ledger = $load->stop;
    note scalar(@$ledger) . " tickets, $in_time of $kills kills while many waited";
    cmp_ok $in_time, '>', 0, 'it was killed while many tickets waited' if $ENV{HS_LONG};
    is_deeply HSLoad::missing($hs, $ledger), [], 'no ticket is missing';
    is_deeply HSLoad::damage($hs), [], 'the words of all are in one place';
    finds_all($hs, 'then');
    HSLoad->start($hs, clients => 4, count => $enough / 4, keys => 0)->wait;
    wait_until('it goes on', sub { waiting($hs) < $enough });
    finds_all($hs, 'and when it went on');
    is $hs->stop, 0;
};

subtest 'stopped while it moves' => sub {
    my $hs = start();
    my $load = HSLoad->start($hs, clients => 4, keys => 0, retry_kept => 1, pause => 0.008);
    wait_until('words are moved', sub { moved($hs) });
    my $pid = sender_pid($hs);
    my $start = time;
    $hs->restart('USR1');
    my $new = wait_for_sender($hs, $pid);
    my $seconds = time - $start;
    cmp_ok $seconds, '<', 12, sprintf 'after a graceful restart another goes on: %.1f s', $seconds;
    my $before = moved($hs);
    wait_until('it moves words', sub { moved($hs) > $before });
    $start = time;
    is $hs->stop, 0, 'a stop';
    $seconds = time - $start;
    cmp_ok $seconds, '<', 8, sprintf 'takes %.1f s', $seconds;
    wait_until('the mail process is gone', sub { !is_running($new) });
    $load->stop;
    $hs->launch;
    finds_all($hs, 'afterwards');
    is_deeply HSLoad::damage($hs), [], 'the tables are whole';
    is $hs->stop, 0;
    unlike $hs->log, qr/exit signal|HS0042/, 'without a crash';
};

# A server's is down, a file is locked by somebody, when there is much to move.
subtest 'a database that is away' => sub {
    my $driver = $ENV{HS_DB} // 'sqlite3';
    my $own = $driver eq 'sqlite3' ? undef : HSServer->start($driver);
    my $hs = $own ? HSOutage::start_httpd($own) : start();
    my $pid = wait_for_sender($hs);
    finds_at_once($hs, 'early', 'before');
    sleep 1.5;    # so that it has seen that ticket, and holds no lock when it is stopped
    kill 'STOP', $pid;
    HSLoad->start($hs, clients => 4, count => $enough / 2, keys => 0)->wait;
    my $unlock = $own ? sub { $own->launch } : $hs->lock_database;
    $own->stop if $own;
    kill 'CONT', $pid;
    $hs->wait_for_log(qr/HS0057/);
    my ($line) = $hs->log =~ /^(.*HS0057.*)$/m;
    note $line;
    like $line, qr/error\].* HS0057: the index of words is not kept up/, 'the log says what does not work';
    $unlock->();
    wait_until('it goes on', sub { moved($hs) >= 2 * $enough });
    is scalar(my @lines = $hs->log =~ /HS0057/g), 1, 'and it said so once';
    is sender_pid($hs), $pid, 'it is the same process';
    finds_all($hs, 'then');
    is_deeply HSLoad::damage($hs), [], 'the tables are whole';
    is $hs->stop, 0;
};

done_testing;
