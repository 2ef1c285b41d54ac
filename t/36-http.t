# 36-http.t - the request as octets: sizes, chunks, slow and cut bodies, 100-continue, connections;
# and a server whose other modules all want the request or its answer.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp qw(tempdir);
use HS qw(parse_answer submission);
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

my $access = qq(AuthType Bearer\nAuthName "Help & Support"\nRequire help-support\n);
my $folder = tempdir(CLEANUP => 1);    # a Location whose path is also a folder of the disk
chmod 0755, $folder;
write_file("$folder/.htaccess", "NoSuchDirective\n");
my $hs = HS->start(
    modules => [qw(mime include alias rewrite dir proxy proxy_http reqtimeout actions negotiation autoindex dav
        dav_fs filter env setenvif)],
    location => "HelpSupportSubmitLimit off\n",
    server => <<"END",
RequestReadTimeout header=5 body=1
TypesConfig /dev/null
MaxKeepAliveRequests 0
Options +Includes +FollowSymLinks +MultiViews
AddEncoding x-gzip .gz
AddLanguage de .de
AddCharset UTF-16 .utf16
AddType text/html .shtml
AddHandler server-parsed .shtml
AddHandler type-map .var
AddHandler send-as-is .php
AddOutputFilter INCLUDES .shtml
Action send-as-is /page.html
RewriteEngine On
RewriteRule ^/help-support http://127.0.0.1:1/ [P]
RewriteRule ^/moved /page.html [R]
Alias /help-support /
AliasMatch ^/help-support(.*) /\$1
Redirect /help-support /page.html
DirectoryIndex page.html
FallbackResource /page.html
DavLockDB data/lock
ProxyPass /proxied http://127.0.0.1:1/
ProxyPass /encoded http://127.0.0.1:1/ mapping=encoded
ProxyPass /servlet http://127.0.0.1:1/ mapping=servlet
SetEnvIf X-Trusted yes helpsupport-unlimited
<Location "/">
    ErrorDocument 404 /page.html
    Dav On
    DirectoryIndex page.html
    FallbackResource /page.html
    RewriteEngine On
    RewriteRule never-seen /page.html
</Location>
<Location "/in">
    ProxyPass http://127.0.0.1:1/
    ForceType text/html
    SetHandler server-status
    RewriteEngine On
    RewriteRule . http://127.0.0.1:1/ [P]
</Location>
<Location "/small">
HelpSupport On
${access}HelpSupportMaxBody 1000
HelpSupportSubmitLimit off
</Location>
<Directory "/">
    AllowOverride All
</Directory>
<Location "$folder">
HelpSupport On
${access}</Location>
<Location "/narrow">
HelpSupport On
${access}LimitRequestBody 800
</Location>
<Location "/unlimited">
HelpSupport On
${access}HelpSupportSubmitLimit 1/h
</Location>
@{[map { qq(<Location "$_/desk">\nHelpSupport On\n$access</Location>\n) } '/in', '/proxied', '/encoded', '/servlet']}
END
);
write_file("$hs->{root}/htdocs/page.html", 'a page');
my $body = JSON::PP->new->canonical->utf8->encode(submission());
my $id = $hs->post('/help-support/u', submission())->{json}{id};
my $token = $hs->token;

sub write_file {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out;
}

sub head {
    my ($request, @fields) = @_;
    return join "\r\n", "$request HTTP/1.1", 'Host: h', @fields, '', '';
}

my $JSON_TYPE = 'Content-Type: application/json';
my $CHUNKED = 'Transfer-Encoding: chunked';

sub chunk { return sprintf("%x\r\n%s\r\n", length $_[0], $_[0]) }

sub connected {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hs->{port}) // die "connect: $!\n";
}

