package HSOutage;    # what the tests share that take a database server away from httpd
# SPDX-License-Identifier: Apache-2.0
#
#   my $hs = HSOutage::start_httpd($server);
#   my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
#   ... restart, lock, cut ...
#   HSOutage::nothing_failed($hs, $load->stop);
use strict;
use warnings;
use HS qw(submission wait_until);
use HSLoad;
use Test::More;
use Time::HiRes qw(sleep time);

# An httpd on a new database of that server. Options are HS->start's; `port` is another way to the
# server.
sub start_httpd {
    my ($server, %option) = @_;
    my $db = $server->database;
    my $name = $server->{last};
    my $port = delete $option{port};
    if ($port) {
        $db =~ s/host=[^\s,]+([ ,])port=\d+/host=127.0.0.1$1port=$port/;
    }
    my $hs = HS->prepare(db => $db, location => "HelpSupportSubmitLimit off\n", %option);
    @$hs{qw(server_db database)} = ($server, $name);
    my ($status, $out, $err) = $hs->ctl('db', 'init');
    is $status, 0, 'the tables are made' or diag $err;
    $hs->launch;
    return $hs;
}

# Wait until the load has that many answers more.
sub wait_for_answers {
    my ($load, $count) = @_;
    my $before = $load->answered;
    wait_until('there are answers', sub { $load->answered > $before + $count });
}

sub nothing_lost {
    my ($hs, $ledger) = @_;
    is_deeply HSLoad::missing($hs, $ledger), [], 'nothing acknowledged is missing';
    is_deeply HSLoad::damage($hs), [], 'and the tables are whole';
    unlike $hs->log, qr/exit signal|seg fault/, 'no child crashed';
}

sub nothing_failed {
    my ($hs, $ledger) = @_;
    is_deeply [grep { $_->{status} !~ /^20[01]$/ } @$ledger], [],
        'no request of ' . @$ledger . ' failed';
    nothing_lost($hs, $ledger);
}

# Each exchange with the server is cut with that probability, before or after it was done.
sub cut_connections {
    my ($hs, $proxy, $chance, $answers) = @_;
    for my $mode ("after $chance", "before $chance") {
        my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
        $proxy->mode($mode);
        wait_for_answers($load, $answers);
        $proxy->mode('pass');
        my $ledger = $load->stop;
        my %count;
        $count{$_->{status}}++ for @$ledger;
        note "$mode: ", explain \%count;
        ok !(grep { !/^(?:20[01]|503)$/ } keys %count), "$mode: answers are right or 503";
        ok $count{201}, 'tickets are stored';
        nothing_lost($hs, $ledger);
    }
}

# While the server answers nothing for some seconds, httpd answers all that asks no database, and
# refuses the rest in bounded time. `$hang` and `$resume` are what makes and ends that.
sub hangs {
    my ($hs, $hang, $resume) = @_;
    open my $file, '>', "$hs->{root}/htdocs/static.txt" or die "$!\n";
    print $file "static\n";
    close $file;
    is $hs->post('/help-support/u', submission())->{status}, 201, 'all is well';
    $hang->();
    my $load = HSLoad->start($hs, clients => 40, keys => 0, fresh => 1);
    my ($worst, $count, $end) = (0, 0, time + 8);
    while (time < $end) {
        my $start = time;
        my @answers = ($hs->request(GET => '/static.txt'), $hs->request(OPTIONS => '/help-support'));
        my $took = (time - $start) / 2;
        is "$answers[0]{status} $answers[1]{status}", '200 204' if $count++ < 5;
        $worst = $took if $took > $worst;
        sleep 0.02;
    }
    cmp_ok $worst, '<', 0.5, "the slowest of $count static files takes $worst s";
    my $ledger = $load->stop;
    my @slow = sort { $b <=> $a } map { $_->{seconds} } @$ledger;
    is_deeply [grep { $_->{status} != 503 } @$ledger], [], 'every submission is refused';
    is_deeply [grep { !$_->{retry_after} } @$ledger], [], 'with Retry-After';
    cmp_ok $slow[0], '<', 12, "after $slow[0] s at most";
    cmp_ok scalar @$ledger, '>', 200, 'and soon at once';
    $resume->();
    wait_until('it recovers', sub { $hs->post('/help-support/u', submission())->{status} == 201 });
    # Each of httpd's processes finds out by itself.
    wait_until('all of it does', sub {
        !grep { $hs->get('/help-support?limit=1')->{status} != 200 } 1 .. 20;
    });
    pass 'afterwards all is well';
    nothing_lost($hs, $ledger);
}

1;
