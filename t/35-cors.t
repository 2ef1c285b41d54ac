# 35-cors.t - which pages of other origins may call and read what, as headers.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(parse_answer submission);
use Test::More;

my $access = qq(AuthType Bearer\nAuthName "Help & Support"\nRequire help-support\n);
my $location = sub {
    my ($path, $lines) = @_;
    return qq(<Location "$path">\nHelpSupport On\n$access$lines\n</Location>\n);
};
my $hs = HS->start(
    location => "HelpSupportSubmitLimit off\n",
    server => $location->('/any', "HelpSupportAllowOrigin *\nHelpSupportMaxBody 300")
        . $location->('/listed', "HelpSupportAllowOrigin https://desk.example http://localhost:3000\n"
            . 'HelpSupportMaxBody 300')
        . $location->('/both', 'HelpSupportAllowOrigin * https://desk.example')
        . $location->('/limited', "HelpSupportAllowOrigin *\nHelpSupportSubmitLimit 1/h"),
);
my $EXPOSED = 'Location, Link, ETag, X-Total-Count, Retry-After, Idempotency-Replayed';
my $HEADERS = 'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match';
my $id = $hs->post('/help-support/u', submission())->{json}{id};
my ($token, $desk, $evil) = ($hs->token, 'https://desk.example', 'https://evil.example');

# The fields that CORS is made of, as a string.
sub cors {
    my ($answer) = @_;
    my $headers = $answer->{headers};
    return join '; ', map { "$_: $headers->{$_}" } sort grep { /^access-control/ } keys %$headers;
}

sub preflight {
    my ($path, $origin, $method) = @_;
    return $hs->request(OPTIONS => $path, headers => {Origin => $origin,
        'Access-Control-Request-Method' => $method,
        'Access-Control-Request-Headers' => 'authorization,content-type'});
}

sub allowed {
    my ($origin, $methods) = @_;
    return "access-control-allow-headers: $HEADERS; access-control-allow-methods: $methods; "
        . "access-control-allow-origin: $origin; access-control-max-age: 7200";
}

sub readable {
    my ($origin) = @_;
    return "access-control-allow-origin: $origin; access-control-expose-headers: $EXPOSED";
}

my %METHODS = ('' => 'GET, HEAD, OPTIONS', "/$id" => 'GET, HEAD, POST, OPTIONS',
    "/$id/history" => 'GET, HEAD, OPTIONS', "/$id/status" => 'PATCH, OPTIONS');

subtest 'preflight' => sub {
    for my $path (sort keys %METHODS) {
        my %cases = (
            "/listed$path $desk" => allowed($desk, $METHODS{$path}),
            "/listed$path http://localhost:3000" => allowed('http://localhost:3000', $METHODS{$path}),
            "/both$path $desk" => allowed($desk, $METHODS{$path}),
            "/any$path $evil" => $path eq "/$id" ? allowed('*', 'POST') : '',
            "/any$path null" => $path eq "/$id" ? allowed('*', 'POST') : '',
            "/both$path $evil" => $path eq "/$id" ? allowed('*', 'POST') : '',
            map { ("$_ " => '') } map { "/listed$path $_" } $evil, 'null', 'http://desk.example',
                "$desk:8443", "$desk.evil.example", 'https://evil.desk.example', 'localhost:3000',
                "$desk, $desk", '*',
        );
        $cases{"/help-support$path $desk"} = '';
        for my $case (sort keys %cases) {
            my ($url, $origin) = $case =~ /^(\S+) (.*?) ?$/;
            for my $method ('POST', 'GET', 'PATCH', 'DELETE') {
                my $answer = preflight($url, $origin, $method);
                is $answer->{status}, 204, "$case $method";
                is cors($answer), $cases{$case};
                is $answer->{headers}{vary}, 'Origin';
                is $answer->{headers}{'cache-control'}, 'no-store';
                is $answer->{headers}{'x-content-type-options'}, 'nosniff';
                is $answer->{body}, '';
            }
        }
    }
    is preflight('/listed/a/b/c', $desk, 'POST')->{status}, 404, 'no route, no preflight';
};

