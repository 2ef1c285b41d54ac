# 65-mail-crash.t - kill -9 of the mail process, of all httpd and of the relay at any moment: each
# acknowledged ticket has its mail; what goes out twice is the same, and seldom.
# SPDX-License-Identifier: Apache-2.0
# HS_KILLS (9; `make check-long`: 200) kills, HS_SEED repeats a run's choice of moments.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(submission wait_until);
use HSLoad;
use HSMail qw(children is_running sender_pid ticket_number wait_for_sender);
use Test::More;
use Time::HiRes qw(sleep time);

my $kills = $ENV{HS_KILLS} // ($ENV{HS_LONG} ? 200 : 9);
$ENV{HS_SEED} //= int time;
srand $ENV{HS_SEED};
note "HS_SEED=$ENV{HS_SEED}";

my $relay = HSMail->start;
my $hs = HS->start(
    location => "HelpSupportSubmitLimit off\n",
    server => $relay->lines("HelpSupportMailLimit recipient off\nHelpSupportMailLimit site off\n")
        . "StartServers 2\nServerLimit 2\nThreadsPerChild 16\nMaxRequestWorkers 32\n"
        . "MinSpareThreads 1\nMaxSpareThreads 32\n",
);
$hs->token;

# A mail whose answer was lost waits ten minutes, one that was cut off earlier a minute: as if they had
# passed.
sub let_time_pass {
    my $fault = $hs->sql(q{UPDATE mail SET next_us = 0 WHERE state = 'queued' AND detail <> ''});
    # the sender may be writing the same rows; the next call comes
    die $fault if $fault !~ /^(?:$|.*deadlock)/i;
}

sub kill_all {
    kill 'STOP', $hs->{pid};    # or a child that it starts just now would live on
    my @pids = children($hs->{pid});
    kill 'KILL', $hs->{pid}, @pids;
    $hs->stop;
    wait_until('all are gone', sub { !grep { is_running($_) } @pids });
    $hs->launch;
}

# Returns what was killed.
sub kill_some {
    my ($number) = @_;
    if ($number % 3 == 0) {
        my $pid = wait_for_sender($hs);
        kill 'KILL', $pid;
        return 'mail process';
    }
    if ($number % 3 == 1) {
        kill_all();
        return 'httpd';
    }
    $relay->down;
    sleep rand 0.3;
    $relay->up;
    return 'relay';
}

my $load = HSLoad->start($hs, clients => 3, keys => 0, pause => 0.04);
my %killed;
for my $kill (1 .. $kills) {
    # Never before there was something to lose: else two kills would count that hit the same mail.
    my $mails = $relay->mail_count;
    wait_until('mails go out', sub { $relay->mail_count > $mails + 3 });
    sleep rand 0.4;
    $killed{kill_some($kill)}++;
    let_time_pass();
}
my $ledger = $load->stop;
my %number = map { $_->{id} => $_->{number} } values %{HSLoad::all_tickets($hs)};
my @acknowledged = map { $_->{json}{id} } grep { $_->{status} == 201 } @$ledger;

my %copies;
my $is_over = eval {
    wait_until('no mail is queued', sub {
        let_time_pass();
        sleep 0.3;
        my ($status, $out) = $hs->ctl('mail', 'list', '--state', 'queued');
        $status == 0 && 1 == (() = $out =~ /\n/g);
    }, $ENV{HS_LONG} ? 300 : 40);
};
ok $is_over, 'in the end no mail is queued';
push @{$copies{ticket_number($_)}}, $_ for $relay->mails;

my @missing = grep { !$number{$_} || !$copies{$number{$_}} } @acknowledged;
is_deeply \@missing, [], 'each acknowledged ticket has its mail';
is_deeply [grep { !$copies{$_} } values %number], [], 'so has each other that is stored';
my $doubled = 0;
my @different;
for my $number (sort keys %copies) {
    my ($first, @others) = @{$copies{$number}};
    $doubled += @others;
    push @different, $number if grep { $_->{data} ne $first->{data} } @others;
}
note scalar(@acknowledged) . " acknowledged tickets, killed: "
    . join(', ', map { "$_ $killed{$_}" } sort keys %killed) . "; $doubled mails went out twice";
cmp_ok scalar @acknowledged, '>', 5 * $kills, 'there was load';
cmp_ok $doubled, '<=', $kills, 'at most one mail a kill went out twice';
is_deeply \@different, [], 'and then with the same Message-ID and octets';
my ($status, $out) = $hs->ctl('mail', 'list');
is $out =~ s/.*\n//r, '', 'none failed';
is $hs->stop, 0;
unlike $hs->log, qr/segfault|exit signal (?!Killed)/, 'nothing died by itself';

done_testing;
