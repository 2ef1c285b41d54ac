# 34-errors.t - every error inside the Location has one form, whoever made it and whatever is
# configured around it; routes and methods; the database that is gone and comes back.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command parse_answer submission wait_until);
use Test::More;
use Time::HiRes qw(sleep time);

my $access = qq(AuthType Bearer\nAuthName "Help & Support"\nRequire help-support\n);
my $hs = HS->start(
    modules => [qw(unique_id alias auth_basic authn_file authz_user)],
    location => "HelpSupportSubmitLimit off\n",
    server => <<"END",
TraceEnable On
LogFormat "%L %{UNIQUE_ID}e %s %U" ids
CustomLog logs/access.log ids
HelpSupportDBPool 4 500ms
ErrorDocument 400 /error.html
ErrorDocument 401 "text of the server"
ErrorDocument 404 /error.html
ErrorDocument 405 /error.html
ErrorDocument 413 "text of the server"
ErrorDocument 415 /error.html
ErrorDocument 422 http://elsewhere.example/
ErrorDocument 429 /error.html
ErrorDocument 500 /error.html
ErrorDocument 503 /error.html
<Location "/basic">
HelpSupport On
AuthType Basic
AuthName "The \\"Desk\\""
AuthUserFile desk.htpasswd
Require help-support submit
Require valid-user
</Location>
<Location "/core">
HelpSupport On
${access}LimitRequestBody 300
</Location>
<Location "/the first">
HelpSupport On
${access}HelpSupportSubmitLimit 1/h
</Location>
<Location "/bare">
HelpSupport On
${access}Redirect 401 /bare
</Location>
<Location "/none">
HelpSupport On
Require all granted
</Location>
END
);
write_file('desk.htpasswd', "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");    # "password"
write_file('htdocs/error.html', 'page of the server');
my $id = $hs->post('/help-support/u', submission())->{json}{id};
my $ann = {Authorization => 'Basic YW5uOnBhc3N3b3Jk'};

sub write_file {
    my ($name, $text) = @_;
    open my $out, '>', "$hs->{root}/$name" or die "$name: $!\n";
    print $out $text;
    close $out;
}

