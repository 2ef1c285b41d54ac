# 37-hosts.t - several virtual hosts in one server, with databases of their own or a shared one; a
# database whose folder is missing at start; HTTP/2 and TLS.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command free_port parse_answer submission);
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);

my $folder = tempdir(CLEANUP => 1);
my ($own, $shared, $missing, $tls) = map { free_port() } 1 .. 4;
my $access = qq(AuthType Bearer\nAuthName "Help & Support"\nRequire help-support\n);
my ($status, $out, $err) = command(qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost),
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', "$folder/key.pem", '-out', "$folder/cert.pem");
is $status, 0, 'a certificate' or diag $err;
chmod 0755, $folder;
my $user = $> == 0 ? 'www-data' : '';
mkdir "$folder/own";
chown((getpwnam $user)[2, 3], "$folder/own") if $user;

sub host {
    my ($port, $lines) = @_;
    return <<"END";
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
ServerName host-$port.example
$lines
</VirtualHost>
END
}

my $place = qq(<Location "/help-support">\nHelpSupport On\n$access</Location>);
my $hs = HS->start(
    modules => [qw(http2 ssl)],
    location => "HelpSupportSubmitLimit off\nHelpSupportMaxBody 1000\nHelpSupportAllowOrigin https://desk.example\n",
    server => "Protocols h2c http/1.1\nHelpSupportDBPool 8 800ms\n"
        . host($own, qq(HelpSupportDB sqlite3 "$folder/own/tickets.db"\n)
            . $place =~ s{/help-support}{/desk}r)
        . host($shared, '')
        . host($missing, qq(HelpSupportDB sqlite3 "$folder/missing/tickets.db"\n)
            . $place =~ s{/help-support}{/late}r)
        . host($tls, "Protocols h2 http/1.1\nSSLEngine on\nSSLCertificateFile $folder/cert.pem\n"
            . "SSLCertificateKeyFile $folder/key.pem"),
);

# A request to another port of the same server.
sub at {
    my ($port, $method, $path, %option) = @_;
    local $hs->{port} = $port;
    return $hs->request($method => $path, %option);
}

my $token = $hs->token;
my $created = $hs->post('/help-support/u', submission(name => 'Main'))->{json};

subtest 'a virtual host with a database of its own' => sub {
    my $answer = at($own, POST => '/desk/u', json => submission(name => 'Own'));
    is $answer->{status}, 201;
    like $answer->{headers}{location}, qr{^/desk/};
    is at($own, GET => '/desk', token => $token)->{status}, 401, 'the other\'s token is not known';
    local $hs->{db} = "sqlite3 $folder/own/tickets.db";
    local $hs->{tokens} = {};
    my $list = at($own, GET => '/desk', token => $hs->token);
    is_deeply [map { $_->{name} } @{$list->{json}}], ['Own'], 'it has its own tickets';
    is $hs->get('/help-support')->{status}, 401, 'its token is not the other\'s';
    is at($own, POST => '/help-support/u', json => submission(name => 'Own 2'))->{status}, 201,
        'the Location of the main server is there, too';
    is scalar @{at($own, GET => '/desk', token => $hs->token)->{json}}, 2, 'with this host\'s database';
};

subtest 'a virtual host that shares a database' => sub {
    my $answer = at($shared, POST => '/help-support/u', json => submission(name => 'Shared'));
    is $answer->{status}, 201;
    is_deeply [map { $_->{name} } @{$hs->get('/help-support')->{json}}], ['Shared', 'Main'];
    is at($shared, GET => "/help-support/$created->{id}", token => $token)->{json}{name}, 'Main';
    is at($shared, PATCH => "/help-support/$created->{id}/status?status=closed", token => $token)->{status}, 200;
    is $hs->get("/help-support/$created->{id}")->{json}{status}, 'closed';
    my $key = {'Idempotency-Key' => 'k'};
    my $first = at($shared, POST => '/help-support/u', json => submission(), headers => $key);
    is $hs->post('/help-support/u', submission(), headers => $key)->{json}{id}, $first->{json}{id},
        'and its idempotency keys';
};

subtest 'a database whose folder is missing at start' => sub {
    for my $answer (at($missing, POST => '/late/u', json => submission()),
        at($missing, GET => '/late', token => $token)) {
        is $answer->{status}, 503;
        is $answer->{headers}{'content-type'}, 'application/problem+json';
        like $answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/;
        my ($instance) = $answer->{json}{instance} =~ /^urn:request:(.*)/;
        like $hs->log, qr/HS\d{4}: .*folder.*\(request \Q$instance\E\)/, 'the log says what to do';
        unlike $answer->{body}, qr/\Q$folder\E/, 'the answer does not';
    }
    is at($missing, POST => '/late/u', json => {})->{status}, 422;
    is at($missing, GET => '/late')->{status}, 401;
    is $hs->post('/help-support/u', submission())->{status}, 201, 'the others are well';
    mkdir "$folder/missing";
    chown((getpwnam $user)[2, 3], "$folder/missing") if $user;
    my $answer;
    for (1 .. 50) {
        $answer = at($missing, POST => '/late/u', json => submission());
        last if $answer->{status} == 201;
        sleep 0.1;
    }
    is $answer->{status}, 201, 'it recovers by itself';
};

