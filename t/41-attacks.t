# 41-attacks.t - ways around access control: each must fail, and with good credentials each works,
# so that the attack is known to arrive.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(sha1_base64);
use File::Path qw(make_path);
use HS qw(command submission);
use MIME::Base64 qw(encode_base64);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

my $marker = 'Only agents may read this.';
my $bearer = qr/^Bearer realm="[^"]+"$/;

# ---- an httpd with everything that could lead astray ----

my $hs = HS->prepare(modules => [qw(alias auth_basic authn_file authz_host authz_user dir
    include mime proxy proxy_http rewrite ssl)]);
my $root = $hs->{root};
my %port = map { $_ => HS::free_port() } qw(tls gone broken taken);

sub put_file {
    my ($path, $text) = @_;
    my ($folder) = "$root/$path" =~ m{^(.*)/};
    make_path($folder);
    open my $out, '>', "$root/$path" or die "$path: $!\n";
    print $out $text;
    close $out or die "$path: $!\n";
}

my $mallory = 'Basic ' . encode_base64('mallory:m', '');
my $own_login = <<"END";
AuthType Basic
AuthName mine
AuthUserFile "$root/htdocs/passwd"
Require valid-user
END
put_file('htdocs/passwd', 'mallory:{SHA}' . sha1_base64('m') . "=\n");

# What someone who may write .htaccess files writes.
put_file('htdocs/handler/.htaccess', "SetHandler helpsupport\n$own_login");
put_file('htdocs/bearer/.htaccess',
    "SetHandler helpsupport\nAuthType Bearer\nAuthName mine\nRequire all granted\n");
put_file('htdocs/switch/.htaccess', "HelpSupport On\n$own_login");
put_file('htdocs/rewrite/.htaccess',
    "$own_login\nRewriteEngine On\nRewriteRule ^(.*)\$ /help-support/\$1 [L]\n");
put_file('htdocs/rewrite-open/.htaccess',
    "RewriteEngine On\nRewriteRule ^(.*)\$ /help-support/\$1 [L]\n");
