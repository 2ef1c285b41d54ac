# 32-list.t - GET {base}: filters, order, paging by skip and by cursor, counts, bad parameters.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Encode ();
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command submission);
use Test::More;

my $access = qq(AuthType Bearer\nAuthName "Help & Support"\nRequire help-support\n);
my $hs = HS->start(
    location => "HelpSupportSubmitLimit off\n",
    server => Encode::encode_utf8(qq(<Location "/désk & co">\nHelpSupport On\n$access</Location>\n)),
);

sub names {
    my ($query, %option) = @_;
    my $answer = $hs->get("/help-support$query", %option);
    return $answer->{status} == 200 ? join ' ', map { $_->{name} } @{$answer->{json}}
        : "status $answer->{status}: $answer->{body}";
}

# The URLs of a Link header by their rel.
sub links {
    my ($answer) = @_;
    my $field = $answer->{headers}{link} // return {};
    my %links = map { /^<([^>]*)>; rel="(\w+)"$/ ? ($2 => $1) : ('?' => $_) } split /, (?=<)/, $field;
    return \%links;
}

# What the database has as the times of a ticket, in seconds from 2025-07-04T12:00:00Z.
sub set_times {
    my (%seconds) = @_;
    my $sql = join ';', map {
        my ($created, $updated) = map { (1_751_630_400 + $_) * 1_000_000 } @{$seconds{$_}};
        "UPDATE ticket SET created_us = $created, updated_us = $updated WHERE name = '$_'";
    } keys %seconds;
    is $hs->sql($sql), '', 'times are set';
}

subtest 'an empty desk' => sub {
    my $answer = $hs->get('/help-support?count=true');
    is $answer->{status}, 200;
    is $answer->{body}, '[]';
    is $answer->{headers}{'x-total-count'}, 0;
    is $answer->{headers}{link}, undef;
    is $answer->{headers}{'content-type'}, 'application/json';
    is $answer->{headers}{'cache-control'}, 'no-store';
    is $answer->{headers}{'x-content-type-options'}, 'nosniff';
    is $answer->{headers}{vary}, 'Origin';
    is names('/'), '', 'a slash behind the base is the base';
    is $hs->request(GET => '/help-support')->{status}, 401;
    is $hs->request(GET => '/help-support?limit=x')->{status}, 401, 'access comes first';
};

my @ids;
my @people = (
    [Ada => 'auth0|1', 'ada@example.com', 'The printer burns. Straße 7, voilà'],
    [Bob => 'auth0|1', 'bob+desk@example.com', 'My password fails, PostgreSQL 15'],
    [Cid => 'u+2', 'Cid@Bücher.example', 'nothing works'],
    [Dee => 'u4', 'dee@example.org', 'naïve question: 数据库 down'],
    [Eve => 'u3', 'eve@example.org', 'it_is; 100% "down"'],
    [Flo => 'u3', 'ADA@example.com', 'printed twice'],
);
for my $person (@people) {
    my ($name, $user, $email, $message) = @$person;
    $user =~ s/([|%])/sprintf '%%%02X', ord $1/ge;
    my $answer = $hs->post("/help-support/$user", submission(name => $name, email => $email,
        message => $message));
    is $answer->{status}, 201, $name;
    push @ids, $answer->{json}{id};
}
set_times(Ada => [0, 900], Bob => [60, 60], Cid => [120, 800], Dee => [180.5, 180.5], Eve => [240, 700],
    Flo => [300, 300]);

subtest 'order' => sub {
    is names(''), 'Flo Eve Dee Cid Bob Ada', 'newest first';
    is names('?sort=-created_at'), 'Flo Eve Dee Cid Bob Ada';
    is names('?sort=created_at'), 'Ada Bob Cid Dee Eve Flo';
    is names('?sort=-updated_at'), 'Ada Cid Eve Flo Dee Bob';
    is names('?sort=updated_at'), 'Bob Dee Flo Eve Cid Ada';
    my $answer = $hs->get('/help-support?limit=1&sort=created_at');
    is $answer->{body}, '[' . $hs->get("/help-support/$ids[0]")->{body} . ']',
        'a ticket has the form that it has alone';
};

