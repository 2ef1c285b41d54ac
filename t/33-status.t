# 33-status.t - PATCH {base}/{ticket_id}/status: every change, conditions, who made it.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command parse_answer submission);
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

my $access = <<'END';
AuthType Basic
AuthName desk
AuthUserFile desk.htpasswd
Require help-support submit
Require valid-user
END
my $hs = HS->start(
    modules => [qw(auth_basic authn_file authz_user)],
    location => "HelpSupportSubmitLimit off\n",
    server => qq(<Location "/desk">\nHelpSupport On\n$access</Location>\n),
);
my @STATUSES = qw(open pending resolved closed);
my $created = $hs->post('/help-support/u', submission())->{json};
my $path = "/help-support/$created->{id}";
my $count_changes = sub { scalar grep { $_->{event} eq 'status' } @{$hs->get("$path/history")->{json}} };

subtest 'any of the four to any other' => sub {
    my ($from, $changes) = ('open', 0);
    # each ordered pair, the same status twice included
    for my $to (qw(open pending pending open resolved resolved open closed closed open
            closed pending resolved pending closed resolved closed open)) {
        my $before = $hs->get($path);
        is $before->{json}{status}, $from;
        my $answer = $hs->patch("$path/status?status=$to");
        is $answer->{status}, 200, "$from to $to";
        is $answer->{json}{status}, $to;
        $changes += $from ne $to;
        if ($from eq $to) {
            is $answer->{body}, $before->{body}, 'nothing changes';
            is $answer->{headers}{etag}, $before->{headers}{etag};
        } else {
            isnt $answer->{headers}{etag}, $before->{headers}{etag}, 'a new ETag';
        }
        my $after = $hs->get($path);
        is $after->{body}, $answer->{body}, 'the answer is the ticket as GET gives it';
        is $after->{headers}{etag}, $answer->{headers}{etag};
        $from = $to;
    }
    is $count_changes->(), $changes, 'every change is in the history, nothing else';
};

subtest 'the answer' => sub {
    sleep 1.1;    # times are whole seconds
    my $answer = $hs->patch("$path/status?status=pending");
    is_deeply [$answer->{body} =~ /"(\w+)":/g],
        [qw(id name phone_number email message status created_at updated_at number user_id)];
    is $answer->{json}{created_at}, $created->{created_at};
    cmp_ok $answer->{json}{updated_at}, 'gt', $created->{created_at}, 'updated_at moves';
    my $updated = $answer->{json}{updated_at};
    my ($last) = reverse grep { $_->{event} eq 'status' } @{$hs->get("$path/history")->{json}};
    is $last->{at}, $updated, 'the history has the same time';
    is $answer->{headers}{'content-type'}, 'application/json';
    is $answer->{headers}{'cache-control'}, 'no-store';
    is $answer->{headers}{'x-content-type-options'}, 'nosniff';
    is $answer->{headers}{vary}, 'Origin';
    sleep 1.1;
    is $hs->patch("$path/status?status=pending")->{json}{updated_at}, $updated,
        'the same status leaves updated_at';
    my $number = $answer->{json}{number};
    is $hs->patch("/help-support/$number/status?status=open")->{json}{id}, $created->{id}, 'by number';
    is $hs->patch('/help-support/' . uc($created->{id}) . '/status?status=pending')->{status}, 200,
        'by id in upper case';
};

subtest 'a bad status' => sub {
    my $before = $hs->get($path);
    for my $query ('', '?', '?status=', '?status', '?status=lost', '?status=OPEN', '?status=open,closed',
        '?status=open&status=open', '?status=open&status=closed', '?status=&status=open', '?status=%20open',
        '?Status=open', '?status=open%0A', '?status=0') {
        my $answer = $hs->patch("$path/status$query");
        is $answer->{status}, 422, "'$query'";
        is $answer->{json}{errors}[0]{parameter}, 'status', 'is named';
        ok length $answer->{json}{errors}[0]{detail};
    }
    for my $query ('?status=%zz', '?status=open%', '?status=%00', '?status=%FF', '?x=%zz&status=open') {
        my $answer = $hs->patch("$path/status$query");
        is $answer->{status}, 400, "'$query'";
    }
    is $hs->get($path)->{body}, $before->{body}, 'nothing has changed';
    is $hs->patch("$path/status?x=1&status=o%70en")->{json}{status}, 'open',
        'unknown parameters are ignored, percent-encoding is decoded';
    for my $name ('042', 'x') {
        is $hs->patch("/help-support/$name/status?status=x")->{status}, 404,
            "$name is no ticket, whatever the status";
    }
};

subtest 'If-Match' => sub {
    my $patch = sub {
        my ($status, $field) = @_;
        return $hs->patch("$path/status?status=$status", headers => {'If-Match' => $field});
    };
    my $old = $hs->get($path)->{headers}{etag};
    my $answer = $patch->('closed', $old);
    is $answer->{status}, 200, 'the version it has';
    my $changes = $count_changes->();
    my $now = $answer->{headers}{etag};
    my $tag = $now =~ s/"//gr;
    for my $field ($old, "W/$now", '"x"', $tag, '', qq("x", W/$now), qq("x" $now)) {
        for my $status ('open', 'closed') {
            my $refused = $patch->($status, $field);
            is $refused->{status}, 412, "$status, $field: checked before the status that it has already";
            is $refused->{json}{status}, 412;
            is $refused->{headers}{etag}, $now, 'the ETag tells which version there is';
        }
    }
    is $count_changes->(), $changes, 'nothing has changed';
    is $hs->get($path)->{headers}{etag}, $now;
    is $patch->('closed', $now)->{status}, 200, 'the same status with the right version';
    for my $make (sub { $_[0] }, sub { qq("x", $_[0]) }, sub { '*' }, sub { $_[0] =~ s/"$/-gzip"/r },
        sub { $_[0] =~ s/"$/-br"/r }) {
        my $field = $make->($hs->get($path)->{headers}{etag});
        for my $status ('open', 'closed') {
            $answer = $patch->($status, $make->($hs->get($path)->{headers}{etag}));
            is $answer->{status}, 200, "$field, $status";
        }
    }
    is $hs->patch('/help-support/0198c1f2-0000-7000-8000-000000000000/status?status=open',
        headers => {'If-Match' => '*'})->{status}, 404, 'no such ticket';
};