# What curl gets.
sub curl {
    my ($options, $method, $url, %option) = @_;
    my @words = ('curl', '-sS', '-i', '--max-time', 20, @$options);
    push @words, $method eq 'HEAD' ? '-I' : ('-X', $method);
    push @words, '-H', "$_: $option{headers}{$_}" for sort keys %{$option{headers} // {}};
    push @words, '-H', "Authorization: Bearer $option{token}" if $option{token};
    push @words, '--data-binary', $option{body} if defined $option{body};
    my ($status, $out, $err);
    # 92: where httpd answers before it has the whole body, RST_STREAM(NO_ERROR) follows (RFC 9113
    # 8.1); curl 7.88 takes that for an error if it was still sending
    for (1 .. 10) {
        ($status, $out, $err) = command(@words, $url);
        last if $status != 92;
    }
    is $err, '', "curl $method $url";
    return parse_answer($out);
}

# The answer without what differs from one request to the next or belongs to the version of HTTP.
sub essence {
    my ($answer) = @_;
    my %headers = %{$answer->{headers}};
    delete @headers{qw(date connection keep-alive upgrade transfer-encoding)};
    delete $headers{'content-length'} if $answer->{status} >= 400 || $answer->{status} == 204;
    my $body = $answer->{body} =~ s/"instance":"[^"]*"/"instance"/r;
    if ($answer->{status} == 201) {
        $body =~ s/"(id|created_at|updated_at)":"[^"]*"/"$1"/g;
        $headers{location} =~ s/[0-9a-f-]{36}/id/;
    }
    return {status => $answer->{status}, headers => \%headers, body => $body};
}

my $body = JSON::PP->new->canonical->utf8->encode(submission());
my $path = "/help-support/$created->{id}";
my $etag = $hs->get($path)->{headers}{etag};
my %json = (headers => {'Content-Type' => 'application/json', Origin => 'https://desk.example'});
my @requests = (
    [201, POST => '/help-support/u%7C1', %json, body => $body],
    [400, POST => '/help-support/u', %json, body => '{'],
    [413, POST => '/help-support/u', %json, body => 'x' x 1500],
    [413, POST => '/help-support/u', headers => {%{$json{headers}}, 'Transfer-Encoding' => 'chunked'},
        body => 'x' x 1500],
    [415, POST => '/help-support/u', headers => {'Content-Type' => 'text/plain'}, body => 'x'],
    [422, POST => '/help-support/u', %json, body => '{}'],
    [200, GET => $path, token => $token, headers => {Origin => 'https://desk.example'}],
    [200, HEAD => $path, token => $token], [200, GET => "$path/history", token => $token],
    [200, GET => '/help-support?user_id=u&sort=created_at&limit=1&count=true&skip=1', token => $token],
    [304, GET => $path, token => $token, headers => {'If-None-Match' => $etag, Origin => 'https://desk.example'}],
    [200, PATCH => "$path/status?status=closed", token => $token],
    [200, PATCH => "$path/status?status=closed", token => $token, body => 'x' x 1500],
    [412, PATCH => "$path/status?status=open", token => $token, headers => {'If-Match' => '"x"'}],
    [401, GET => $path], [401, PATCH => "$path/status?status=open", body => 'x' x 1500],
    [404, GET => '/help-support/x', token => $token], [404, GET => '/help-support/a%2Fb', token => $token],
    [404, GET => '/help-support/a/b'], [405, DELETE => $path], [405, BREW => $path], [204, OPTIONS => $path],
    [204, OPTIONS => $path, headers => {Origin => 'https://desk.example', 'Access-Control-Request-Method' => 'GET'}],
);
my %ways = (
    'HTTP/2 without TLS' => [['--http2-prior-knowledge'], "http://127.0.0.1:$hs->{port}"],
    'HTTP/1.1 over TLS' => [['--http1.1', '--cacert', "$folder/cert.pem", '--resolve',
        "localhost:$tls:127.0.0.1"], "https://localhost:$tls"],
    'HTTP/2 over TLS' => [['--http2', '--cacert', "$folder/cert.pem", '--resolve',
        "localhost:$tls:127.0.0.1"], "https://localhost:$tls"],
);
my %plain;

for my $index (0 .. $#requests) {
    my ($wanted, $method, $url, %option) = @{$requests[$index]};
    $plain{$index} = essence(curl(['--http1.1'], $method, "http://127.0.0.1:$hs->{port}$url", %option));
}
for my $way (sort keys %ways) {
    my ($options, $base) = @{$ways{$way}};
    subtest "$way changes nothing" => sub {
        my ($code, $version) = command('curl', '-sS', '-o', '/dev/null', '-w', '%{http_version}', @$options,
            "$base/help-support");
        is $version, $way =~ /HTTP\/2/ ? '2' : '1.1', 'it is that version';
        for my $index (0 .. $#requests) {
            my ($wanted, $method, $url, %option) = @{$requests[$index]};
            my $answer = essence(curl($options, $method, "$base$url", %option));
            is $answer->{status}, $wanted, "$method $url";
            is_deeply $answer, $plain{$index}, 'as over HTTP/1.1 without TLS';
        }
    };
}

is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