subtest 'filters' => sub {
    $hs->patch("/help-support/$ids[$_->[0]]/status?status=$_->[1]")
        for [0, 'pending'], [1, 'resolved'], [2, 'closed'];
    set_times(Ada => [0, 900], Bob => [60, 60], Cid => [120, 800]);
    my %expected = (
        'status=open' => 'Flo Eve Dee', 'status=pending' => 'Ada', 'status=closed,pending' => 'Cid Ada',
        'status=closed&status=pending' => 'Cid Ada', 'status=open,open' => 'Flo Eve Dee',
        'status=open,pending&status=resolved' => 'Flo Eve Dee Bob Ada',
        'status=open,pending,resolved,closed' => 'Flo Eve Dee Cid Bob Ada',
        'status=closed%2Cpending' => 'Cid Ada',
        'user_id=auth0%7C1' => 'Bob Ada', 'user_id=auth0|1' => 'Bob Ada', 'user_id=AUTH0%7C1' => '',
        'user_id=u%2B2' => 'Cid', 'user_id=u+2' => 'Cid', 'user_id=u3' => 'Flo Eve', 'user_id=u' => '',
        'email=ada@example.com' => 'Flo Ada', 'email=ADA%40EXAMPLE.COM' => 'Flo Ada',
        'email=bob+desk@example.com' => 'Bob', 'email=bob%2Bdesk@example.com' => 'Bob',
        'email=bob%20desk@example.com' => 'Bob', 'email=bob@example.com' => '',
        'email=cid@b%C3%BCcher.example' => 'Cid', 'email=CID@xn--bcher-kva.example' => 'Cid',
        'email=cid@B%C3%9CCHER.example' => 'Cid',
        'q=printer' => 'Ada', 'q=print' => 'Flo Ada', 'q=PRINT' => 'Flo Ada', 'q=rint' => '',
        'q=printed+twice' => 'Flo', 'q=twice%20printed' => 'Flo', 'q=print+password' => '', 'q=ada' => 'Flo Ada',
        'q=flo' => 'Flo', 'q=example.org' => 'Eve Dee', 'q=postgresql+15' => 'Bob', 'q=100%25' => 'Eve',
        'q=%22down%22' => 'Eve Dee', 'q=down*' => 'Eve Dee', 'q=stra%C3%9Fe' => 'Ada', 'q=VOIL%C3%80' => 'Ada',
        'q=%E6%95%B0%E6%8D%AE' => 'Dee', 'q=down+OR+printer' => '', 'q=NOT+down' => '', 'q=name:flo' => '',
        'q=na%C3%AFve' => 'Dee', 'q=it_is' => 'Eve', 'q=desk' => 'Bob',
        'created_after=2025-07-04T12:04:00Z' => 'Flo Eve', 'created_before=2025-07-04T12:01:00Z' => 'Ada',
        'created_after=2025-07-04T14:04:00%2B02:00' => 'Flo Eve',
        'created_after=2025-07-04T14:04:00+02:00' => 'Flo Eve', 'created_after=2025-07-04T06:34:00-05:30' => 'Flo Eve',
        'created_after=2025-07-04t12:03:00.5z' => 'Flo Eve Dee', 'created_after=2025-07-04T12:03:00.6Z' => 'Flo Eve',
        'created_before=2025-07-04T12:03:00.5Z' => 'Cid Bob Ada',
        'created_after=2025-07-04T12:01:00Z&created_before=2025-07-04T12:04:00Z' => 'Dee Cid Bob',
        'updated_after=2025-07-04T12:11:40Z' => 'Eve Cid Ada', 'updated_after=2030-01-01T00:00:00Z' => '',
        'updated_after=2025-07-04T12:11:40Z&sort=-updated_at' => 'Ada Cid Eve',
        'status=open&user_id=u3&q=print' => 'Flo', 'email=ada@example.com&status=pending' => 'Ada',
        'user_id=u3&sort=created_at' => 'Eve Flo', 'user_id=u3&sort=-updated_at' => 'Eve Flo',
        'q=down&sort=-updated_at&status=open' => 'Eve Dee', 'status=open,closed&sort=updated_at' => 'Dee Flo Eve Cid',
        'limit=&skip=&status=&user_id=&email=&q=&created_after=&created_before=&updated_after=&sort=&after=&count='
            => 'Flo Eve Dee Cid Bob Ada',
        'status=&status=closed' => 'Cid', 'limit=&limit=1' => 'Flo', 'offset=5&Status=x&LIMIT=0&page=2' =>
            'Flo Eve Dee Cid Bob Ada', 'l%69mit=1' => 'Flo', '&&limit=1&' => 'Flo',
    );
    for my $query (sort keys %expected) {
        my $want = $expected{$query};
        is names("?$query"), $want, $query;
        my $count = () = $want =~ /\w+/g;
        next if $query =~ m{l(?:i|%69)mit|count}i;
        is $hs->get("/help-support?$query&count=true&limit=1")->{headers}{'x-total-count'}, $count,
            'counts as many';
    }
};