subtest 'a body means nothing' => sub {
    my %bodies = ('{"status":"pending"}' => 'application/json', '{"status":' => 'application/json',
        'status=pending' => 'application/x-www-form-urlencoded', "\0\xFF" => 'image/png', '' => 'text/plain',
        'x' x 200_000 => 'application/octet-stream');
    for my $body (sort keys %bodies) {
        my $answer = $hs->patch("$path/status?status=closed", body => $body,
            headers => {'Content-Type' => $bodies{$body}});
        is $answer->{status}, 200, $bodies{$body} . ' ' . length $body;
        is $answer->{json}{status}, 'closed';
    }
    is $hs->patch("$path/status", body => '{"status":"open"}',
        headers => {'Content-Type' => 'application/json'})->{status}, 422, 'not even where it has the status';
};

subtest 'two at once with the same version' => sub {
    for my $round (1 .. 3) {
        my $etag = $hs->get($path)->{headers}{etag};
        my $is = $hs->get($path)->{json}{status};
        my @targets = (grep { $_ ne $is } @STATUSES)[0, 1];
        my $token = $hs->token;
        my @pipes = map {
            my $to = $_;
            my $pid = open(my $pipe, '-|') // die "fork: $!\n";
            if (!$pid) {
                print $hs->patch("$path/status?status=$to", headers => {'If-Match' => $etag})->{status};
                close STDOUT;
                POSIX::_exit(0);
            }
            $pipe;
        } @targets;
        my @statuses = sort map { scalar readline $_ } @pipes;
        is_deeply \@statuses, [200, 412], 'one wins, the other is told';
        close $_ for @pipes;
    }
};

subtest 'Range' => sub {
    my $answer = $hs->patch("$path/status?status=open", headers => {Range => 'bytes=0-9'});
    is $answer->{status}, 200, 'is not looked at';
    is $answer->{json}{status}, 'open', 'the whole ticket';
};

subtest 'If-None-Match' => sub {
    my $before = $hs->get($path);
    my $patch = sub {
        my ($status, $field) = @_;
        return $hs->patch("$path/status?status=$status", headers => {'If-None-Match' => $field});
    };
    my $to = $before->{json}{status} eq 'open' ? 'closed' : 'open';
    is $patch->($to, $_)->{status}, 412, "$_ matches" for '*', $before->{headers}{etag};
    is $hs->get($path)->{body}, $before->{body}, 'nothing has changed';
    is $patch->($to, '"0-0"')->{status}, 200, 'another version does not';
};

subtest 'who' => sub {
    my $before = $hs->get($path);
    my $to = $before->{json}{status} eq 'open' ? 'closed' : 'open';
    is $hs->request(PATCH => "$path/status?status=$to")->{status}, 401, 'nobody';
    is $hs->patch("$path/status?status=$to", token => $hs->token('read'))->{status}, 403, 'a reader';
    is $hs->get($path)->{body}, $before->{body}, 'nothing has changed';
    open my $out, '>', "$hs->{root}/desk.htpasswd" or die;
    print $out "j\xC3\xB6rg:{SHA}" . 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=' . "\n";    # "password"
    my $long = "\xC3\xB6" x 300;
    print $out "$long:{SHA}" . 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=' . "\n";
    print $out "M\xFCller:{SHA}" . 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=' . "\n";
    close $out;
    my $answer = $hs->request(PATCH => "/desk/$created->{id}/status?status=$to",
        headers => {Authorization => 'Basic asO2cmc6cGFzc3dvcmQ='});
    is $answer->{status}, 200, 'a user of a password file' or diag $hs->log;
    my ($last) = reverse grep { $_->{event} eq 'status' } @{$hs->get("$path/history")->{json}};
    is $last->{by}, "j\x{f6}rg", 'is named in the history';
    is $hs->request(PATCH => "/desk/$created->{id}/status?status=pending",
        headers => {Authorization => 'Basic TfxsbGVyOnBhc3N3b3Jk'})->{status}, 200, 'one in Latin-1';
    ($last) = reverse grep { $_->{event} eq 'status' } @{$hs->get("$path/history")->{json}};
    is $last->{by}, "M\x{fffd}ller", 'does not spoil the history';
    is $hs->request(PATCH => "/desk/$created->{id}/status?status=closed",
        headers => {Authorization => 'Basic ' . encode_base64("$long:password", '')})->{status}, 200,
        'a name that no table has room for';
    ($last) = reverse grep { $_->{event} eq 'status' } @{$hs->get("$path/history")->{json}};
    is $last->{by}, "\x{f6}" x 255, 'is cut, between characters';
};

is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