subtest 'size' => sub {
    my $fill = sub { $body . ' ' x ($_[0] - length $body) };
    my $post = sub { $hs->request(POST => '/small/u', body => $_[0], headers => {'Content-Type' =>
        'application/json'}) };
    is $post->($fill->(1000))->{status}, 201, 'as large as HelpSupportMaxBody';
    is $post->($fill->(1001))->{status}, 413, 'one octet more';
    my $chunked = sub {
        return parse_answer($hs->raw(head('POST /small/u', $JSON_TYPE, $CHUNKED, 'Connection: close')
            . join('', map { chunk($_) } @_) . "0\r\n\r\n"));
    };
    is $chunked->($body)->{status}, 201, 'one chunk';
    is $chunked->(split /(?<=,)/, $body)->{status}, 201, 'several chunks';
    is $chunked->(split //, $body)->{json}{name}, 'Jane Doe', 'a chunk for each octet';
    is $chunked->($fill->(1000))->{status}, 201, 'as large as HelpSupportMaxBody';
    my $answer = $chunked->($fill->(1001));
    is $answer->{status}, 413, 'one octet more';
    is $answer->{json}{status}, 413;
    is $chunked->($fill->(500), ' ' x 5000)->{status}, 413;
    is $chunked->()->{status}, 400, 'no octet';
    my $start = time;
    $answer = parse_answer($hs->raw(head('POST /small/u', $JSON_TYPE, 'Content-Length: 300000000'), 5));
    is $answer->{status}, 413, 'by Content-Length before any octet of the body';
    cmp_ok time - $start, '<', 3, 'at once';
};

subtest 'a body that is cut off' => sub {
    for my $octets (head('POST /help-support/u', $JSON_TYPE, 'Content-Length: 500') . $body,
        head('POST /help-support/u', $JSON_TYPE, $CHUNKED) . "40\r\n{", head('POST /help-support/u', $JSON_TYPE,
            $CHUNKED) . chunk($body)) {
        my $socket = connected();
        $socket->syswrite($octets);
        $socket->shutdown(1);
        my $answer = parse_answer(join '', $socket->getlines);
        is $answer->{status}, 400;
        is $answer->{json}{status}, 400;
    }
};

subtest 'half a body, then silence' => sub {
    my @slow = map { connected() } 1 .. 3;
    my $start = time;
    $slow[0]->syswrite(head('POST /help-support/slow', $JSON_TYPE, 'Content-Length: 500') . $body);
    $slow[1]->syswrite(head('POST /help-support/slow', $JSON_TYPE, $CHUNKED) . chunk(substr $body, 0, 50));
    $slow[2]->syswrite(head('POST /help-support/slow', $JSON_TYPE, 'Content-Length: 500'));
    my $others = 0;
    while (time - $start < 0.8) {
        $others += $hs->post('/help-support/u', submission())->{status} == 201;
    }
    cmp_ok $others, '>', 10, 'other requests go on';
    for my $socket (@slow) {
        my $answer = join '', $socket->getlines;
        $answer = parse_answer($answer);
        is $answer->{status}, 408, 'is told so';
        is $answer->{json}{status}, 408;
        is $answer->{headers}{connection}, 'close';
    }
    cmp_ok time - $start, '<', 6, 'in time';
    is $hs->get('/help-support?user_id=slow')->{body}, '[]', 'nothing is stored';
};

subtest 'Expect: 100-continue' => sub {
    my %refused = (
        "PATCH /help-support/$id/status?status=open" => [401, 'Content-Length: 100'],
        'GET /help-support' => [401, 'Content-Length: 100'],
        'POST /small/u' => [413, $JSON_TYPE, 'Content-Length: 1001'],
        'POST /help-support/u' => [415, 'Content-Type: text/plain', 'Content-Length: 100'],
        'POST /help-support/u2' => [415, 'Content-Type: text/plain', $CHUNKED],
        'POST /help-support/a/b' => [404, $JSON_TYPE, 'Content-Length: 100'],
        'PUT /help-support/a' => [405, $JSON_TYPE, 'Content-Length: 100'],
    );
    for my $request (sort keys %refused) {
        my ($status, @fields) = @{$refused{$request}};
        my $text = $hs->raw(head($request, @fields, 'Expect: 100-continue'), 5);
        unlike $text, qr{^HTTP/1.1 100}m, "$request: no 100";
        my $answer = parse_answer($text);
        is $answer->{status}, $status, 'but the refusal';
        is $answer->{headers}{connection}, 'close', 'and the end';
    }
    my $socket = connected();
    $socket->syswrite(head('POST /help-support/u', $JSON_TYPE, 'Expect: 100-continue', 'Connection: close',
        'Content-Length: ' . length $body));
    my $line = $socket->getline;
    like $line, qr{^HTTP/1.1 100 }, 'a good one may go on';
    $socket->syswrite($body);
    is parse_answer($line . join '', $socket->getlines)->{status}, 201;
};

# Each head is sent with a second request behind it, which is answered only on a connection that lives.
subtest 'what is not read closes the connection' => sub {
    my $second = head('OPTIONS /help-support', 'Connection: close');
    my $auth = "Authorization: Bearer $token";
    my $patch = "PATCH /help-support/$id/status";
    my @cases = (
        [401, $patch, $CHUNKED], [401, $patch, 'Content-Length: 200000'],
        [415, 'POST /help-support/u', $CHUNKED], [413, 'POST /small/u', $JSON_TYPE, 'Content-Length: 2000'],
        [404, 'POST /help-support/a/b', $CHUNKED], [405, 'PUT /help-support/a', $CHUNKED],
        [200, "$patch?status=open", $auth, $CHUNKED],
        [200, "$patch?status=open", $auth, 'Content-Length: 200000'],
        [200, "PATCH /narrow/$id/status?status=open", $auth, 'Content-Length: 900'],
        [200, "GET /help-support/$id", $auth, $CHUNKED], [204, 'OPTIONS /help-support', $CHUNKED],
        [422, $patch, $auth, $CHUNKED],
    );
    for my $case (@cases) {
        my ($status, $request, @fields) = @$case;
        my $start = time;
        my $rest = $fields[-1] eq $CHUNKED ? "ffff\r\n" : '';    # more is to come, and never does
        my $answer = $hs->raw(head($request, @fields) . $rest . $second, 5);
        my $first = parse_answer($answer);
        cmp_ok time - $start, '<', 0.9, 'at once, before the second that a body may take';
        is $first->{status}, $status, "$request $fields[-1]";
        is $first->{headers}{connection}, 'close';
        is scalar(() = $answer =~ m{HTTP/1.1 \d}g), 1, 'and nothing behind it is answered';
    }
    for my $case ([401, $patch], [415, 'POST /help-support/u'], [422, 'POST /help-support/u', $JSON_TYPE],
        [200, "$patch?status=open", $auth], [204, 'OPTIONS /help-support'], [404, 'POST /help-support/a/b']) {
        my ($status, $request, @fields) = @$case;
        my $answer = $hs->raw(head($request, @fields, 'Content-Length: 2') . '{}' . $second, 5);
        is parse_answer($answer)->{status}, $status, "$request with a small body";
        is scalar(() = $answer =~ m{HTTP/1.1 \d}g), 2, 'the connection lives';
    }
    my $two = head('POST /help-support/u', $JSON_TYPE, 'Content-Length: ' . length $body) . $body;
    is scalar(() = $hs->raw($two . $two . $second, 5) =~ m{HTTP/1.1 20[14] }g), 3, 'submissions on one connection';
};

subtest 'HTTP/1.0' => sub {
    my $answer = parse_answer($hs->raw("POST /help-support/u HTTP/1.0\r\n$JSON_TYPE\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body"));
    is $answer->{status}, 201;
    is $answer->{json}{name}, 'Jane Doe';
};

subtest 'endings that other modules know' => sub {
    my $ssi = '<!--#echo var="DOCUMENT_URI" --><!--#set var="x" value="y" -->';
    is $hs->request(GET => '/page.html')->{body}, 'a page', 'the server has pages';
    my $send = sub { $hs->post("/help-support/u$_[0]", submission(message => $ssi)) };
    my $plain = $send->('');
    for my $ending (qw(.gz .de .shtml .php .html.de.gz .utf16 .var .shtml.gz), '.') {
        my $answer = $send->($ending);
        is $answer->{status}, 201, $ending;
        is $answer->{json}{message}, $ssi, 'nothing in it is executed';
        for my $set ($plain->{headers}, $answer->{headers}) {
            delete @$set{qw(date location content-length)};
        }
        is_deeply $answer->{headers}, $plain->{headers}, 'the same headers';
        my $get = $hs->get("/help-support/$id$ending");
        is $get->{status}, 404, 'is no ticket';
        is $get->{headers}{'content-type'}, 'application/problem+json';
        is $get->{headers}{'content-encoding'}, undef;
        is $get->{headers}{'content-language'}, undef;
        is $hs->request(DELETE => "/help-support/u$ending")->{status}, 405;
        is $hs->request(OPTIONS => "/help-support/u$ending")->{status}, 204;
    }
    my ($ticket) = @{$hs->get('/help-support?user_id=u.shtml')->{json}};
    is $ticket->{message}, $ssi, 'nor in a list';
    mkdir "$hs->{root}/htdocs/help-support" or die;
    is $hs->get('/help-support')->{status}, 200, 'a folder of the same name is not looked at';
    is $hs->get('/help-support/')->{status}, 200;
};

subtest 'nothing takes the Location away' => sub {
    my %control = ('/proxied/x' => 503, '/encoded/x' => 503, '/servlet/x' => 503, '/in/x' => 503, '/moved' => 302,
        '/help-supporters' => 503, '/nothing' => 200);
    for my $path (sort keys %control) {
        is $hs->request(GET => $path)->{status}, $control{$path}, "$path is taken, so the configuration works";
    }
    for my $base ('/help-support', '/in/desk', '/proxied/desk', '/encoded/desk', '/servlet/desk') {
        my $answer = $hs->post("$base/auth0%7C64af.%C3%A9", submission());
        is $answer->{status}, 201, $base;
        like $answer->{headers}{location} // '', qr{^\Q$base\E/[0-9a-f-]{36}$};
        my $ticket = $hs->get($answer->{headers}{location} // '/');
        is $ticket->{status}, 200;
        is $ticket->{json}{user_id}, "auth0|64af.\x{e9}", 'its path is decoded';
        is $ticket->{headers}{'content-type'}, 'application/json';
        is $hs->get("$base?limit=1&x=$_")->{status}, 200 for 'a', '%2F';
        is $hs->get($base)->{status}, 200;
        is $hs->get("$base/")->{status}, 200;
        is $hs->get("$answer->{headers}{location}/history")->{status}, 200;
        is $hs->patch("$answer->{headers}{location}/status?status=closed")->{status}, 200;
        is $hs->request(OPTIONS => $base)->{headers}{allow}, 'GET, HEAD, OPTIONS';
        is $hs->request(GET => $base)->{status}, 401;
        for my $refused ($hs->request(PROPFIND => $base), $hs->get("$base/nothing"), $hs->get("$base/%zz"),
            $hs->get("$base/a%2Fb"), $hs->request(PUT => "$base/x", body => 'x')) {
            like $refused->{status}, qr/^40[045]$/;
            is $refused->{headers}{'content-type'}, 'application/problem+json', 'in our form';
        }
    }
    is $hs->get("/in/desk/../../help-support/$id")->{status}, 200;
    is $hs->post("$folder/u", submission())->{status}, 201, 'nor does a .htaccess on the disk';
    is $hs->post("$folder/" . 'x' x 256, submission())->{status}, 422, 'nor a name that no disk takes';
    is $hs->get($folder)->{status}, 200;
};

subtest 'the limit and who is not limited' => sub {
    my $post = sub { $hs->post('/unlimited/u', submission(), headers => {'X-Trusted' => $_[0]})->{status} };
    is $post->('no'), 201;
    is $post->('no'), 429;
    is $post->('yes'), 201, 'helpsupport-unlimited';
    is $post->('no'), 429;
    is $hs->post('/small/u', submission())->{status}, 201, 'another Location has its own count';
    my $lines = () = $hs->log =~ /HS0030: [^\n]*mod_remoteip/g;
    is $lines, 1, 'the first refusal is in the log, and names mod_remoteip';
};

is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
