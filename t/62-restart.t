# 62-restart.t - graceful restarts fail no request, a graceful stop finishes what is in flight.
# SPDX-License-Identifier: Apache-2.0
# HS_RESTARTS (4; `make check-long`: 50) restarts under load.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(parse_answer submission wait_until);
use HSLoad;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

my $restarts = $ENV{HS_RESTARTS} // ($ENV{HS_LONG} ? 50 : 4);
my $unlimited = "HelpSupportSubmitLimit off\n";
my $body = JSON::PP->new->utf8->encode(submission());

# A connection on which a submission was begun: all of it but the last octets.
sub begin_request {
    my ($hs) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hs->{port})
        or die "connect: $!\n";
    my $length = length $body;
    $socket->syswrite("POST /help-support/slow HTTP/1.1\r\nHost: x\r\n"
        . "Content-Type: application/json\r\nContent-Length: $length\r\n\r\n"
        . substr $body, 0, -5);
    return $socket;
}

# Send the rest and read all that comes until httpd closes.
sub end_request {
    my ($socket) = @_;
    $socket->syswrite(substr $body, -5);
    my ($answer, $select) = ('', IO::Select->new($socket));
    while ($select->can_read(20)) {
        $socket->sysread($answer, 65536, length $answer) or last;
    }
    return parse_answer($answer);
}

for my $mpm (qw(event worker prefork)) {
    subtest "graceful restarts under load, $mpm" => sub {
        my $hs = HS->start(mpm => $mpm, location => $unlimited);
        my @loads = map { HSLoad->start($hs, clients => 3, changes => 0.3, retry_kept => 1, @$_) }
            [], [fresh => 1];
        my $pid = $hs->{pid};
        my $slow = begin_request($hs);
        for my $restart (1 .. ($mpm eq 'event' ? $restarts : 1)) {
            my $before = $loads[0]->answered;
            wait_until('there are answers', sub { $loads[0]->answered > $before + 10 });
            $hs->restart('USR1');
            sleep 0.3;
        }
        is end_request($slow)->{status}, 201, 'a request that began before them is finished';
        my $before = $loads[1]->answered;
        wait_until('there are answers', sub { $loads[1]->answered > $before + 10 });
        my $ledger = [map { @{$_->stop} } @loads];
        my @failed = grep { $_->{status} !~ /^20[01]$/ } @$ledger;
        is_deeply \@failed, [], 'no request of ' . @$ledger . ' failed';
        is_deeply HSLoad::missing($hs, $ledger), [], 'nothing is missing';
        is kill(0, $pid), 1, 'the parent is the same';
        unlike $hs->log, qr/exit signal|seg fault|scoreboard is full/, 'no child crashed';
        is $hs->stop, 0, 'a clean end';
    };
}

subtest 'a graceful stop finishes what is in flight' => sub {
    my $hs = HS->start(location => $unlimited);
    is $hs->post('/help-support/u1', submission())->{status}, 201;
    my $half = begin_request($hs);
    my @waiting = map { begin_request($hs) } 1 .. 5;
    my $unlock = $hs->lock_database;
    $_->syswrite(substr $body, -5) for @waiting;
    sleep 0.3;
    kill 'WINCH', $hs->{pid};
    wait_until('httpd listens no more', sub {
        !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hs->{port});
    });
    $unlock->();
    my @answers = (end_request($half));
    for my $socket (@waiting) {
        my ($answer, $select) = ('', IO::Select->new($socket));
        while ($select->can_read(20)) {
            $socket->sysread($answer, 65536, length $answer) or last;
        }
        push @answers, parse_answer($answer);
    }
    is_deeply [map { $_->{status} } @answers], [(201) x 6],
        'half a body and five that wait for the lock are answered';
    my $ended;
    wait_until('httpd has ended', sub { ($ended = waitpid $hs->{pid}, WNOHANG) == $hs->{pid} });
    is $?, 0, 'then httpd ends';
    is $hs->sql('SELECT count(*) FROM ticket') + 0, 7, 'and all is stored';
    is_deeply HSLoad::damage($hs), [], 'and whole';
};

done_testing;
