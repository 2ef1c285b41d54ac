# 68-mail-nodes.t - two nodes that have all names in common, as containers of one image: neither frees
# what the other is sending, each at once what itself was.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command wait_until);
use HSMail qw(mail_state sender_pid submit ticket_number wait_for_sender wait_for_state);
use HSServer;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'no PostgreSQL server is installed' unless HSServer->is_installed('pgsql');
plan skip_all => 'needs the right to mount' if command('unshare', '-m', 'true');

my $relay = HSMail->start;
my $run = tempdir(CLEANUP => 1);    # where each node finds its own folder

# A node; `$first` is one that has the same database.
sub node {
    my ($first) = @_;
    local $ENV{HS_DB} = 'pgsql';
    my $hs = HS->prepare(
        location => "HelpSupportSubmitLimit off\n",
        server => $relay->lines("HelpSupportMailLimit recipient off\n") . "DefaultRuntimeDir $run\n",
        $first ? (db => $first->{db}) : (),
    );
    @$hs{qw(server_db database tokens)} = @$first{qw(server_db database tokens)} if $first;
    $hs->{within} = ['unshare', '-m', 'sh', '-c',
        'mount --bind "$1" "$2" && shift 2 && exec "$@"', 'sh', "$hs->{root}/logs", $run];
    return $hs;
}

sub copies {
    my %copies;
    $copies{ticket_number($_)}++ for $relay->mails;
    return \%copies;
}

my $one = node();
$one->token;
my $two = node($one);
$one->launch;
$relay->rules("dot \@slow wait 8000\n");
my @tickets = map { submit($one, email => "$_\@slow.example") } 1 .. 4;
$relay->wait_for_mails(4);    # each thread has one in flight

subtest 'another node starts' => sub {
    $two->launch;
    is scalar(my @locks = map { glob "$_->{root}/logs/helpsupport-*.lock" } $one, $two), 2,
        'each has a lock';
    is $locks[0] =~ s{.*/}{}r, $locks[1] =~ s{.*/}{}r, 'of the same name';
    wait_for_state($two, submit($two, email => 'quick@mail.example'), 'sent');
    note scalar(grep { mail_state($one, $_) eq 'queued' } @tickets), ' are still being sent';
    kill 'KILL', wait_for_sender($two);
    wait_for_state($two, submit($two, email => 'quick2@mail.example'), 'sent');
    wait_for_state($one, $_, 'sent') for @tickets;
    is_deeply copies(), {map { $_ => 1 } 1 .. 6}, 'each mail went out once';
    unlike $one->log . $two->log, qr/queued again/, 'and none was queued again';
};

subtest 'one that is killed' => sub {
    $relay->rules("dot \@hang silent\n");
    is $one->stop, 0;
    my $ticket = submit($two, email => 'a@hang.example');
    $relay->wait_for_mails(7);
    $relay->rules('');
    my $start = time;
    kill 'KILL', sender_pid($two);
    wait_for_state($two, $ticket, 'sent');
    note sprintf 'sent again %.1f s after the kill', time - $start;
    like $two->log, qr/1 mails of a mail process that died are queued again/, 'frees its own at once';
    is $two->stop, 0;
};

done_testing;
