# 70-memory.t - what the module costs an idle child, and that requests cost nothing for good.
# SPDX-License-Identifier: Apache-2.0
# HS_REQUESTS (40000; `make check-long`: 400000) mixed requests.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command submission wait_until);
use IO::Socket::INET;
use JSON::PP ();
use List::Util qw(max min);
use POSIX ();
use Test::More;

plan skip_all => 'sanitizers use memory of their own' if $ENV{HS_PRELOAD};
plan skip_all => 'needs /proc' unless -r "/proc/$$/status";

my $requests = $ENV{HS_REQUESTS} // ($ENV{HS_LONG} ? 400_000 : 40_000);
my $idle_limit_kb = 3 * 1024;
my $growth_limit_kb = 1024;
my $one_child = "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n"
    . "MinSpareThreads 1\nMaxSpareThreads 8\nMaxConnectionsPerChild 0\n";

# The child that serves: the only one with threads; the mail sender is another process.
sub child {
    my ($hs) = @_;
    return wait_until('the child runs', sub {
        for my $status (glob '/proc/[0-9]*/status') {
            open my $in, '<', $status or next;
            my $text = join '', <$in>;
            return $1 if $text =~ /^PPid:\s+$hs->{pid}$/m && $text =~ /^Threads:\s+(?:[89]|\d\d)$/m
                && $text =~ /^Pid:\s+(\d+)$/m;
        }
        return;
    });
}

# In kB. What is shared with the parent counts, too, as it does for whoever looks with ps.
sub rss {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!\n";
    my ($kb) = join('', <$in>) =~ /^VmRSS:\s+(\d+) kB/m;
    return $kb;
}

# How many pages of a library are touched differs from start to start: the middle one of three.
sub idle_rss {
    my ($plain) = @_;
    my @kb;
    for my $start (1 .. 3) {
        my $hs = HS->start(plain => $plain, server => $one_child);
        push @kb, rss(child($hs));
        $hs->stop;
    }
    return (sort { $a <=> $b } @kb)[1];
}

subtest 'an idle child' => sub {
    my @kb = (idle_rss(1), idle_rss(0));
    my $growth = $kb[1] - $kb[0];
    note "without the module $kb[0] kB, with it $kb[1] kB";
    cmp_ok $growth, '<', $idle_limit_kb, "it grows by $growth kB with the module";
};

# One kept connection, as many requests as are to come; returns how many got the status expected.
sub send_requests {
    my ($hs, $count, $serial) = @_;
    my $token = $hs->token;
    my $admin = "Authorization: Bearer $token\r\n";
    my $type = "Content-Type: application/json\r\n";
    my $wrong = '{"name":"","email":"x"}';
    my ($socket, $good) = (undef, 0);
    for my $i (1 .. $count) {
        my $n = 1 + int rand 20_000;
        my $body = JSON::PP->new->utf8->encode(submission(message => "$serial.$i " . 'word ' x 30));
        my ($status, $method, $path, $headers, $content) = @{[
            [201, 'POST', "/help-support/u$n", $type, $body],
            [201, 'POST', "/help-support/u$n", "${type}Idempotency-Key: $serial-$i\r\n", $body],
            [422, 'POST', "/help-support/u$n", $type, $wrong],
            [400, 'POST', "/help-support/u$n", $type, '{"name":'],
            [415, 'POST', "/help-support/u$n", "Content-Type: text/plain\r\n", 'x'],
            [200, 'GET', "/help-support/$n", $admin, ''],
            [200, 'GET', "/help-support/$n/history", $admin, ''],
            [200, 'GET', "/help-support?limit=20&status=open&user_id=u$n", $admin, ''],
            [200, 'GET', "/help-support?limit=5&skip=$n&count=100", $admin, ''],
            [200, 'GET', '/help-support?limit=5&q=jane+wor', $admin, ''],
            [401, 'GET', "/help-support/$n", "Authorization: Bearer hst_no$i\r\n", ''],
            [404, 'GET', '/help-support/x/y/z', '', ''],
            [405, 'DELETE', "/help-support/$n", '', ''],
            [422, 'GET', '/help-support?limit=0', $admin, ''],
            [200, 'PATCH', "/help-support/$n/status?status=" . (qw(open pending closed))[rand 3],
                $admin, ''],
            [204, 'OPTIONS', "/help-support/u$n", "Origin: https://a.example\r\n"
                . "Access-Control-Request-Method: POST\r\n", ''],
        ]->[$i % 16]};
        $socket //= IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hs->{port})
            or die "connect: $!\n";
        print $socket "$method $path HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: "
            . length($content) . "\r\n\r\n$content";
        my ($head, $length) = ('', 0);
        while (my $line = <$socket>) {
            last if $line eq "\r\n";
            $head .= $line;
        }
        $length = $1 if $head =~ /^Content-Length: (\d+)/mi && $status != 204;
        read $socket, my $answer, $length if $length;
        $good++ if $head =~ m{^HTTP/1\.1 $status };
        undef $socket if $head !~ /\S/ || $head =~ /^Connection: close/mi;
    }
    return $good;
}

# The same from several clients at once.
sub send_all {
    my ($hs, $count, $round) = @_;
    my $clients = 4;
    my @pids;
    for my $client (1 .. $clients) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            $SIG{TERM} = $SIG{INT} = 'DEFAULT';
            srand $client;
            my $share = int($count / $clients);
            my $good = eval { send_requests($hs, $share, "$round-$client") } // 0;
            print STDERR "client $client: $good of $share were answered as expected: $@\n"
                if $good != $share;
            POSIX::_exit($good == $share ? 0 : 1);
        }
        push @pids, $pid;
    }
    my $failed = 0;
    for my $pid (@pids) {
        waitpid $pid, 0;
        $failed++ if $?;
    }
    return !$failed;
}

subtest "$requests requests" => sub {
    # SQLite's cache (8 MB a connection) is allowed to fill, and so are malloc's arenas, one for each
    # thread: so one connection, few threads and, before the measurement, reads from all of a
    # database that is larger than the cache.
    my $hs = HS->start(server => "${one_child}HelpSupportDBPool 1 30s\nMaxKeepAliveRequests 0\n",
        location => "HelpSupportSubmitLimit off\nHelpSupportAllowOrigin https://a.example\n");
    $hs->token;
    my $seed = <<'END';
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, status, version, created_us,
    updated_us, message)
SELECT 'seed-' || i, 'u' || i % 2000, 'Jane Doe', '123', 'a@example.com', 'a@example.com', i % 4, 1,
    i, i, 'seeded ' || hex(randomblob(300)) FROM n;
END
    my ($status, $out, $err) = command('sqlite3', "$hs->{root}/data/tickets.db", '.timeout 10000',
        $seed);
    plan skip_all => "needs sqlite3: $err" if $status;
    # A child's size goes up and down by 2 MB with what its threads do at once; what requests lose
    # adds up. So the lesser of two later rounds is held against the greater of two earlier ones: they
    # are 10,000 requests apart, or more, and 100 octets lost by each are seen.
    my (@kb, %children);
    for my $round (1 .. 4) {
        ok send_all($hs, $requests / 4, $round), "round $round: all were answered as expected";
        my $child = child($hs);
        $children{$child} = 1;
        push @kb, rss($child);
    }
    is scalar(keys %children), 1, 'by the same child';
    my $growth = min(@kb[2, 3]) - max(@kb[0, 1]);
    cmp_ok $growth, '<', $growth_limit_kb, "it grew by $growth kB: @kb";
};

done_testing;
