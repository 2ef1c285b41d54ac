# 31-read.t - GET and HEAD of one ticket, its ETag with conditions and compression, its history.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(submission);
use Test::More;

my $access = qq(AuthType Bearer\nAuthName "Help & Support"\nRequire help-support\n);
my $hs = HS->start(
    modules => [qw(filter deflate)],
    location => "HelpSupportSubmitLimit off\n",
    server => qq(<Location "/small">\nHelpSupport On\n${access}SetOutputFilter DEFLATE\n</Location>\n),
);
my $created = $hs->post('/help-support/auth0%7C64af', submission())->{json};
$hs->post('/help-support/other', submission(name => 'Other'));
my $path = "/help-support/$created->{id}";

subtest 'a ticket' => sub {
    my $answer = $hs->get($path);
    is $answer->{status}, 200;
    is_deeply [$answer->{body} =~ /"(\w+)":/g],
        [qw(id name phone_number email message status created_at updated_at number user_id)],
        'the eight members, then number and user_id';
    is $answer->{json}{$_}, $created->{$_}, $_ for sort keys %$created;
    is $answer->{json}{user_id}, 'auth0|64af';
    like $answer->{body}, qr/"number":[1-9]\d*,/, 'number is an integer';
    like $answer->{headers}{etag}, qr/^"[^"]+"$/, 'the ETag is strong';
    is $answer->{headers}{'content-type'}, 'application/json';
    is $answer->{headers}{'content-length'}, length $answer->{body};
    is $answer->{headers}{'cache-control'}, 'no-store';
    is $answer->{headers}{'x-content-type-options'}, 'nosniff';
    is $answer->{headers}{vary}, 'Origin';
    my $number = $answer->{json}{number};
    for my $name (uc $created->{id}, ucfirst $created->{id}, $number) {
        my $same = $hs->get("/help-support/$name");
        is $same->{body}, $answer->{body}, "as $name";
        is $same->{headers}{etag}, $answer->{headers}{etag};
    }
    is $hs->get("$path?status=nonsense&limit=x")->{status}, 200, 'a query means nothing here';
    is $hs->get('/help-support/' . ($number + 1))->{json}{name}, 'Other', 'numbers count up';
};

subtest 'what is no ticket' => sub {
    my $id = $created->{id};
    my @names = ('0', '042', '+1', '-1', '1.0', '1e3', '0x1', '%201', '1%20', '999999', '1' x 18, '1' x 19,
        '9' x 400, '0198c1f2-0000-7000-8000-000000000000', '00000000-0000-0000-0000-000000000000',
        $id =~ s/-//gr, "{$id}", "urn:uuid:$id", substr($id, 0, -1), "${id}0", $id =~ s/^./g/r, 'auth0%7C64af',
        'history', '%D9%A1');
    for my $name (@names) {
        for my $rest ('', '/history') {
            my $answer = $hs->get("/help-support/$name$rest");
            is $answer->{status}, 404, "not '" . substr("$name$rest", 0, 40) . "'";
            is $answer->{json}{status}, 404;
        }
        is $hs->patch("/help-support/$name/status?status=open")->{status}, 404, 'PATCH, too';
    }
    is $hs->get('/help-support/0198C1F2-0000-4000-8000-000000000000')->{status}, 404, 'any version may ask';
};

subtest 'HEAD' => sub {
    for my $url ($path, "$path/history", '/help-support', '/help-support?limit=1&count=true',
        '/help-support/999', '/help-support?limit=x', "$path/nothing") {
        my ($get, $head) = map { $hs->request($_ => $url, token => $hs->token) } 'GET', 'HEAD';
        is $head->{status}, $get->{status}, "$url $get->{status}";
        is $head->{body}, '', 'without a body';
        delete $_->{headers}{date} for $get, $head;
        my $same = $head->{status} < 400 ? 1 : delete $get->{headers}{'content-length'}
            && delete $head->{headers}{'content-length'};    # the id of the request has no fixed length
        is_deeply $head->{headers}, $get->{headers}, 'the same headers';
    }
    is $hs->request(HEAD => $path)->{status}, 401, 'it asks for a token, too';
};

subtest 'Range' => sub {
    for my $range ('bytes=0-9', 'bytes=0-3,5-6') {
        my $answer = $hs->get($path, headers => {Range => $range});
        is $answer->{status}, 200, "$range is not looked at";
        is $answer->{headers}{'content-type'}, 'application/json', 'JSON like any other';
        is $answer->{body}, $hs->get($path)->{body}, 'the whole ticket';
    }
};

