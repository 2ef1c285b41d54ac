# 30-submit.t - POST {base}/{user_id}: what is accepted, what is not and why, idempotency keys.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Encode ();
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command free_port parse_answer submission);
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::Local qw(timegm);

my $JSON = JSON::PP->new->canonical->utf8;
my $MEMBERS = [qw(id name phone_number email message status created_at updated_at)];
my $access = qq(AuthType Bearer\nAuthName "Help & Support"\nRequire help-support\n);
my $slashes = free_port();    # where an encoded slash is let through
my $hs = HS->start(
    location => "HelpSupportSubmitLimit off\n",
    server => qq(<Location "/first come">\nHelpSupport On\n$access)
        . "HelpSupportSubmitLimit 1/h\nHelpSupportMaxBody 400\n</Location>\n"
        . "Listen 127.0.0.1:$slashes\n<VirtualHost 127.0.0.1:$slashes>\nServerName slashes\n"
        . "AllowEncodedSlashes NoDecode\n</VirtualHost>\n",
);

# What the API says of a body given as octets.
sub post_octets {
    my ($body, %option) = @_;
    return $hs->request(POST => '/help-support/u', body => $body,
        headers => {'Content-Type' => 'application/json', %{$option{headers} // {}}});
}

sub pointers {
    my ($answer) = @_;
    return [map { $_->{pointer} // $_->{parameter} } @{$answer->{json}{errors} // []}];
}

sub epoch {
    my ($text) = @_;
    my ($year, $month, @rest) = $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/
        or return -1;
    return timegm(reverse(@rest), $month - 1, $year);
}

subtest 'a ticket' => sub {
    my $before = time;
    my $answer = $hs->post('/help-support/user-1', submission());
    my $after = time;
    is $answer->{status}, 201;
    my $ticket = $answer->{json};
    is_deeply [$answer->{body} =~ /"(\w+)":/g], $MEMBERS, 'exactly these members in this order';
    is ref $JSON->decode($answer->{body}), 'HASH';
    my $sent = submission();
    is $ticket->{$_}, $sent->{$_}, "$_ as it was sent" for sort keys %$sent;
    is $ticket->{status}, 'open';
    is $ticket->{updated_at}, $ticket->{created_at};
    cmp_ok epoch($ticket->{created_at}), '>=', $before - 1, 'created now, in UTC';
    cmp_ok epoch($ticket->{created_at}), '<=', $after + 1;
    like $ticket->{id}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        'a UUIDv7 in lower case';
    my ($high, $low) = map { hex } $ticket->{id} =~ /^(.{8})-(.{4})/;
    cmp_ok abs(($high * 65_536 + $low) / 1000 - $before), '<', 3, 'made of the time';
    is $answer->{headers}{location}, "/help-support/$ticket->{id}";
    is $answer->{headers}{'content-type'}, 'application/json';
    is $answer->{headers}{'content-length'}, length $answer->{body};
    is $answer->{headers}{'cache-control'}, 'no-store';
    is $answer->{headers}{'x-content-type-options'}, 'nosniff';
    is $answer->{headers}{vary}, 'Origin';
    is $answer->{headers}{etag}, undef, 'whoever submits cannot use an ETag';
    is $answer->{headers}{'idempotency-replayed'}, undef;
    is $hs->get("/help-support/$ticket->{id}")->{status}, 200, 'it is stored';
    my @mails = grep { $_->{event} eq 'mail' } @{$hs->get("/help-support/$ticket->{id}/history")->{json}};
    is scalar @mails, 1, 'and so is its mail';
};

subtest 'nobody has to be someone' => sub {
    for my $field ('Bearer hst_wrong', 'Basic dTpw', 'Bearer ' . $hs->token('read'), 'x') {
        is $hs->post('/help-support/u', submission(), headers => {Authorization => $field})->{status},
            201, "with '" . substr($field, 0, 10) . "'";
    }
};

subtest 'user_id' => sub {
    my %good = (
        'auth0%7C64af' => 'auth0|64af', 'a+b' => 'a+b', '42' => '42', 'a%26b%3D%3F%23%25' => 'a&b=?#%',
        '%C3%A9%E2%82%AC%F0%9F%98%80' => 'é€😀', '%7Euser' => '~user', 'a;b=c,d' => 'a;b=c,d',
        'x' x 128 => 'x' x 128, '%C3%A9' x 64 => 'é' x 64, '..x' => '..x', 'a:b@c' => 'a:b@c',
        '%22%5C%3C' => '"\\<', "'" => "'",
    );
    for my $path (sort keys %good) {
        my $answer = $hs->post("/help-support/$path", submission());
        is $answer->{status}, 201, "'$path'";
        my $ticket = $hs->get($answer->{headers}{location} // '/');
        is $ticket->{json}{user_id}, $good{$path}, 'is stored decoded';
    }
    my %bad = (
        'x' x 129 => '129 octets', '%C3%A9' x 65 => '65 characters of two octets', '%FF' => 'no UTF-8',
        '%C0%AF' => 'overlong', '%ED%A0%80' => 'a surrogate', '%20' => 'a space', 'a%20b' => 'a space',
        'a%09' => 'a tab', '%C2%A0x' => 'U+00A0', 'x%E3%80%80' => 'U+3000', 'a%0Ab' => 'a line feed',
        '%7F' => 'DEL', '%C2%85' => 'U+0085', '%01' => 'U+0001', 'a%0D%0Ab' => 'CR LF',
    );
    for my $path (sort keys %bad) {
        my $answer = $hs->post("/help-support/$path", submission());
        is $answer->{status}, 422, "$path: $bad{$path}";
        is_deeply pointers($answer), ['user_id'], 'is named';
    }
};

subtest 'a slash in the user_id, with AllowEncodedSlashes NoDecode' => sub {
    local $hs->{port} = $slashes;
    for my $path ('a%2Fb', '%2f', 'a%252Fb%2Fc') {
        my $answer = $hs->post("/help-support/$path", submission());
        is $answer->{status}, 422, $path;
        is_deeply pointers($answer), ['user_id'], 'is named';
    }
    my $answer = $hs->post('/help-support/a%252Fb?x=%2F', submission());
    is $answer->{status}, 201, 'an encoded percent sign is no slash';
    is $hs->get($answer->{headers}{location} // '/')->{json}{user_id}, 'a%2Fb';
};

subtest 'what is stored is trimmed and normalised' => sub {
    my $space = "\x{2003}\x{3000}\x{85}\x{a0} \t\r\n";
    my $answer = $hs->post('/help-support/u', {map { $_ => $space . submission()->{$_} . $space }
        keys %{submission()}});
    is $answer->{status}, 201, 'Unicode white space at both ends';
    my $sent = submission();
    is $answer->{json}{$_}, $sent->{$_}, $_ for sort keys %$sent;
    my $stored = $hs->get($answer->{headers}{location})->{json};
    is $stored->{$_}, $sent->{$_}, "$_ stored" for sort keys %$sent;
    $answer = $hs->post('/help-support/u', submission(email => 'jané@x.example'));
    is_deeply pointers($answer), ['#/email'], 'the local part is ASCII';
    $answer = $hs->post('/help-support/u', submission(email => 'Jane@bücher.example'));
    is $answer->{json}{email}, 'Jane@xn--bcher-kva.example', 'an IDN becomes A-labels';
};

subtest 'members: good values' => sub {
    my @good = (
        [name => 'x'], [name => 'é' x 200], [name => '😀' x 200], [name => "a\x{200b}b"], [name => 'a  b'],
        [name => '<b>"\\\''],
        [phone_number => '123'], [phone_number => '+1 (555) 010-99.99/1 x2'], [phone_number => '1' x 15],
        [phone_number => '+' . '(' x 16 . '1' x 15], [phone_number => '-' x 29 . '123'],
        [email => 'a@b.de'], [email => "a.b+c!#\$%&'*/=?^_`{|}~-\@x-y.example.org"],
        [email => 'x' x 64 . '@example.org'], [email => 'x' x 60 . '@' . ('a' x 60 . '.') x 3 . 'example.x'],
        [message => 'x'], [message => "a\tb\r\nc"], [message => '😀' x 10_000],
        [message => '<script>alert(1)</script> <!--#exec cmd="id" -->'],
    );
    for my $case (@good) {
        my ($member, $value) = @$case;
        my $answer = $hs->post('/help-support/u', submission($member => $value));
        is $answer->{status}, 201, $member . ' ' . length($value) or diag $answer->{body};
        is $answer->{json}{$member}, $value, 'is answered';
        is $hs->get($answer->{headers}{location} // '/')->{json}{$member}, $value, 'and stored';
    }
};

subtest 'members: bad values' => sub {
    my @bad = (
        [name => ''], [name => ' '], [name => "\x{3000}"], [name => 'x' x 201], [name => "a\x{7f}b"],
        [name => "a\tb"], [name => "a\nb"], [name => "a\x{85}b"], [name => "a\x{01}b"],
        [phone_number => ''], [phone_number => '12'], [phone_number => '1-2'], [phone_number => '1' x 16],
        [phone_number => '1+23'], [phone_number => '++123'], [phone_number => 'abc'],
        [phone_number => '123 ext 4'], [phone_number => '12345X6'], [phone_number => '-' x 30 . '123'],
        [phone_number => "123\x{a0}456"], [phone_number => '١٢٣٤'], [phone_number => "12\t345"],
        [email => ''], [email => 'x'], [email => '@b.de'], [email => 'a@'], [email => 'a@b'],
        [email => 'a@b.de, c@d.de'], [email => 'a b@c.de'], [email => 'a@b..de'], [email => 'a@-b.de'],
        [email => '.a@b.de'], [email => 'a.@b.de'], [email => 'a..b@c.de'], [email => '"a"@b.de'],
        [email => 'a@[127.0.0.1]'], [email => "a\@b.de\r\nBcc: x\@y.de"], [email => 'Jane <a@b.de>'],
        [email => 'x' x 65 . '@b.de'], [email => 'x' x 64 . '@' . ('a' x 60 . '.') x 3 . 'example.x'],
        [email => 'a@b.de.'], [email => 'a@b_c.de'], [email => 'a@' . 'x' x 64 . '.de'],
        [message => ''], [message => " \r\n\t"], [message => 'x' x 10_001], [message => "a\x{0b}b"],
        [message => "a\x{1b}b"], [message => "a\x{7f}"], [message => "a\x{9f}"],
    );
    for my $case (@bad) {
        my ($member, $value) = @$case;
        my $answer = $hs->post('/help-support/u', submission($member => $value));
        is $answer->{status}, 422, $member . ' ' . $JSON->encode([substr $value, 0, 30]);
        is_deeply pointers($answer), ["#/$member"], 'is named, alone';
        ok length($answer->{json}{errors}[0]{detail} // ''), 'with a reason';
    }
};

subtest 'members: absent, null, another type' => sub {
    for my $member (sort keys %{submission()}) {
        my $body = submission();
        delete $body->{$member};
        is_deeply pointers($hs->post('/help-support/u', $body)), ["#/$member"], "no $member";
        for my $value (undef, 1, JSON::PP::true, [], {}, ['x']) {
            my $answer = $hs->post('/help-support/u', submission($member => $value));
            is $answer->{status}, 422, "$member " . $JSON->allow_nonref->encode($value);
            is_deeply pointers($answer), ["#/$member"];
        }
    }
};

subtest 'all faults at once' => sub {
    my $answer = $hs->post('/help-support/a%20b', {email => 'x', phone_number => 1, message => undef});
    is $answer->{status}, 422;
    is_deeply [sort @{pointers($answer)}],
        ['#/email', '#/message', '#/name', '#/phone_number', 'user_id'];
    is $answer->{headers}{'content-type'}, 'application/problem+json';
    is_deeply [map { join ',', sort keys %$_ } @{$answer->{json}{errors}}],
        [map { $_ eq 'user_id' ? 'detail,parameter' : 'detail,pointer' } @{pointers($answer)}],
        'a member has a pointer, a part of the path has not';
};

subtest 'unknown members set nothing' => sub {
    my $answer = $hs->post('/help-support/u', submission(id => '0198c1f2-0000-7000-8000-000000000000',
        status => 'closed', created_at => '2001-01-01T00:00:00Z', updated_at => 5, number => 1,
        user_id => 'root', version => 9, extra => {deep => [1]}));
    is $answer->{status}, 201;
    isnt $answer->{json}{id}, '0198c1f2-0000-7000-8000-000000000000';
    is $answer->{json}{status}, 'open';
    unlike $answer->{json}{created_at}, qr/^2001/;
    my $stored = $hs->get($answer->{headers}{location})->{json};
    is $stored->{user_id}, 'u';
    isnt $stored->{number}, 1;
};

subtest 'JSON' => sub {
    my $good = $JSON->encode(submission());
    my $rest = substr $good, 1;
    my %bad = (
        'nothing' => '', 'a space' => ' ', 'words' => 'name=Jane', 'cut off' => substr($good, 0, -1),
        'single quotes' => "{'a':1}", 'a trailing comma' => substr($good, 0, -1) . ',}',
        'a comment' => "/* */$good", 'NaN' => qq({"a":NaN,$rest), 'a leading zero' => qq({"a":01,$rest),
        'a BOM' => "\xEF\xBB\xBF$good", 'UTF-16' => Encode::encode('UTF-16LE', $good),
        'Latin-1' => qq({"a":"\xE9",$rest), 'overlong UTF-8' => qq({"a":"\xC0\x80",$rest),
        'a surrogate in UTF-8' => qq({"a":"\xED\xA0\x80",$rest),
        'invalid UTF-8 in a name' => qq({"\xFF":1,$rest),
        '\u0000' => qq({"a":"x\\u0000y",$rest), '\u0000 in a name' => qq({"a\\u0000":1,$rest),
        'a NUL octet' => qq({"a":"x\0y",$rest), 'NUL octets behind' => "$good\0",
        'a lone high surrogate' => qq({"a":"\\ud800",$rest),
        'a lone low surrogate' => qq({"a":"\\udc00",$rest),
        'two high surrogates' => qq({"a":"\\ud800\\ud800",$rest),
        'a member twice' => qq({"name":"John Roe",$rest),
        'a member twice, spelt differently' => qq({"n\\u0061me":"John Roe",$rest),
        'an unknown member twice' => qq({"a":1,"a":1,$rest),
        'a nested member twice' => qq({"a":{"b":1,"b":1},$rest),
        'something behind it' => "$good x", 'a second object' => "$good$good",
        'an array' => "[$good]", 'a string' => '"x"', 'a number' => '1', 'null' => 'null', 'true' => 'true',
        'a control character' => qq({"a":"\x01",$rest), 'a raw line feed' => qq({"a":"\n",$rest),
        'deep nesting' => '{"a":' . '[' x 50_000 . ']' x 50_000 . ",$rest",
    );
    for my $what (sort keys %bad) {
        my $answer = post_octets($bad{$what});
        is $answer->{status}, 400, $what;
        is $answer->{json}{status}, 400, 'in our form';
        is $answer->{json}{errors}, undef;
    }
    my %fine = (
        'white space around' => " \r\n\t$good\n", 'escapes' => qq({"a":"\\ud83d\\ude00\\u00e9",$rest),
        'an escaped name' => $good =~ s/"name"/"\\u006eame"/r,
        'huge numbers' => '{"a":[1e999,-' . '9' x 40 . "],$rest",
    );
    is post_octets($fine{$_})->{status}, 201, $_ for sort keys %fine;
    my $escaped = '{"message":"' . '\\ud83d\\ude00' x 10_000 . '","name":"' . '\\u00e9' x 200
        . '","phone_number":"123","email":"a@b.de"}';
    is post_octets($escaped)->{json}{message}, '😀' x 10_000, 'every legal body fits, written in \u too';
};

subtest 'media type' => sub {
    my $body = $JSON->encode(submission());
    for my $type ('application/json', 'Application/JSON', 'application/json;charset=utf-8',
        'application/json; charset=UTF-8', 'application/json ; charset="utf-8"') {
        is post_octets($body, headers => {'Content-Type' => $type})->{status}, 201, $type;
    }
    for my $type ('', 'text/plain', 'application/jsonx', 'application/problem+json', 'text/json',
        'application/x-www-form-urlencoded', 'application/json; charset=iso-8859-1', 'application',
        'application/json; charset=utf-16', 'application/json, application/json', 'application/json x') {
        my $answer = post_octets($body, headers => {'Content-Type' => $type});
        is $answer->{status}, 415, "'$type'";
        is $answer->{headers}{'accept-post'}, 'application/json';
    }
    my $answer = parse_answer($hs->raw("POST /help-support/u HTTP/1.1\r\nHost: h\r\n"
        . "Connection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body"));
    is $answer->{status}, 415, 'no media type at all';
};

subtest 'Idempotency-Key' => sub {
    my $post = sub {
        my ($key, $body, $user) = @_;
        return $hs->post('/help-support/' . ($user // 'idem'), $body // submission(),
            headers => {'Idempotency-Key' => $key});
    };
    my $first = $post->('k1');
    is $first->{status}, 201;
    is $first->{headers}{'idempotency-replayed'}, undef, 'the first is no replay';
    is $hs->patch("$first->{headers}{location}/status?status=closed")->{status}, 200;
    for my $again ($post->('k1'), $post->('"k1"'),
        $post->('k1', submission(name => "  Jane Doe\n", other => 1))) {
        is $again->{status}, 201;
        is $again->{headers}{'idempotency-replayed'}, 'true';
        is $again->{headers}{location}, $first->{headers}{location};
        is $again->{body}, $first->{body}, 'the first answer, though its status has changed since';
    }
    my @events = @{$hs->get("$first->{headers}{location}/history")->{json}};
    is scalar(grep { $_->{event} eq 'mail' } @events), 1, 'no second mail';
    for my $member (sort keys %{submission()}) {
        my $mismatch = $post->('k1', submission($member => $member eq 'phone_number' ? '555' : 'x@y.de'));
        is $mismatch->{status}, 422, "another $member";
        is $mismatch->{json}{type}, 'urn:helpsupport:problem:idempotency-mismatch';
    }
    my $other = $post->('k1', submission(), 'idem2');
    is $other->{status}, 201;
    isnt $other->{json}{id}, $first->{json}{id}, 'the same key of another user';
    isnt $post->('K1')->{json}{id}, $first->{json}{id}, 'letters of the other case';
    is $post->('k' x 255)->{status}, 201, '255 characters';
    is $post->('"' . 'l' x 255 . '"')->{status}, 201, '255 characters and quotes';
    is $post->('!#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~')->{status}, 201, 'visible characters';
    my @malformed = ('k' x 256, 'a b', '', '""', '"', '"a', 'a"', '"a"b"', 'a"b', "\xE9", "a, b");
    for my $key (@malformed) {
        my $body = $JSON->encode(submission());
        my $answer = parse_answer($hs->raw("POST /help-support/idem HTTP/1.1\r\nHost: h\r\n"
            . "Content-Type: application/json\r\nIdempotency-Key: $key\r\nConnection: close\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body"));
        is $answer->{status}, 400, "malformed: '" . substr($key, 0, 12) . "'";
        is $answer->{json}{status}, 400;
    }
    is $post->('k3', submission(email => 'x'))->{status}, 422;
    my $retried = $post->('k3');
    is $retried->{status}, 201, 'a 422 is not remembered';
    is $retried->{headers}{'idempotency-replayed'}, undef;
};

subtest 'an old key is a new one' => sub {
    my $post = sub { $hs->post('/help-support/old', submission(@_), headers => {'Idempotency-Key' => 'o'}) };
    my $first = $post->();
    my $age = sub {
        my ($hours) = @_;
        is $hs->sql("UPDATE idempotency_key SET created_us = created_us - $hours * 3600000000 "
                . "WHERE user_id = 'old'"), '';
    };
    $age->(23);
    is $post->()->{json}{id}, $first->{json}{id}, 'after 23 hours it is known';
    $age->(2);
    my $second = $post->(name => 'Another');
    is $second->{status}, 201, 'after 25 hours it is not';
    is $second->{headers}{'idempotency-replayed'}, undef;
    isnt $second->{json}{id}, $first->{json}{id};
    is $post->(name => 'Another')->{json}{id}, $second->{json}{id}, 'and is remembered anew';
};

subtest 'the same key from several processes at once' => sub {
    my @pipes;
    for my $number (1 .. 8) {
        my $pid = open(my $pipe, '-|') // die "fork: $!\n";
        if (!$pid) {
            my $answer = $hs->post('/help-support/race', submission(), headers => {'Idempotency-Key' => 'r'});
            print join ' ', $answer->{status}, $answer->{json}{id} // '-',
                $answer->{headers}{'idempotency-replayed'} // 'first';
            close STDOUT;
            POSIX::_exit(0);
        }
        push @pipes, $pipe;
    }
    my @answers = map { [split / /, scalar readline $_] } @pipes;
    close $_ for @pipes;
    is_deeply [map { $_->[0] } @answers], [(201) x 8], 'each gets 201';
    is scalar(keys %{{map { $_->[1] => 1 } @answers}}), 1, 'all have the same ticket';
    is scalar(grep { $_->[2] eq 'first' } @answers), 1, 'one of them made it';
    is scalar @{$hs->get('/help-support?user_id=race')->{json}}, 1, 'and there is no other';
};

# Each request has every fault that comes later in the order, too.
subtest 'order of the checks' => sub {
    my $send = sub {
        my ($type, $key, $body, $user) = @_;
        return $hs->request(POST => '/first%20come/' . ($user // 'a%20b'), body => $body,
            headers => {'Content-Type' => $type, 'Idempotency-Key' => $key});
    };
    my $large = '{' . 'x' x 500;
    my $fine = $JSON->encode(submission());
    my $answer = $send->('application/json', 'key', $fine, 'u');
    is $answer->{status}, 201;
    like $answer->{headers}{location}, qr{^/first%20come/[0-9a-f-]{36}$}, 'Location is encoded';
    $answer = $send->('text/plain', 'a b', $large);
    is $answer->{status}, 429, 'the limit before the media type';
    cmp_ok $answer->{headers}{'retry-after'}, '>', 3000, 'Retry-After, in seconds';
    cmp_ok $answer->{headers}{'retry-after'}, '<=', 3600;
    is $answer->{json}{status}, 429;
    is $send->('application/json', 'key', $fine, 'u')->{status}, 429, 'a replay counts, too';
    is $hs->request(POST => '/first%20come/a/b', body => $large)->{status}, 404, 'the route before the limit';
    is $hs->request(DELETE => '/first%20come/a')->{status}, 405;
    is $hs->get('/first%20come')->{status}, 200, 'only submissions are limited';
    $send = sub {
        my ($type, $body, $key) = @_;
        return $hs->request(POST => '/help-support/a%20b', body => $body,
            headers => {'Content-Type' => $type, 'Idempotency-Key' => $key})->{status};
    };
    my $huge = '{' . 'x' x 131_072;
    is $send->('text/plain', $huge, 'a b'), 415, 'the media type before the size';
    is $send->('application/json', $huge, 'a b'), 413, 'the size before the JSON';
    is $send->('application/json', '{"name":1', 'a b'), 400, 'the JSON before the values';
    is $send->('application/json', '{"name":1}', 'a b'), 422, 'the values before the key';
};

is $hs->stop, 0, 'httpd ends cleanly';

done_testing;
