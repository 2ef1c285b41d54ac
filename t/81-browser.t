# 81-browser.t - README's fetch example and its errors, from a page of another origin in Chromium.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Cwd qw(abs_path);
use HS qw(free_port wait_until);
use IPC::Open2 qw(open2);
use JSON::PP ();
use Test::More;

my $root = abs_path("$Bin/..");
my $folder = "$root/build/browser";    # ./build.sh test installs playwright-core there
my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
plan skip_all => 'needs node' unless grep { -x "$_/node" } split /:/, $ENV{PATH};
plan skip_all => 'needs chromium' unless $chromium;
plan skip_all => 'needs playwright-core: ./build.sh install' unless -d "$folder/node_modules";

my $json = JSON::PP->new->utf8;
my ($example) = HS::slurp("$root/README.md") =~ /^```js\n(.*?)^```$/ms;
my $page_port = free_port();
my $origin = "http://127.0.0.1:$page_port";

# Run scripts in a page of $origin, and give what each returned.
sub in_browser {
    my @scripts = @_;
    my $pid = open2(my $out, my $in, 'timeout', '120', 'node', "$Bin/browser/fetch.mjs", $folder,
        $origin, $chromium);
    print $in $json->encode(\@scripts);
    close $in;
    my $text = join '', <$out>;
    waitpid $pid, 0;
    is $?, 0, 'the browser ran' or return;
    return @{$json->decode($text)};
}

sub script {
    my ($hs, $text) = @_;
    my $base = "http://127.0.0.1:$hs->{port}/help-support";
    return $text =~ s{http://127\.0\.0\.1:8080/help-support|BASE}{$base}gr;
}

my $wrong_body = q['{"name":"","phone_number":"+1234567890","email":"x","message":"y"}'];
my $post = q[fetch('BASE/u1', { method: 'POST', headers: { 'Content-Type': 'application/json' },
    body: BODY })];
my $admin = q[fetch('BASE/1', { headers: { Authorization: 'Bearer TOKEN' } })];
my $read = q[
const problem = await answer.json();
return { status: answer.status, problem, challenge: answer.headers.get('WWW-Authenticate') };];

subtest 'the origin is listed' => sub {
    my $hs = HS->start(location => "HelpSupportAllowOrigin https://a.example $origin\n");
    my $token = $hs->token;
    my @answers = in_browser(map { script($hs, $_) }
        $example . q[
            return { status: answer.status, ticket, location: answer.headers.get('Location') };],
        "const answer = await " . ($post =~ s/BODY/$wrong_body/r) . ";$read",
        "const answer = await " . ($admin =~ s/TOKEN/hst_wrong/r) . ";$read",
        "const answer = await fetch('BASE/1');$read",
        "const answer = await " . ($admin =~ s/TOKEN/$token/r) . ";
            return { status: answer.status, etag: answer.headers.get('ETag'),
                     ticket: await answer.json() };",
        "const answer = await fetch('BASE?limit=1&count=true', { headers: {
                Authorization: 'Bearer $token' } });
            return { status: answer.status, total: answer.headers.get('X-Total-Count'),
                     tickets: (await answer.json()).length };",
        "const answer = await fetch('BASE/1/status?status=pending', { method: 'PATCH', headers: {
                Authorization: 'Bearer $token', 'If-Match': '\"nothing\"' } });$read",
        "const answer = await fetch('BASE/1/status?status=pending', { method: 'PATCH', headers: {
                Authorization: 'Bearer $token' } });
            return { status: answer.status, ticket: await answer.json() };",
        "const answer = await fetch('BASE/no/such/place');$read",
    ) or return;
    my ($created, $invalid, $wrong, $bare, $ticket, $list, $stale, $changed, $none) = @answers;
    is $created->{status}, 201, 'README\'s example: 201' or diag explain $created;
    is $created->{ticket}{name}, 'Jane Doe';
    is $created->{location}, "/help-support/$created->{ticket}{id}", 'Location can be read';
    is $invalid->{status}, 422, 'a refusal can be read';
    is_deeply [sort map { $_->{pointer} } @{$invalid->{problem}{errors}}], ['#/email', '#/name'],
        'with each field that is wrong';
    is $wrong->{status}, 401, '401 with a wrong token, after a preflight';
    is $wrong->{problem}{title}, 'Unauthorized';
    is $bare->{status}, 401, '401 without one';
    is $ticket->{status}, 200, 'the ticket with a good one' or diag explain $ticket;
    like $ticket->{etag}, qr/^"/, 'ETag can be read';
    is $ticket->{ticket}{id}, $created->{ticket}{id};
    is $list->{status}, 200;
    is $list->{total}, '1', 'X-Total-Count can be read';
    is $stale->{status}, 412, 'PATCH passes the preflight, too';
    is $changed->{status}, 200;
    is $changed->{ticket}{status}, 'pending';
    is $none->{status}, 404, 'and a 404 can be read';
};

subtest 'any origin' => sub {
    my $hs = HS->start(location => "HelpSupportAllowOrigin *\n");
    my $token = $hs->token;
    my @answers = in_browser(map { script($hs, $_) }
        "$example\nreturn { status: answer.status, location: answer.headers.get('Location') };",
        "const answer = await " . ($post =~ s/BODY/'no JSON'/r) . ";$read",
        "const answer = await " . ($admin =~ s/TOKEN/$token/r) . ";$read",
        "const answer = await fetch('BASE', { headers: { Authorization: 'Bearer $token' } });$read",
        "const answer = await fetch('BASE/1/status?status=closed', { method: 'PATCH', headers: {
            Authorization: 'Bearer $token' } });$read",
        "const answer = await fetch('BASE/1');$read",
    ) or return;
    my ($created, $malformed, @admin) = @answers;
    is $created->{status}, 201, 'a submission' or diag explain $created;
    like $created->{location}, qr{^/help-support/[0-9a-f-]{36}$}, 'whose Location can be read';
    is $malformed->{status}, 400, 'its errors can be read';
    is_deeply \@admin, [({thrown => 'TypeError'}) x 4], 'the admin API is out of reach';
    is $hs->get('/help-support/1')->{json}{status}, 'open', 'nothing was changed';
};

subtest 'no origin' => sub {
    my $hs = HS->start;
    my ($created) = in_browser(script($hs, $example . 'return { status: answer.status };'))
        or return;
    is_deeply $created, {thrown => 'TypeError'}, 'without the directive a page can do nothing';
    is_deeply $hs->get('/help-support')->{json}, [], 'and nothing was stored';
};

done_testing;