subtest 'bad parameters' => sub {
    my @bad = map { [$_ => /^(\w+)/] } (
        'limit=0', 'limit=1001', 'limit=-1', 'limit=x', 'limit=1.5', 'limit=1e1', 'limit=%201', 'limit=1&limit=1',
        'limit=99999999999999999999', 'skip=-1', 'skip=9223372036854775808', 'skip=x', 'skip=0&skip=0',
        'skip=0x1', 'status=lost', 'status=open,', 'status=,open', 'status=open,lost', 'status=Open',
        'status=open&status=x', 'user_id=' . 'x' x 129, 'user_id=%01', 'user_id=a/b', 'user_id=u3&user_id=u3',
        'email=x', 'email=a@b.de&email=a@b.de', 'email=a@b', 'q=%21%21', 'q=a&q=b', 'created_after=yesterday',
        'created_after=2025-07-04', 'created_after=2025-07-04T12:00:00', 'created_after=2025-02-30T12:00:00Z',
        'created_before=1', 'created_before=2025-07-04T25:00:00Z', 'updated_after=x',
        'updated_after=2025-07-04T12:00:00Z&updated_after=2025-07-04T12:00:00Z', 'sort=name', 'sort=+created_at',
        'sort=--created_at', 'sort=created_at,updated_at', 'sort=created_at&sort=created_at', 'after=x',
        'after=%22', 'count=yes', 'count=0', 'count=-1', 'count=1000001', 'count=TRUE', 'count=true&count=true');
    for my $case (@bad) {
        my ($query, $name) = @$case;
        my $answer = $hs->get("/help-support?$query");
        is $answer->{status}, 422, $query;
        is_deeply [map { $_->{parameter} } @{$answer->{json}{errors}}], [$name], 'is named, once';
    }
    my $answer = $hs->get('/help-support?limit=0&skip=x&status=x&user_id=%01&email=x&q=%2A&created_after=x'
        . '&created_before=x&updated_after=x&sort=x&after=x&count=x');
    is $answer->{status}, 422;
    is_deeply [sort map { $_->{parameter} } @{$answer->{json}{errors}}],
        [sort qw(limit skip status user_id email q created_after created_before updated_after sort after count)],
        'all at once';
    for my $query ('q=%zz', 'q=%', 'q=%4', 'x=%zz', 'q=%FF', 'q=%00', '%zz=1') {
        is $hs->get("/help-support?$query")->{status}, 400, $query;
    }
};

