# 60-crash.t - kill -9 at any moment: what was acknowledged is there, whole and once.
# SPDX-License-Identifier: Apache-2.0
# HS_KILLS (5; `make check-long`: 200) kills, HS_SEED repeats a run's choice of moments.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(submission wait_until);
use HSLoad;
use Test::More;
use Time::HiRes qw(sleep time);

my $kills = $ENV{HS_KILLS} // ($ENV{HS_LONG} ? 200 : 5);
$ENV{HS_SEED} //= int time;
srand $ENV{HS_SEED};
note "HS_SEED=$ENV{HS_SEED}";

my $hs = HS->start(
    location => "HelpSupportSubmitLimit off\n",
    server => "StartServers 2\nServerLimit 2\nThreadsPerChild 16\nMaxRequestWorkers 32\n"
        . "MinSpareThreads 1\nMaxSpareThreads 32\n",
);
my $token = $hs->token;

sub children {
    my @pids;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        push @pids, $1 if (<$in> // '') =~ /^(\d+) \(.*\) \S (\d+) /s && $2 == $hs->{pid};
    }
    return @pids;
}

# Either all processes of this httpd, or its children alone: then the parent keeps the mutex that
# one of them may have held, and starts others.
sub kill_some {
    my ($all) = @_;
    if ($all) {
        kill 'KILL', -$hs->{pid};    # the whole group: else one that is just being made lives on
        $hs->stop;
        $hs->launch;
        return;
    }
    my @before = children();
    kill 'KILL', @before;
    wait_until('httpd has new children', sub {
        my %is_old = map { $_ => 1 } @before;
        grep { !$is_old{$_} } children();
    });
}

my $load = HSLoad->start($hs, clients => 6, changes => 0.3, keys => 0.6);
my $answered = 0;

# At any moment, but never before there was something to lose.
sub wait_for_answers {
    my ($after) = @_;
    return if eval { wait_until('there are answers', sub { $load->answered > $answered }) };
    my @lines = split /\n/, $hs->log;
    diag join "\n", "no answers after $after; httpd says:", @lines[-40 .. -1];
    die $@;
}

for my $kill (1 .. $kills) {
    wait_for_answers('kill ' . ($kill - 1));
    sleep 0.1 + rand 0.6;
    kill_some($kill % 3);
    $answered = $load->answered;
}
wait_for_answers("kill $kills");
my $ledger = $load->stop;

my @acknowledged = grep { $_->{status} == 201 } @$ledger;
my @unanswered = grep { !$_->{status} || ($_->{tries} // 1) > 1 } @$ledger;
my %other = map { $_->{status} => 1 } grep { $_->{status} !~ /^(?:0|200|201|503)$/ } @$ledger;
note scalar(@acknowledged) . ' tickets acknowledged, ' . scalar(@unanswered) . ' requests cut off, '
    . scalar(grep { $_->{replayed} } @$ledger) . ' answers replayed by their key, '
    . scalar(grep { $_->{status} == 503 } @$ledger) . ' times 503';
cmp_ok scalar @acknowledged, '>', 2 * $kills, "tickets were acknowledged around $kills kills";
cmp_ok scalar @unanswered, '>', 0, 'and requests were cut off';
is_deeply [sort keys %other], [], 'no status but 200, 201 and 503';
is_deeply [grep { $_->{key} && $_->{status} != 201 } @$ledger], [],
    'what has a key was acknowledged in the end';
is_deeply HSLoad::missing($hs, $ledger), [], 'every acknowledged ticket and change is there, once';
is_deeply HSLoad::damage($hs), [], 'ticket, mail, key, history and words belong together';
is $hs->post('/help-support/u1', submission())->{status}, 201, 'and it goes on';

done_testing;