subtest 'ETag and If-None-Match' => sub {
    my $first = $hs->get($path)->{headers}{etag};
    my $tag = $first =~ s/"//gr;
    my $get = sub { $hs->get($path, headers => {'If-None-Match' => $_[0]}) };
    for my $field ($first, "W/$first", '*', qq("x", $first), qq("x",W/"y" , W/$first), qq("$tag-gzip"),
        qq("$tag-br"), qq(W/"$tag-gzip"), qq(, $first)) {
        my $answer = $get->($field);
        is $answer->{status}, 304, $field;
        is $answer->{body}, '';
        is $answer->{headers}{etag}, $first, 'with the ETag';
        is $answer->{headers}{'cache-control'}, 'no-store';
        is $answer->{headers}{vary}, 'Origin';
    }
    for my $field ('"x"', $tag, qq("${tag}x"), qq("$tag-zstd"), qq("$tag-gzip-br"), '', qq("x" $first),
        qq(w/$first), q("*"), substr($first, 0, -1)) {
        is $get->($field)->{status}, 200, "not $field";
    }
    is $hs->request(HEAD => $path, token => $hs->token, headers => {'If-None-Match' => $first})->{status},
        304, 'HEAD';
    my %seen = ($first => 1);
    for my $status (qw(pending closed open)) {
        my $changed = $hs->patch("$path/status?status=$status");
        ok !$seen{$changed->{headers}{etag}}++, "$status: a new ETag";
        is $hs->get($path)->{headers}{etag}, $changed->{headers}{etag}, 'which GET gives, too';
    }
    is $get->($first)->{status}, 200, 'the old one does not match';
    isnt $hs->get('/help-support/2')->{headers}{etag}, $hs->get('/help-support/1')->{headers}{etag};
    my $etag = $hs->get($path)->{headers}{etag};
    is $hs->get($path, headers => {'If-Match' => '"x"'})->{status}, 412, 'If-Match on GET (RFC 9110 13.1.1)';
    is $hs->get($path, headers => {'If-Match' => $etag})->{status}, 200;
};

subtest 'a compressing filter' => sub {
    my $packed = {'Accept-Encoding' => 'gzip'};
    my $answer = $hs->get("/small/$created->{id}", headers => $packed);
    is $answer->{headers}{'content-encoding'}, 'gzip', 'it did compress';
    my $etag = $answer->{headers}{etag};
    like $etag, qr/-gzip"$/;
    is $hs->get("/small/$created->{id}", headers => {%$packed, 'If-None-Match' => $etag})->{status}, 304;
    my $changed = $hs->patch("/small/$created->{id}/status?status=resolved",
        headers => {%$packed, 'If-Match' => $etag});
    is $changed->{status}, 200, 'If-Match with its ETag';
    is $changed->{headers}{'content-encoding'}, 'gzip';
    like $changed->{headers}{etag}, qr/-gzip"$/, 'a compressed answer to PATCH';
    is $hs->patch("/small/$created->{id}/status?status=open", headers => {'If-Match' => $etag})->{status},
        412, 'the old version with -gzip does not match';
    my $refused = $hs->get('/small/x', headers => $packed);
    is $refused->{status}, 404;
    is $refused->{headers}{'content-type'}, 'application/problem+json', 'an error keeps its form';
};

subtest 'history' => sub {
    my $ticket = $hs->post('/help-support/u', submission())->{json};
    my $url = "/help-support/$ticket->{id}/history";
    my $answer = $hs->get($url);
    is $answer->{status}, 200;
    is $answer->{headers}{'content-type'}, 'application/json';
    is $answer->{headers}{'cache-control'}, 'no-store';
    is $answer->{headers}{'x-content-type-options'}, 'nosniff';
    is_deeply $answer->{json}[0], {at => $ticket->{created_at}, event => 'created'};
    my ($mail) = grep { $_->{event} eq 'mail' } @{$answer->{json}};
    is_deeply $mail, {at => $ticket->{created_at}, event => 'mail', kind => 'confirmation',
        state => 'suppressed', detail => 'mail off'}, 'the mail';
    like $answer->{body}, qr/^\[\{"at":"[^"]*","event":"created"\},/, 'order of members';
    for my $status (qw(pending pending closed open)) {
        $hs->patch("/help-support/$ticket->{id}/status?status=$status");
    }
    my @events = @{$hs->get($url)->{json}};
    my @changes = grep { $_->{event} eq 'status' } @events;
    is_deeply [map { "$_->{from} $_->{to} $_->{by}" } @changes],
        ['open pending t-write', 'pending closed t-write', 'closed open t-write'],
        'each change, oldest first, with who made it; setting the same is none';
    is $events[0]{event}, 'created', 'created comes first';
    is_deeply [map { $_->{at} } @events], [sort map { $_->{at} } @events], 'in order of time';
    like $hs->get($url)->{body},
        qr/\{"at":"[^"]*","event":"status","from":"open","to":"pending","by":"t-write"\}/;
    is $hs->request(GET => $url)->{status}, 401, 'not for everyone';
    is $hs->get($url, token => $hs->token('read'))->{status}, 200, 'reading is enough';
};

is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