subtest 'limit and skip' => sub {
    is names('?limit=2'), 'Flo Eve';
    is names('?limit=1000'), 'Flo Eve Dee Cid Bob Ada';
    is names('?skip=0'), 'Flo Eve Dee Cid Bob Ada';
    is names('?skip=4'), 'Bob Ada';
    is names('?skip=1&limit=2'), 'Eve Dee';
    is names('?skip=6'), '';
    is names('?skip=9223372036854775807'), '', 'the largest';
    is names('?skip=9223372036854775807&limit=1000&count=true'), '';
    is names('?skip=1&limit=2&status=open&sort=created_at'), 'Eve Flo';
};

subtest 'count' => sub {
    my $total = sub { $hs->get("/help-support?limit=2&$_[0]")->{headers}{'x-total-count'} };
    is $total->(''), undef;
    is $total->('count=false'), undef;
    is $total->('count=true'), 6;
    is $total->('count=true&skip=9'), 6, 'not of the page';
    is $total->('count=1'), '1+';
    is $total->('count=5'), '5+';
    is $total->('count=6'), 6;
    is $total->('count=7'), 6;
    is $total->('count=1000000'), 6;
    is $total->('count=2&status=open'), '2+';
    is $total->('count=true&status=open&q=down'), 2;
    my $answer = $hs->get('/help-support?limit=1&count=true');
    my $next = $hs->get(links($answer)->{next});
    is $next->{headers}{'x-total-count'}, 6, 'on a later page it is the same';
};

subtest 'Link with skip' => sub {
    my $links = links($hs->get('/help-support?skip=0&limit=2'));
    is_deeply $links, {next => '/help-support?limit=2&skip=2'}, 'the first page';
    $links = links($hs->get('/help-support?limit=2&skip=3'));
    is_deeply $links, {next => '/help-support?limit=2&skip=5', prev => '/help-support?limit=2&skip=1',
        first => '/help-support?limit=2&skip=0'}, 'in the middle';
    $links = links($hs->get('/help-support?limit=2&skip=1'));
    is $links->{prev}, '/help-support?limit=2&skip=0', 'prev is never below 0';
    $links = links($hs->get('/help-support?limit=2&skip=4'));
    is_deeply [sort keys %$links], [qw(first prev)], 'the last page';
    $links = links($hs->get('/help-support?limit=1000&skip=9223372036854775807'));
    is_deeply $links, {prev => '/help-support?limit=1000&skip=9223372036854774807',
        first => '/help-support?limit=1000&skip=0'}, 'no overflow';
    my ($url, @seen) = '/help-support?skip=0&limit=2&sort=updated_at';
    while ($url) {
        my $answer = $hs->get($url);
        push @seen, map { $_->{name} } @{$answer->{json}};
        $url = links($answer)->{next};
        last if @seen > 10;
    }
    is "@seen", 'Bob Dee Flo Eve Cid Ada', 'next leads through all';
    is $hs->get('/help-support?limit=6')->{headers}{link}, undef, 'none where all is on one page';
};