# That an answer is a problem as the contract has it.
sub is_problem {
    my ($answer, $status, $title, $what) = @_;
    subtest $what // $title => sub {
        is $answer->{status}, $status;
        is $answer->{headers}{'content-type'}, 'application/problem+json';
        is $answer->{headers}{'cache-control'}, 'no-store';
        is $answer->{headers}{'x-content-type-options'}, 'nosniff';
        is $answer->{headers}{'content-length'}, length $answer->{body};
        is $answer->{headers}{vary}, 'Origin';
        is $answer->{headers}{location}, undef;
        my $problem = $answer->{json} // {};
        is $problem->{status}, $status;
        is $problem->{title}, $title;
        is $problem->{type}, 'about:blank';
        like $problem->{instance}, qr{^urn:request:[A-Za-z0-9\@+/_-]{10,}$};
        my @order = $answer->{body} =~ /"(type|title|status|detail|instance|errors)":/g;
        my @known = grep { exists $problem->{$_} } qw(type title status detail instance errors);
        is_deeply [@order[0 .. $#known]], \@known, 'in this order';
        is_deeply [sort keys %$problem], [sort @known], 'and no other members';
        unlike $answer->{body}, qr/of the server|<html|Apache/i;
    } or diag "$answer->{status} $answer->{body}";
}

sub raw_post {
    my ($path, $body, @fields) = @_;
    return parse_answer($hs->raw(join "\r\n", "POST $path HTTP/1.1", 'Host: h', 'Connection: close',
        'Content-Type: application/json', 'Content-Length: ' . length $body, @fields, '', $body));
}

subtest 'each of our own' => sub {
    my $post = sub { $hs->request(POST => '/help-support/u', body => $_[0],
        headers => {'Content-Type' => $_[1] // 'application/json'}) };
    is_problem($post->('{'), 400, 'Bad Request', 'malformed JSON');
    is_problem($post->('{}', 'text/plain'), 415, 'Unsupported Media Type');
    is_problem($post->('x' x 131_073), 413, 'Content Too Large');
    is_problem($post->('{}'), 422, 'Unprocessable Content');
    is_problem($hs->get('/help-support?limit=0'), 422, 'Unprocessable Content', 'a parameter');
    is_problem($hs->get('/help-support?q=%zz'), 400, 'Bad Request', 'a query');
    is_problem($hs->request(GET => '/help-support'), 401, 'Unauthorized', 'no token');
    is_problem($hs->get('/help-support', token => 'hst_x'), 401, 'Unauthorized', 'a bad token');
    is_problem($hs->patch("/help-support/$id/status?status=open", token => $hs->token('read')), 403,
        'Forbidden', 'a narrow token');
    is_problem($hs->request(GET => '/none'), 403, 'Forbidden', 'no authentication is configured');
    is_problem($hs->get('/help-support/042'), 404, 'Not Found', 'no ticket');
    is_problem($hs->request(GET => '/help-support/a/b'), 404, 'Not Found', 'no route');
    is_problem($hs->request(DELETE => '/help-support/a'), 405, 'Method Not Allowed');
    is_problem($hs->patch("/help-support/$id/status?status=open", headers => {'If-Match' => '"x"'}), 412,
        'Precondition Failed');
    is $hs->post('/the%20first/u', submission())->{status}, 201;
    my $answer = $hs->post('/the%20first/u', submission());
    is_problem($answer, 429, 'Too Many Requests');
    like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/;
};

subtest 'detail and errors' => sub {
    my $problem = $hs->post('/help-support/u', {phone_number => '123', name => 'x'})->{json};
    is $problem->{detail}, '2 members of the request body are not acceptable.';
    is_deeply $problem->{errors}, [{pointer => '#/email', detail => 'is required'},
        {pointer => '#/message', detail => 'is required'}];
    is $hs->post('/help-support/u', submission(name => ''))->{json}{detail},
        '1 member of the request body is not acceptable.';
    my $text = $hs->post('/help-support/u', submission(email => 'secret-address', message => "\x01secret"))->{body};
    unlike $text, qr/secret/, 'what was sent is not repeated';
};

subtest 'the challenge' => sub {
    my $field = sub { $_[0]{headers}{'www-authenticate'} };
    is $field->($hs->request(GET => '/help-support')), 'Bearer realm="Help & Support"';
    is $field->($hs->get('/help-support', token => 'x')),
        'Bearer realm="Help & Support", error="invalid_token"';
    like $field->($hs->patch("/help-support/$id/status?status=open", token => $hs->token('read'))),
        qr/^Bearer realm="Help & Support", error="insufficient_scope"/;
};

subtest 'those of httpd and of other modules' => sub {
    my $answer = $hs->request(GET => '/basic');
    is_problem($answer, 401, 'Unauthorized', 'Basic');
    is $answer->{headers}{'www-authenticate'}, 'Basic realm="The \\"Desk\\""', 'keeps its challenge';
    is_problem($hs->request(GET => '/basic', headers => {Authorization => 'Basic YW5uOng='}), 401,
        'Unauthorized', 'a wrong password');
    $answer = $hs->post('/bare/u', submission());
    is_problem($answer, 401, 'Unauthorized', 'one without a challenge');
    is $answer->{headers}{'www-authenticate'}, 'Bearer realm="Help & Support"', 'gets one';
    is_problem($hs->get('/help-support/a%2Fb'), 404, 'Not Found', 'an encoded slash');
    is_problem($hs->post('/help-support/a%2Fb', submission()), 404, 'Not Found', 'in a POST');
    is_problem($hs->get('/help-support/%zz'), 400, 'Bad Request', 'bad percent-encoding');
    is_problem($hs->post('/help-support/%', submission()), 400, 'Bad Request', 'a lone percent sign');
    is_problem($hs->get("/help-support/$id%00"), 404, 'Not Found', 'an encoded NUL');
    my $large = $hs->post('/core/u', submission(message => 'x' x 300));
    is_problem($large, 413, 'Content Too Large', 'LimitRequestBody by Content-Length');
    is $hs->post('/core/u', submission())->{status}, 201, 'a smaller one is fine';
    is_problem(parse_answer($hs->raw("POST /core/u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n200\r\n" . 'x' x 512
        . "\r\n0\r\n\r\n")), 413, 'Content Too Large', 'LimitRequestBody, chunked');
    is_problem(parse_answer($hs->raw("POST /help-support/u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")), 400, 'Bad Request',
        'a bad chunk');
    is_problem(parse_answer($hs->raw("GET /help-support HTTP/1.1\r\n\r\n")), 400, 'Bad Request', 'no Host');
    is_problem(parse_answer($hs->raw("GET //x/..//help-support/a%2Fb HTTP/1.1\r\nHost: h\r\n"
        . "Connection: close\r\n\r\n")), 404, 'Not Found', 'an encoded slash in a path not yet normal');
    is_problem(parse_answer($hs->raw("POST /help-support/u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        . "Content-Type: application/json\r\nContent-Length: 1\r\nExpect: wonders\r\n\r\nx")), 417,
        'Expectation Failed', 'an unknown expectation');
    my $long = $hs->post('/help-support/' . 'x' x 300, submission());
    is $long->{status}, 422, 'a segment that no file system has is ours to judge';
};

subtest 'what httpd refuses before it looks at the URI keeps httpd\'s form' => sub {
    for my $octets ("GARBAGE\r\n\r\n", "GET /help-support\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
        'GET /help-support?' . 'x' x 9000 . " HTTP/1.1\r\nHost: h\r\n\r\n") {
        my $answer = parse_answer($hs->raw($octets));
        like $answer->{status}, qr/^(?:400|414|505)$/, 'answered ' . $answer->{status};
    }
    for my $fields ("X: " . 'y' x 9000 . "\r\n", "X: y\r\n" x 101) {
        my $answer = parse_answer($hs->raw("GET /help-support HTTP/1.1\r\nHost: h\r\n$fields\r\n"));
        is $answer->{status}, 400, 'too much in the header';
        unlike $answer->{headers}{'content-type'} // '', qr/problem/, "in httpd's form";
    }
};

subtest 'instance is in the logs' => sub {
    my $answer = $hs->request(GET => '/none');
    my ($instance) = $answer->{json}{instance} =~ /^urn:request:(.*)/;
    like $hs->log, qr/HS0023: .*\(request \Q$instance\E\)/, 'in the error log';
    my $log = sub { local (@ARGV, $/) = "$hs->{root}/logs/access.log"; scalar readline };
    # httpd writes that line after the answer
    ok wait_until("$instance is logged", sub { $log->() =~ /^\Q$instance $instance\E 403 /m }),
        'and is mod_unique_id\'s';
    my %ids = map { $hs->request(GET => '/none')->{json}{instance} => 1 } 1 .. 5;
    is scalar keys %ids, 5, 'each request has its own';
};

subtest 'routes' => sub {
    my @routes = map { [$_, 'GET, HEAD, OPTIONS'] } '', '/', "/$id/history", '/x/history';
    push @routes, ["/$id", 'GET, HEAD, POST, OPTIONS'], ['/x', 'GET, HEAD, POST, OPTIONS'],
        ["/$id/status", 'PATCH, OPTIONS'], ['/history', 'GET, HEAD, POST, OPTIONS'],
        ['/status', 'GET, HEAD, POST, OPTIONS'];
    for my $route (@routes) {
        my ($path, $allow) = @$route;
        my $options = $hs->request(OPTIONS => "/help-support$path");
        is $options->{status}, 204, "OPTIONS '$path'";
        is $options->{headers}{allow}, $allow;
        is $options->{headers}{'accept-post'}, $allow =~ /POST/ ? 'application/json' : undef;
        is $options->{body}, '';
        is $options->{headers}{'cache-control'}, 'no-store';
        is $options->{headers}{'x-content-type-options'}, 'nosniff';
        is $options->{headers}{vary}, 'Origin';
        for my $method (qw(GET HEAD POST PUT PATCH DELETE TRACE CONNECT PROPFIND MKCOL QUERY get Options BREW)) {
            next if $allow =~ /(?:^| )$method\b/ || $method eq 'CONNECT';
            my $answer = $hs->request($method => "/help-support$path",
                $method =~ /POST|PUT|PATCH/ ? (json => {}) : ());
            is $answer->{status}, 405, "$method '$path'";
            is $answer->{headers}{allow}, $allow;
            is $answer->{headers}{'content-type'}, 'application/problem+json';
            is $answer->{headers}{'access-control-allow-origin'}, undef;
        }
    }
    for my $path ("/$id/", "/$id/history/", "/$id/status/", "/$id/nothing", '/a/b', '/a/b/c', '/a/history/b',
        '/a/Status', '/a/status%2Fx', "/$id/status/open") {
        for my $method (qw(GET POST PATCH DELETE OPTIONS)) {
            is $hs->request($method => "/help-support$path", $method eq 'POST' ? (json => submission()) : ())
                ->{status}, 404, "$method $path";
        }
    }
    is $hs->request(OPTIONS => '/help-support', headers => {Authorization => 'Bearer nonsense'})->{status}, 204,
        'a bad token does not matter to OPTIONS';
    is $hs->request(TRACE => '/')->{status}, 200, 'TRACE is on';
    for my $path ('/help-supporter', '/help-support.gz', '/help-support;x', '/Help-Support', '/') {
        my $answer = $hs->get($path);
        isnt $answer->{headers}{'content-type'}, 'application/problem+json', "$path is not ours";
    }
    for my $path ('//help-support', '/help-support//', '/x/../help-support', '/%68elp-support',
        '/./help-support/.') {
        is $hs->get($path)->{status}, 200, "$path is the base";
    }
};

subtest 'a database that does not answer in time' => sub {
    plan skip_all => 'SQLite only' if $hs->{server_db};    # servers: 64-pgsql.t
    my $unlock = $hs->lock_database;
    my $start = time;
    my $key = {'Idempotency-Key' => 'busy'};
    for my $answer ($hs->post('/help-support/busy', submission(), headers => $key),
        $hs->patch("/help-support/$id/status?status=closed")) {
        is_problem($answer, 503, 'Service Unavailable', 'a write');
        like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/;
        my ($instance) = $answer->{json}{instance} =~ /^urn:request:(.*)/;
        like $hs->log, qr/HS\d{4}: .*\(request \Q$instance\E\)/, 'is in the log';
    }
    cmp_ok time - $start, '<', 2 * (0.5 + 2.5), 'in the time that HelpSupportDBPool gives, and apr_dbd adds';
    is $hs->get("/help-support/$id")->{status}, 200, 'reading goes on';
    is $hs->post('/help-support/busy', {}, headers => $key)->{status}, 422, 'what the database is not asked for, too';
    is $hs->post('/help-support/busy', submission(), headers => {'Idempotency-Key' => 'a b'})->{status}, 400,
        'the key is checked before the database';
    $unlock->();
    my $answer = $hs->post('/help-support/busy', submission(), headers => $key);
    is $answer->{status}, 201, 'afterwards all is well';
    is $answer->{headers}{'idempotency-replayed'}, undef, 'a 503 is not remembered';
    is scalar @{$hs->get('/help-support?user_id=busy')->{json}}, 1, 'and has made no ticket';
    is $hs->get("/help-support/$id")->{json}{status}, 'open', 'nor a change';
};

subtest 'a database that is broken, and mended' => sub {
    my $pragma = $hs->{server_db} ? '' : 'PRAGMA legacy_alter_table = 1; ';
    my $sql = sub { is $hs->sql(@_), '' };
    $sql->($pragma . 'ALTER TABLE ticket RENAME TO away');
    for my $answer ($hs->request(GET => "/basic/$id", headers => $ann), $hs->request(GET => '/basic', headers => $ann),
        $hs->request(GET => "/basic/$id/history", headers => $ann), $hs->post('/basic/u', submission()),
        $hs->request(PATCH => "/basic/$id/status?status=open", headers => $ann)) {
        is_problem($answer, 503, 'Service Unavailable');
        like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/;
        unlike $answer->{body}, qr/table|ticket_|SQL/i, 'the reason is for the log alone';
    }
    for my $name ('042', 'x', '1' x 19) {
        is $hs->request(GET => "/basic/$name", headers => $ann)->{status}, 404,
            "$name is 404 without the database";
    }
    is $hs->request(DELETE => '/basic')->{status}, 405, 'so is 405';
    is $hs->request(GET => '/basic/a/b/c', headers => $ann)->{status}, 404;
    is $hs->request(OPTIONS => '/basic')->{status}, 204;
    is $hs->request(GET => '/basic?limit=0', headers => $ann)->{status}, 422, 'values come before';
    $sql->('ALTER TABLE admin_token RENAME TO token_away');
    my $token = make_token();
    is_problem($hs->get('/help-support', token => $token), 503, 'Service Unavailable',
        'a token that cannot be looked up is 503, never 401');
    $sql->('ALTER TABLE token_away RENAME TO admin_token; ' . $pragma
        . 'ALTER TABLE away RENAME TO ticket');
    # At a server its connections were refused, and each child waits before it tries again.
    ok wait_until('all children read', sub {
        !grep { $hs->request(GET => "/basic/$id", headers => $ann)->{status} != 200 } 1 .. 8;
    }), 'it recovers by itself';
    ok wait_until('the token is looked up',
        sub { $hs->get('/help-support', token => $token)->{status} == 401 }), 'the token is unknown';
    is $hs->post('/basic/u', submission())->{status}, 201;
};

# A well-formed token that nobody made.
sub make_token {
    my @digits = ('0' .. '9', 'A' .. 'Z', 'a' .. 'z');
    my $random = join '', map { $digits[rand 62] } 1 .. 32;
    my ($crc, $sum) = (0xFFFFFFFF, '');
    for my $octet (unpack 'C*', $random) {
        $crc ^= $octet;
        $crc = ($crc >> 1) ^ ($crc & 1 ? 0xEDB88320 : 0) for 1 .. 8;
    }
    $crc ^= 0xFFFFFFFF;
    for (1 .. 6) {
        $sum = $digits[$crc % 62] . $sum;
        $crc = int($crc / 62);
    }
    return "hst_$random$sum";
}

unlike $hs->log, qr/hst_|jane\@example|having trouble/, 'no token, address or message in the log';
is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
