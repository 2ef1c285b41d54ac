# 38-mpm.t - the whole API once under each of the MPMs, with several clients and a restart; and as
# the whole server.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(parse_answer submission);
use POSIX ();
use Test::More;

# Several clients submit at once; half of the requests have a key that another client uses, too.
sub submit_at_once {
    my ($hs, $clients, $each) = @_;
    my @pipes;
    for my $client (1 .. $clients) {
        my $pid = open(my $pipe, '-|') // die "fork: $!\n";
        if (!$pid) {
            for my $number (1 .. $each) {
                my %key = $number % 2 ? ('Idempotency-Key' => "key-$number") : ();
                my $answer = $hs->post('/help-support/many', submission(), headers => \%key);
                print "$answer->{status} ", $answer->{json}{id} // '-', "\n";
            }
            close STDOUT;
            POSIX::_exit(0);
        }
        push @pipes, $pipe;
    }
    my @lines = map { readline $_ } @pipes;
    close $_ for @pipes;
    return map { [split] } @lines;
}

for my $mpm (qw(event worker prefork)) {
    subtest $mpm => sub {
        my $hs = HS->start(mpm => $mpm, location => "HelpSupportSubmitLimit off\nHelpSupportMaxBody 1000\n",
            server => "HelpSupportDBPool 2 5s\n");
        my $created = $hs->post('/help-support/u', submission());
        is $created->{status}, 201;
        my $path = $created->{headers}{location};
        is $hs->get($path)->{json}{user_id}, 'u';
        is $hs->patch("$path/status?status=pending")->{json}{status}, 'pending';
        is scalar @{$hs->get("$path/history")->{json}}, 3, 'created, mail, status';
        is $hs->request(GET => $path)->{status}, 401;
        is $hs->request(DELETE => $path)->{status}, 405;
        is $hs->post('/help-support/u', {})->{status}, 422;
        is $hs->post('/help-support/u', submission(message => 'x' x 1000))->{status}, 413;
        my @answers = submit_at_once($hs, 6, 10);
        is_deeply [grep { $_->[0] != 201 } @answers], [], 'all of many at once are accepted';
        my %ids = map { $_->[1] => 1 } @answers;
        is scalar keys %ids, 6 * 5 + 5, 'one ticket for each key, one for each request without';
        my $list = $hs->get('/help-support?user_id=many&limit=1000&count=true');
        is $list->{headers}{'x-total-count'}, scalar keys %ids, 'no ticket but the answered ones';
        is_deeply {map { $_->{id} => 1 } @{$list->{json}}}, \%ids;
        $hs->restart('USR1');
        is $hs->get($path)->{json}{status}, 'pending', 'after a graceful restart';
        is $hs->post('/help-support/u', submission())->{status}, 201;
        is $hs->stop, 0, 'httpd ends cleanly';
        unlike $hs->log, qr/exit signal|segfault|core dump/i, 'no child died';
    };
}

subtest 'a Location that is the whole server' => sub {
    my $hs = HS->start;
    open my $in, '<', $hs->{config} or die;
    my $config = join '', readline $in;
    $config =~ s{<Location "/help-support">}{<Location "/">} or die;
    open my $out, '>', $hs->{config} or die;
    print $out $config;
    close $out or die;
    $hs->restart('HUP');
    my $answer = $hs->post('/u%7C1', submission());
    is $answer->{status}, 201;
    my $path = $answer->{headers}{location};
    is $path, "/$answer->{json}{id}";
    is $hs->get($path)->{json}{user_id}, 'u|1';
    is $hs->post('/help-support', submission())->{status}, 201, 'that is a user_id now';
    is $hs->patch("$path/status?status=closed")->{status}, 200;
    my ($next) = $hs->get('/?limit=1')->{headers}{link} =~ /^<([^>]*)>; rel="next"/;
    like $next, qr{^/\?limit=1&after=}, 'its Link';
    is $hs->get($next)->{json}[0]{user_id}, 'u|1';
    is $hs->request(OPTIONS => '/')->{headers}{allow}, 'GET, HEAD, OPTIONS';
    is $hs->get("/$_")->{json}{status}, 404, $_ for 'index.html', 'a%2Fb', 'a/b/c';
    is parse_answer($hs->raw("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))->{status}, 200,
        'OPTIONS * is still the server\'s';
    is $hs->stop, 0;
};

done_testing;