subtest 'OPTIONS that is no preflight' => sub {
    for my $path (sort keys %METHODS) {
        my $answer = $hs->request(OPTIONS => "/listed$path", headers => {Origin => $desk});
        is $answer->{status}, 204, "'$path'";
        is cors($answer), readable($desk);
        $answer = $hs->request(OPTIONS => "/listed$path",
            headers => {'Access-Control-Request-Method' => 'POST'});
        is $answer->{status}, 204, 'without an Origin';
        is cors($answer), '';
        is $answer->{headers}{vary}, 'Origin';
    }
};

# What each answer shows to the listed origin, to another one, and under "*".
subtest 'answers, errors included' => sub {
    my $body = {json => submission()};
    my %admin = (token => $token);
    my @cases = (
        [201, POST => '/u', {%$body}],
        [400, POST => '/u', {body => '{', headers => {'Content-Type' => 'application/json'}}],
        [415, POST => '/u', {body => 'x', headers => {'Content-Type' => 'text/plain'}}],
        [413, POST => '/u', {json => submission(name => 'x' x 400)}],
        [422, POST => '/u', {json => {}}],
        [422, POST => '/a%20b', {%$body}],
        [200, GET => '', {%admin}], [200, GET => "/$id", {%admin}], [200, GET => "/$id/history", {%admin}],
        [200, HEAD => "/$id", {%admin}],
        [200, PATCH => "/$id/status?status=open", {%admin}],
        [401, GET => '', {}], [401, GET => "/$id", {}], [401, PATCH => "/$id/status", {}],
        [401, GET => '', {token => 'nonsense'}],
        [403, PATCH => "/$id/status?status=open", {token => $hs->token('read')}],
        [404, GET => '/042', {%admin}], [404, GET => '/a/b/c', {}], [404, GET => '/a%2Fb', {%admin}],
        [405, DELETE => "/$id", {}], [405, POST => '', {%$body}], [405, POST => "/$id/status", {%$body}],
        [412, PATCH => "/$id/status?status=open", {%admin, headers => {'If-Match' => '"x"'}}],
        [304, GET => "/$id", {%admin, headers => {'If-None-Match' => '*'}}],
        [422, GET => '?limit=0', {%admin}],
        [400, GET => '?q=%zz', {%admin}], [400, GET => '/%zz', {%admin}],
    );
    for my $case (@cases) {
        my ($status, $method, $path, $option) = @$case;
        my $ask = sub {
            my ($base, $origin) = @_;
            my %headers = (%{$option->{headers} // {}}, defined $origin ? (Origin => $origin) : ());
            return $hs->request($method => "$base$path", %$option, headers => \%headers);
        };
        my $is_submission = $method eq 'POST' && $path =~ m{^/[^/]+$};
        my @expected = (
            ['/listed', $desk, readable($desk)], ['/listed', $evil, ''], ['/listed', undef, ''],
            ['/listed', 'null', ''], ['/any', undef, ''],
            ['/any', $evil, $is_submission ? readable('*') : ''],
            ['/any', 'null', $is_submission ? readable('*') : ''],
        );
        for my $expected (@expected) {
            my ($base, $origin, $want) = @$expected;
            my $answer = $ask->($base, $origin);
            is $answer->{status}, $status, "$method $base$path, " . ($origin // 'no origin');
            is cors($answer), $want;
            is $answer->{headers}{vary}, 'Origin';
            is $answer->{headers}{'cache-control'}, 'no-store';
            is $answer->{headers}{'x-content-type-options'}, 'nosniff';
        }
    }
    my $limited = sub { $hs->post('/limited/u', submission(), headers => {Origin => $evil}) };
    is $limited->()->{status}, 201;
    is $limited->()->{status}, 429;
    is cors($limited->()), readable('*'), 'a 429 can be read, and when to come again';
};

subtest 'what browsers send in other letters' => sub {
    my $answer = $hs->post('/listed/u', submission(), headers => {Origin => 'HTTPS://Desk.Example'});
    is $answer->{status}, 201;
    like cors($answer), qr/^(?:access-control-allow-origin: HTTPS:\/\/Desk\.Example;.*)?$/,
        'is echoed as it came, or not at all';
};

subtest 'no credentials' => sub {
    for my $answer (preflight("/listed/$id", $desk, 'GET'),
        $hs->get("/listed/$id", headers => {Origin => $desk})) {
        is $answer->{headers}{'access-control-allow-credentials'}, undef;
    }
};

is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