put_file('htdocs/error/.htaccess', "ErrorDocument 404 /help-support/1\n");
put_file('htdocs/page.shtml', qq(before <!--#include virtual="/help-support/1" --> after\n));
put_file('htdocs/directory/1', "a file\n");
put_file('htdocs/fake/1', "taken\n");
put_file('htdocs/fake.html', "taken\n");

sub make_certificate {
    my ($name, $subject) = @_;
    my ($status, $out, $err) = command(qw(openssl req -x509 -newkey ec -pkeyopt
        ec_paramgen_curve:prime256v1 -nodes -days 2 -subj), $subject,
        '-keyout', "$root/$name.key", '-out', "$root/$name.pem");
    die "openssl: $out$err" if $status;
}
HS::build_preset("$root/preset.so");
make_certificate('server', '/CN=127.0.0.1');
make_certificate('client', '/CN=root-admin');

sub location {
    my ($path, @lines) = @_;
    return join "\n    ", qq(<Location "$path">), 'HelpSupport On', @lines, "\n</Location>\n";
}
my @basic = ('AuthType Basic', 'AuthName desk', 'AuthUserFile htdocs/passwd');
my @bearer = ('AuthType Bearer', 'AuthName desk');

my $own_certificate = join '',
    location('/no-type', 'Require all granted'),
    location('/valid-user', 'Require valid-user'),
    location('/basic', @basic, 'Require all granted'),
    location('/basic-words', @basic, 'Require help-support submit read write'),
    location('/bearer', @bearer, 'Require all granted'),
    location('/bearer-bare', @bearer, 'Require help-support');

$hs->{server} = <<"END";
TypesConfig /dev/null
LogLevel debug
LogFormat "%u %m %U %>s" short
CustomLog logs/access.log short
TraceEnable On
LoadModule preset_module preset.so
Listen 127.0.0.1:$port{tls}
Listen 127.0.0.1:$port{gone}
Listen 127.0.0.1:$port{broken}
Listen 127.0.0.1:$port{taken}
AddOutputFilter INCLUDES .shtml
AddType text/html .shtml
<Directory "$root/htdocs">
    AllowOverride All
    Options All
    Require all granted
</Directory>
<Directory "$root/htdocs/directory">
    SetHandler helpsupport
    $own_login
</Directory>
<Location "/set-handler">
    SetHandler helpsupport
    $own_login
</Location>
<Location "/set-handler-bearer">
    SetHandler helpsupport
    AuthType Bearer
    AuthName desk
    Require all granted
</Location>
@{[location('/ruled', @bearer, 'Require help-support', 'RewriteEngine On',
    'RewriteRule "^" "/fake.html"')]}

<VirtualHost 127.0.0.1:$port{tls}>
    SSLEngine On
    SSLCertificateFile server.pem
    SSLCertificateKeyFile server.key
    SSLVerifyClient optional_no_ca
    SSLUserName SSL_CLIENT_S_DN_CN
    $own_certificate
</VirtualHost>

<VirtualHost 127.0.0.1:$port{gone}>
    HelpSupportDB sqlite3 "$root/gone/tickets.db"
    HelpSupportDBPool 2 200ms
</VirtualHost>

<VirtualHost 127.0.0.1:$port{broken}>
    HelpSupportDB sqlite3 "$root/htdocs/fake.html"
    HelpSupportDBPool 2 200ms
</VirtualHost>

<VirtualHost 127.0.0.1:$port{taken}>
    Alias /help-support "$root/htdocs/fake"
    Redirect /help-support http://127.0.0.1:$hs->{port}/fake.html
    RewriteEngine On
    RewriteRule "^/help-support" "/fake.html" [L]
    ProxyPass /help-support http://127.0.0.1:$hs->{port}/fake mapping=encoded
    ProxyPass / http://127.0.0.1:$hs->{port}/fake/
</VirtualHost>
END
$hs->write_config;
$hs->launch;

my $token = $hs->token;
my %as_agent = (headers => {Authorization => "Bearer $token"});
my $ticket = $hs->post('/help-support/u1', submission(message => $marker));
is $ticket->{status}, 201, 'there is a ticket' or diag $hs->log;
is $hs->post('/help-support/u2', submission())->{status}, 201, 'and a second one';
like $hs->get('/help-support/1')->{body}, qr/\Q$marker/, 'which an agent can read';

sub request_at {
    my ($place, @request) = @_;
    local $hs->{port} = $port{$place};
    return $hs->request(@request);
}

sub is_refused {
    my ($answer, $status, $name) = @_;
    is $answer->{status}, $status, $name;
    unlike $answer->{body} // '', qr/\Q$marker/, 'and shows nothing';
}

# Revoked now, looked at again at the end of this file, when five seconds have passed.
my ($status, $revoked) = $hs->ctl('token', 'create', 'to-be-revoked');
chomp $revoked;
my %as_revoked = (headers => {Authorization => "Bearer $revoked"});
is $hs->request(GET => '/help-support/1', %as_revoked)->{status}, 200, 'a token works' for 1 .. 5;
# Whoever sends the request line now and the token later must not be judged by the time of the first.
my $dribbler = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hs->{port}) or die;
$dribbler->syswrite("PATCH /help-support/2/status?status=closed HTTP/1.1\r\nHost: h\r\n");
$hs->ctl('token', 'revoke', 'to-be-revoked');
my $revoked_at = time;

# ---- .htaccess and SetHandler ----

subtest 'the handler answers nowhere else' => sub {
    my %as_mallory = (headers => {Authorization => $mallory});
    for my $place (qw(handler set-handler)) {
        is_refused($hs->request(GET => "/$place/1", %as_mallory), 404, "GET /$place/1");
        is_refused($hs->request(GET => "/$place", %as_mallory), $place eq 'handler' ? 301 : 404,
            "GET /$place");
        is_refused($hs->request(PATCH => "/$place/1/status?status=closed", %as_mallory), 405,
            "PATCH /$place");
        isnt $hs->post("/$place/u1", submission(), %as_mallory)->{status}, 201, 'POST';
    }
    is_refused($hs->request(GET => "/$_/1", %as_agent), 404, "GET /$_/1")
        for qw(bearer set-handler-bearer);
    my $file = $hs->request(GET => '/directory/1', %as_mallory);
    is_refused($file, 200, 'a file under SetHandler is');
    is $file->{body}, "a file\n", 'just a file';
    like $hs->log, qr/HS0031: SetHandler helpsupport does nothing: write HelpSupport On into/;
};

subtest 'HelpSupport On in .htaccess' => sub {
    is_refused($hs->request(GET => '/switch/1', headers => {Authorization => $mallory}), 500,
        'a GET');
    like $hs->log, qr/HelpSupport not allowed here/;
};

subtest 'led here from elsewhere' => sub {
    my %path = (error => '/error/none', page => '/page.shtml', rewrite => '/rewrite-open/1');
    for my $way (sort keys %path) {
        my $answer = $hs->request(GET => $path{$way});
        unlike $answer->{body}, qr/\Q$marker/, "$way: nothing without a token";
        isnt $answer->{status}, 200, 'an error' unless $way eq 'page';
        $answer = $hs->request(GET => $path{$way}, headers => {Authorization => $mallory});
        unlike $answer->{body}, qr/\Q$marker/, 'nor with another login';
        like $hs->request(GET => $path{$way}, %as_agent)->{body}, qr/\Q$marker/,
            'with a token the way leads here';
    }
    is_refused($hs->request(GET => '/rewrite/1', headers => {Authorization => $mallory}), 401,
        'a rewriting .htaccess with its own login');
};

subtest 'redirected within the Location' => sub {
    my ($path, $other) = map { "/help-support/$_/status?status=closed" } 2, 1;
    my $patch = sub {
        my (%headers) = @_;
        return $hs->request(PATCH => $path, headers => {%headers, 'Preset-Redirect' => $other});
    };
    my $answer = $patch->(Authorization => 'Bearer ' . $hs->token('read'));
    is_refused($answer, 403, 'a token keeps its scope');
    like $answer->{headers}{'www-authenticate'}, qr/error="insufficient_scope", scope="write"/;
    is $hs->get('/help-support/1')->{json}{status}, 'open', 'nothing is changed';
    is_refused($patch->(), 401, 'and nobody writes without');
    is $patch->(Authorization => "Bearer $token")->{json}{number}, 1, 'the redirect leads there';
    for my $open ([GET => '/help-support/no/such/path'], [OPTIONS => '/help-support/1'],
        [DELETE => '/help-support/1']) {
        $answer = $hs->request(@$open, headers => {'Preset-Redirect' => '/help-support/1'});
        unlike $answer->{body} // '', qr/\Q$marker/, "from $open->[0], open to anyone";
    }
    $answer = $hs->request(GET => '/help-support/no/such/path',
        headers => {'Preset-Redirect' => '/help-support/1'});
    is_refused($answer, 403, 'from a path that is open to anyone');
    is $answer->{headers}{'www-authenticate'}, undef, 'there is no token to blame';
};

# ---- users that nobody has authenticated; more of them in 40-access.t ----

subtest 'a certificate that its owner has made' => sub {
    my @curl = (qw(curl -sk -o), "$root/curl.out", '-w', '%{http_code}', '--cert',
        "$root/client.pem", '--key', "$root/client.key");
    my %expected = ('no-type' => 403, 'valid-user' => 403, basic => 403, 'basic-words' => 401,
        bearer => 401, 'bearer-bare' => 401);
    for my $place (sort keys %expected) {
        my $url = "https://127.0.0.1:$port{tls}/$place/1";
        for my $more ([$url], ['-X', 'PATCH', "$url/status?status=closed"]) {
            my ($status, $out, $err) = command(@curl, @$more);
            is $out, $expected{$place}, "$place: @$more";
            unlike HS::slurp("$root/curl.out"), qr/\Q$marker/;
        }
    }
    my ($status, $out) = command(@curl, '-H', "Authorization: Bearer $token",
        "https://127.0.0.1:$port{tls}/bearer/1");
    is $out, 200, 'a token works beside it';
    like HS::slurp("$root/logs/access.log"), qr{^root-admin GET /no-type/1 403$}m,
        'mod_ssl did take the name from the certificate';
};

# ---- a token where none belongs ----

subtest 'a token elsewhere in the request' => sub {
    for my $query ("access_token=$token", "token=$token", "Authorization=Bearer+$token") {
        my $answer = $hs->request(GET => "/help-support/1?$query");
        is_refused($answer, 401, 'in the query');
        like $answer->{headers}{'www-authenticate'}, $bearer, 'as if there were none';
    }
    is_refused($hs->request(GET => '/help-support/1', headers => {Cookie => "access_token=$token"}),
        401, 'in a cookie');
    is_refused($hs->request(PATCH => '/help-support/1/status?status=closed',
        body => "access_token=$token",
        headers => {'Content-Type' => 'application/x-www-form-urlencoded'}), 401, 'in the body');
    my ($user) = encode_base64("$token:", '');
    is_refused($hs->request(GET => '/help-support/1', headers => {Authorization => "Basic $user"}),
        401, 'as a Basic login');
};

# ---- the database gone ----

for my $place (qw(gone broken)) {
    subtest "a database that is $place" => sub {
        my $unknown = 'hst_' . 'A' x 32 . '3Ae0o2';
        my %header = (
            none => [401, $bearer],
            'Basic eDp5' => [401, $bearer],
            'Bearer nonsense' => [401, qr/error="invalid_token"$/],
            'Bearer hst_' . 'A' x 38 => [401, qr/error="invalid_token"$/],
            "Bearer $unknown" => [503],
            "Bearer $token" => [503],
        );
        for my $field (sort keys %header) {
            my ($status, $challenge) = @{$header{$field}};
            my %headers = $field eq 'none' ? () : (Authorization => $field);
            for my $request ([GET => '/1'], [PATCH => '/1/status?status=closed']) {
                my ($method, $path) = @$request;
                my $answer = request_at($place, $method, "/help-support$path",
                    headers => {%headers});
                is $answer->{status}, $status, substr($field, 0, 15) . ": $method";
                is $answer->{json}{status}, $status, 'in our form';
                if ($challenge) {
                    like $answer->{headers}{'www-authenticate'}, $challenge;
                } else {
                    like $answer->{headers}{'retry-after'}, qr/^\d+$/, 'Retry-After';
                    is $answer->{headers}{'www-authenticate'}, undef, 'no challenge';
                }
            }
        }
        is request_at($place, OPTIONS => '/help-support/1')->{status}, 204, 'options need none';
        is request_at($place, GET => '/help-support/1/2')->{status}, 404, 'no more does a bad path';
        my $answer = request_at($place, POST => '/help-support/u1', json => submission());
        is $answer->{status}, 503, 'a submission';
        like $answer->{headers}{'retry-after'}, qr/^\d+$/, 'Retry-After';
    };
}

# ---- other spellings ----

# Send a request line that no client library would. Returns (status, the whole answer).
sub raw {
    my ($line, @fields) = @_;
    my $answer = $hs->raw(join "\r\n", $line, 'Host: 127.0.0.1', 'Connection: close', @fields, '',
        '');
    return ($answer =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0, $answer);
}

subtest 'other spellings of the path' => sub {
    my %expected = (
        # the same resource, so the same answer
        '//help-support/1' => 401,
        '/help-support//1' => 401,
        '/help-support/./1' => 401,
        '/help-support/x/../1' => 401,
        '/x/../help-support/1' => 401,
        '/x/%2e%2e/help-support/1' => 401,
        '/%68elp-support/%31' => 401,
        '/help-support' => 401,
        '/help-support/' => 401,
        '/help-support?' => 401,
        '/help-support/1%3F' => 401,
        "http://127.0.0.1:$hs->{port}/help-support/1" => 401,
        # other resources
        '/HELP-SUPPORT/1' => 404,
        '/Help-support/1' => 404,
        '/help-supportx/1' => 404,
        '/help-support;x/1' => 404,
        '/help-support%2F1' => 404,
        '/help-support%5C1' => 404,
        '/help-support/1%2Fhistory' => 404,
        '/help-support/1/' => 404,
        '/help-support/1/HISTORY' => 404,
        # no paths at all
        '/../help-support/1' => 400,
        '/%2e%2e/help-support/1' => 400,
        '/help-support/1%00' => 404,
        '/help-support/%zz' => 400,
        'help-support/1' => 400,
        '*' => 400,
    );
    for my $path (sort keys %expected) {
        my ($status, $answer) = raw("GET $path HTTP/1.1");
        is $status, $expected{$path}, $path;
        unlike $answer, qr/\Q$marker/;
        like $answer, qr{^Content-Type: application/problem\+json}m, 'in our form'
            if $status == 401 || $path =~ m{^/help-support/};
    }
    my (undef, $answer) = raw('GET //help-support/./1 HTTP/1.1', "Authorization: Bearer $token");
    like $answer, qr/\Q$marker/, 'with a token another spelling does lead here';
    unlike $hs->raw("GET /help-support/1\r\n\r\n"), qr/\Q$marker/, 'HTTP/0.9';
    like $hs->raw("GET /help-support/1 HTTP/1.0\r\n\r\n"), qr{^HTTP/1\.[01] 401 }, 'HTTP/1.0';
};

subtest 'other methods' => sub {
    for my $method (qw(TRACE PUT DELETE PROPFIND MKCOL get Get POSTS X)) {
        my ($status, $answer) = raw("$method /help-support/1 HTTP/1.1", 'Cookie: a=echoed');
        is $status, 405, $method;
        unlike $answer, qr/\Q$marker\E|echoed/;
    }
    my ($status) = raw('POST /help-support/1/status?status=closed HTTP/1.1', 'Content-Length: 0');
    is $status, 405, 'POST for PATCH';
    for my $field (qw(X-HTTP-Method-Override X-HTTP-Method X-Method-Override)) {
        my $answer = $hs->post('/help-support/1/status?status=closed&_method=PATCH', {},
            headers => {$field => 'PATCH'});
        is $answer->{status}, 405, $field;
        $answer = $hs->post('/help-support/1', submission(), headers => {$field => 'GET'});
        is_refused($answer, 201, 'POST stays a submission');
    }
};

subtest 'nothing takes the Location away' => sub {
    is_refused(request_at('taken', GET => '/help-support/1'), 401, 'GET without a token');
    my $answer = request_at('taken', GET => '/help-support/1', %as_agent);
    is $answer->{status}, 200, 'GET';
    like $answer->{body}, qr/\Q$marker/, 'is ours';
    is request_at('taken', POST => '/help-support/u3', json => submission())->{status}, 201, 'POST';
    is request_at('taken', GET => '/1')->{body}, "taken\n", 'the proxy takes other paths';
    is_refused($hs->request(GET => '/ruled/1'), 401, 'a RewriteRule inside');
    like $hs->request(GET => '/ruled/1', %as_agent)->{body}, qr/\Q$marker/, 'has no effect';
};

# ---- afterwards ----

subtest 'a revoked token' => sub {
    my $left = $revoked_at + 5.1 - time;
    sleep $left if $left > 0;
    for my $time (1 .. 12) {    # all children have to know
        my $answer = $hs->request(GET => '/help-support/1', %as_revoked);
        is_refused($answer, 401, "after 5 seconds, request $time");
        like $answer->{headers}{'www-authenticate'}, qr/error="invalid_token"$/;
    }
    $dribbler->syswrite("Authorization: Bearer $revoked\r\nConnection: close\r\n\r\n");
    like scalar readline $dribbler, qr/ 401 /, 'also for a request that began before';
};

is $hs->get('/help-support/2')->{json}{status}, 'open', 'nobody has changed a ticket';
is $hs->stop, 0, 'httpd ends';
unlike HS::slurp($_), qr/hst_\w{8}/, "no token in $_" for glob "$root/logs/*";

done_testing;