subtest 'Link keeps every filter' => sub {
    my $query = 'status=open,closed&status=pending&user_id=&q=do%20wn&email=a+b%40c.de&user_id=a%7Cb%26c%3D'
        . '&created_after=2020-01-01T00:00:00%2B02:00&created_before=2099-01-01T00:00:00Z'
        . '&updated_after=2020-01-01T00:00:00Z&sort=-updated_at&count=5&limit=1&mine=%C3%A9%22%3E';
    my $links = links($hs->get("/help-support?$query&skip=7"));
    my $decode = sub { $_[0] =~ s/\+/ /gr =~ s/%(..)/chr hex $1/ger };
    my $pairs = sub {
        my ($url) = @_;
        return [sort map { $decode->($_) } grep { !/^(?:skip=|\w+=$)/ } split /&/, $url =~ s/^[^?]*\?//r];
    };
    my $wanted = $pairs->("?$query");
    for my $rel (qw(prev first)) {
        like $links->{$rel}, qr{^/help-support\?[\x21-\x7e]*$}, "$rel: path-absolute, ASCII";
        unlike $links->{$rel}, qr/[<>" ]/;
        is_deeply $pairs->($links->{$rel}), $wanted;
    }
    my $next = links($hs->get('/help-support?status=open&q=down&limit=1&count=true&x=1'))->{next};
    like $next, qr{^/help-support\?};
    like $next, qr/[?&]\Q$_\E(?:&|$)/, $_ for 'status=open', 'q=down', 'limit=1', 'count=true';
    like $next, qr/[?&]after=[\w-]+(?:&|$)/, 'a cursor, not skip';
    unlike $next, qr/skip=/;
    is names($next =~ s/^[^?]*//r), 'Dee', 'and it goes on under the filter';
    my $answer = $hs->get('/d%C3%A9sk%20%26%20co/?limit=1');
    is $answer->{status}, 200;
    $next = links($answer)->{next};
    like $next, qr{^/d%C3%A9sk%20(?:%26|&)%20co\?}, 'the path is encoded';
    is scalar @{$hs->get($next)->{json}}, 1, 'and works';
};

# Follows next to the end, adding a ticket behind each page. Returns the ids in the order they came.
sub walk {
    my ($query) = @_;
    my ($url, @seen) = "/help-support?$query";
    for my $page (1 .. 40) {
        my $answer = $hs->get($url);
        is $answer->{status}, 200 or last;
        push @seen, map { $_->{id} } @{$answer->{json}};
        $hs->post('/help-support/later', submission(name => 'Later', message => 'burns'));
        $url = links($answer)->{next} or last;
    }
    return @seen;
}

subtest 'by cursor, each ticket exactly once' => sub {
    # many at the same time; the order of creation is that of the numbers, as the database keeps it
    for my $number (1 .. 20) {
        push @ids, $hs->post('/help-support/many', submission(name => 'Many' . int $number / 7))->{json}{id};
    }
    set_times(map { ("Many$_" => [1000 * $_ + 1000, 5000]) } 0 .. 2);
    for my $query ('limit=3', 'limit=4&sort=created_at', 'limit=7&status=open,pending,resolved,closed',
        'limit=1&user_id=many', 'limit=2&user_id=many&sort=created_at', 'limit=4&user_id=many&sort=-updated_at',
        'limit=3&email=jane@example.com&user_id=many', 'limit=3&q=jane&user_id=many', 'limit=3&q=many',
        'limit=2&status=open&created_before=2025-07-04T13:00:00Z', 'limit=20&user_id=many',
        'limit=19&user_id=many&sort=updated_at') {
        my $all = $query =~ s/limit=\d+/limit=1000/r;
        my @there = map { $_->{id} } @{$hs->get("/help-support?$all")->{json}};
        my %is_there = map { $_ => 1 } @there;
        my @seen = grep { $is_there{$_} } walk($query);
        is_deeply \@seen, \@there, $query;
    }
};

subtest 'a cursor is for one order' => sub {
    my $next = links($hs->get('/help-support?limit=1'))->{next};
    my ($cursor) = $next =~ /after=([^&]+)/;
    is $hs->get("/help-support?after=$cursor&limit=5")->{status}, 200, 'another limit is fine';
    is $hs->get("/help-support?after=$cursor&status=open")->{status}, 200, 'so is another filter';
    is $hs->get("/help-support?after=$cursor&sort=-created_at")->{status}, 200;
    for my $query ("after=$cursor&sort=created_at", "after=$cursor&sort=-updated_at", "after=$cursor&skip=0",
        "skip=1&after=$cursor", "after=$cursor&after=$cursor", "after=${cursor}A", 'after=' . lc($cursor) . '_',
        'after=' . substr($cursor, 0, -1)) {
        my $answer = $hs->get("/help-support?$query");
        is $answer->{status}, 422, $query;
        ok scalar(grep { $_->{parameter} =~ /^(?:after|skip)$/ } @{$answer->{json}{errors}}), 'after is named';
    }
};

is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
