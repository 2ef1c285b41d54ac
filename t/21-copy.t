# 21-copy.t - helpsupportctl db copy: everything comes along, in every direction, all or nothing.
# SPDX-License-Identifier: Apache-2.0
# HS_LONG (`make check-long`) copies more, and waits longer than MariaDB's own limit.
use strict;
use warnings;
use utf8;
use File::Temp qw(tempdir);
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command submission wait_until);
use HSMail qw(submit wait_for_state);
use HSServer;
use HSSession;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

delete $ENV{HS_DB};    # it names its databases itself

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

plan skip_all => 'needs sqlite3' if command('sh', '-c', 'command -v sqlite3');

my $ctl = "$Bin/../" . ($ENV{HS_BUILD} // 'build') . '/helpsupportctl';
my @servers = grep { HSServer->is_installed($_) } qw(pgsql mysql);
my $many = $ENV{HS_LONG} ? 100_000 : 20_000;
my $unlimited = "HelpSupportSubmitLimit off\nHelpSupportAllowOrigin *\n";
my $folder = tempdir('helpsupport-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0700, $folder;
chown +(getpwnam 'www-data')[2, 3], $folder if $> == 0;

# ---- databases ----

my $files = 0;

sub new_file { return {driver => 'sqlite3', db => "sqlite3 $folder/" . ++$files . '.db'} }

# On a server, with or without its tables.
sub new_database {
    my ($driver) = @_;
    return new_file() if $driver eq 'sqlite3';
    my $server = HSServer->get($driver);
    my $db = $server->database;
    return {driver => $driver, db => $db, server => $server, name => $server->{last}};
}

sub file_of { return $_[0]{db} =~ s/^sqlite3 //r }

sub sql {
    my ($database, $sql) = @_;
    return $database->{server}->sql($sql, $database->{name}) if $database->{server};
    my ($status, $out, $err) = command('sqlite3', file_of($database), '.timeout 10000', $sql);
    die "$sql: $err" if $status;
    chomp $out;
    return $out;
}

sub run_ctl {
    my ($database, @words) = @_;
    local $ENV{HELPSUPPORT_DB} = $database->{db};
    return command($ctl, @words);
}

sub copy {
    my ($from, $to) = @_;
    return run_ctl($to, 'db', 'copy', '--from', $from->{db});
}

# What a copy must hold of each table.
my %columns = (
    ticket => [qw(number id user_id name phone_number email email_key status version created_us
        updated_us message)],
    ticket_event => [qw(ticket version at_us from_status to_status changed_by)],
    idempotency_key => [qw(user_id key_text digest ticket_id created_us)],
    mail => [qw(id ticket kind site recipient recipient_key recipient_domain language state detail
        state_us created_us next_us claims tries lease_token owner passed_us message_id message)],
    admin_token => [qw(digest name scopes created_us expires_us revoked_us last_used_us)],
    search_waiting => [qw(ticket words)],
    search_segment => [qw(id tickets from_number to_number last_us disorder_us fences)],
    search_page => [qw(segment page postings)],
);

my %hex = (
    sqlite3 => 'hex(%s)',
    pgsql => q{upper(encode(convert_to(CAST(%s AS text), 'UTF8'), 'hex'))},
    mysql => 'hex(CAST(%s AS char CHARACTER SET utf8mb4))',
);

# All its rows, octet by octet and in one order, which no two databases sort text in.
sub rows {
    my ($database, $table) = @_;
    my $values = join ', ', map {
        my $hex = sprintf $hex{$database->{driver}}, $_;
        "CASE WHEN $_ IS NULL THEN 'NULL' ELSE $hex END";
    } @{$columns{$table}};
    my $row = $database->{driver} eq 'sqlite3' ? join q{ || ' ' || }, split /(?<=END), /, $values
        : "concat_ws(' ', $values)";
    return join "\n", sort split /\n/, sql($database, "SELECT $row FROM $table");
}

sub is_copy {
    my ($of, $database, $what) = @_;
    for my $table (sort keys %columns) {
        my ($expected, $got) = (rows($of, $table), rows($database, $table));
        my $count = () = $expected =~ /^./mg;
        if (!ok $expected eq $got, "$what: $count rows of $table") {
            my @pair = map { [split /\n/] } $expected, $got;
            my ($i) = grep { ($pair[0][$_] // '') ne ($pair[1][$_] // '') } 0 .. $#{$pair[0]};
            diag map { ($pair[$_][$i // 0] // '') . "\n" } 0, 1;
        }
    }
}

# ---- the source ----

# Each of them is a message, and those that are short enough names.
my @odd = (
    q{back\slash \\ \n \u0041 quote" 'single' ''; DROP TABLE ticket; --}, "tab\there\r\nand\nlines",
    'percent %s %lld %% $1 ?', 'null NULL \N', '[["1",null]]', "astral \x{1F600}\x{10FFFF}.",
    "e\x{301} and \x{e9}", "x\x{2028}line\x{2029}paragraph", 'Straße İstanbul ΣΊΣΥΦΟΣ', '漢字 かな 한글',
    "\x{202E}right to left", "x\x{FEFF}y\x{200D}z", '&<>"\'`', 'a' x 10_000, "\x{1F600}" x 10_000,
    '\\' x 10_000, 'ж' x 9_998 . "\t.",
);
my @users = qw(auth0%7C64af guest %C3%A9 u%27%5C%22);
my @keys = ('k', q{a\\b{}%s'`}, 'x' x 255);
my @searches = qw(str stra %CF%83%CE%AF %D0%B6 drop jane m1 %E6%BC%A2%E5%AD%97 trouble+connect 0041);

my %option = (location => "HelpSupportSubmitLimit off\n");
my $relay = HSMail->start;
my $hs = HS->start(%option, server => $relay->lines("HelpSupportDBPool 8 3s\n"));
my $source = {driver => 'sqlite3', db => $hs->{db}};
my $revoked;

sub with_key {
    my ($hs, $key) = @_;
    return $hs->post('/help-support/guest', submission(), headers => {'Idempotency-Key' => $key});
}

# What an administrator sees.
sub answers {
    my ($hs) = @_;
    return [map { $hs->get("/help-support$_")->{body} }
            '?limit=1000', '?limit=1000&sort=updated_at', '?limit=1000&sort=created_at&status=open,closed',
            '?user_id=guest&count=true', '?email=jane%2B5@M5.example', (map { "/$_/history" } 1 .. 8),
            '?limit=5&sort=-updated_at&q=jane', map { "?limit=1000&q=$_" } @searches];
}

sub is_served {
    my ($hs, $expected, $what) = @_;
    my $got = answers($hs);
    my @other = grep { $got->[$_] ne $expected->[$_] } 0 .. $#$expected;
    is "@other", '', "$what: lists, searches and histories are the same";
}

subtest 'a database of odd tickets' => sub {
    $relay->rules("rcpt \@refused reply 550 5.1.1 No such user\nrcpt \@later reply 451 4.3.0 Later\n");
    for my $i (0 .. 118) {
        my $message = $odd[$i % @odd];
        my $ticket = submit($hs, message => $message, email => "Jane+$i\@m$i.example",
            name => length $message < 200 && $message !~ /\p{Cc}/ ? $message : 'é' x 200,
            path => "/help-support/$users[$i % @users]",
            headers => {'Accept-Language' => $i % 2 ? 'de' : 'en'});
        for my $status ((qw(pending resolved closed open))[0 .. $i % 5 - 1]) {
            is $hs->patch("/help-support/$ticket->{id}/status?status=$status")->{status}, 200;
        }
    }
    is with_key($hs, $_)->{status}, 201 for @keys;
    wait_for_state($hs, submit($hs, email => 'noreply@m.example'), 'suppressed');
    wait_for_state($hs, submit($hs, email => 'a@refused.example'), 'failed');
    submit($hs, email => 'a@later.example');
    wait_until('the later mail is kept', sub {
        sql($source, "SELECT count(*) FROM mail WHERE state = 'queued'") == 1
            && sql($source, 'SELECT count(*) FROM mail WHERE tries > 0 AND message IS NOT NULL') == 1;
    });
    $relay->down;
    submit($hs, email => "a\@queued$_.example") for 1 .. 4;
    $revoked = ($hs->ctl('token', 'create', 'revoked'))[1] =~ s/\n//r;
    is(($hs->ctl('token', 'revoke', 'revoked'))[0], 0);
    ok $hs->token('read'), 'a token of the other scope';
    is(($hs->ctl('token', 'create', "J\xc3\xbcrgen", '--expires', '90d'))[0], 0);
};

# ---- half-way ----

# A session that lets nobody write mails until it ends.
sub hold_mails {
    my ($database) = @_;
    my $session = HSSession->start($database->{server}, $database->{name});
    $session->run($database->{driver} eq 'pgsql' ? 'BEGIN; LOCK TABLE mail IN SHARE MODE'
        : 'LOCK TABLES mail READ');
    return $session;
}

# Seconds for which the copy has been waiting for that session.
sub waits { return $_[0]{server}->lock_wait($_[0]{name}) }

sub begin_copy {
    my ($from, $to) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $ENV{HELPSUPPORT_DB} = $to->{db};
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$folder/stderr";
        exec $ctl, 'db', 'copy', '--from', $from->{db} or POSIX::_exit(127);
    }
    return $pid;
}

for my $driver (@servers) {
    subtest "$driver: a copy that is killed half-way" => sub {
        my $target = new_database($driver);
        is((run_ctl($target, 'db', 'init'))[0], 0, 'the tables are there');
        my $holder = hold_mails($target);
        my $pid = begin_copy($source, $target);
        wait_until('it is half-way', sub { waits($target) > 0 });
        is $hs->get('/help-support/1')->{status}, 200, 'the source is read meanwhile';
        my $answer = $hs->post('/help-support/u', submission());
        is $answer->{status}, 503, 'but not written: what came now would be lost';
        ok $answer->{headers}{'retry-after'}, 'which is for later';
        kill 'KILL', $pid;
        waitpid $pid, 0;
        is $? & 127, 9, 'killed while it copies';
        is sql($target, 'SELECT count(*) FROM ticket'), 0, 'it has left nothing';
        undef $holder;
        my ($status, $out, $err) = copy($source, $target);
        is $status, 0, 'and can be run again' or diag $err;
        is rows($target, 'ticket'), rows($source, 'ticket'), 'all tickets are there';
        ok submit($hs, email => "a\@after$driver.example"), 'then the source is written again';
    };

    my ($limit, $is_long) = $driver eq 'pgsql' ? (2, 0) : (5, 1);
    subtest "$driver: no statement is cut" => sub {
        plan skip_all => 'takes long: HS_LONG' if $is_long && !$ENV{HS_LONG};
        my $target = new_database($driver);
        is((run_ctl($target, 'db', 'init'))[0], 0, 'the tables are there');
        $target->{db} .= " options='-c statement_timeout=${limit}s'" if $driver eq 'pgsql';
        my $holder = hold_mails($target);
        my $pid = begin_copy($source, $target);
        wait_until("one takes longer than $limit s", sub { waits($target) > $limit + 0.3 });
        undef $holder;
        waitpid $pid, 0;
        is $?, 0, 'it goes on' or diag HS::slurp("$folder/stderr");
    };
}

# ---- there and back ----

my ($before, %target);

subtest 'everything comes along' => sub {
    $before = answers($hs);
    is $hs->stop, 0;
    sql($source, q{UPDATE mail SET next_us = 1 WHERE tries > 0 AND state = 'queued';
        UPDATE mail SET state = 'sending', lease_token = 'gone', owner = 'gone',
        next_us = 9223372036854775807 WHERE recipient = 'a@queued1.example'});
    for my $driver (@servers, 'sqlite3') {
        my $target = $target{$driver} = new_database($driver);
        my ($status, $out, $err) = copy($source, $target);
        is $status, 0, "to $driver, where there are no tables yet" or diag $err;
        like $out, qr/^Copied: (\d+) tickets, \d+ status changes, 3 idempotency keys, \1 mails, 4 tokens\.\n\z/;
        is $err, '', 'no progress where there is no terminal';
    }
    sql($source, q{UPDATE mail SET state = 'queued', lease_token = NULL, owner = NULL,
        next_us = state_us WHERE state = 'sending'});
    is_copy($source, $target{$_}, $_) for sort keys %target;
};

my %impatient = (pgsql => "SET lock_timeout = '200ms'", mysql => 'SET lock_wait_timeout = 1');

for my $from (@servers) {
    my ($to) = grep { $_ ne $from } @servers or last;
    subtest "from $from to $to" => sub {
        my $third = new_database($to);
        is((run_ctl($third, 'db', 'init'))[0], 0, 'the tables are there');
        my $holder = hold_mails($third);
        my $pid = begin_copy($target{$from}, $third);
        wait_until('it is half-way', sub { waits($third) > 0 });
        my $said = eval {
            sql($target{$from}, "$impatient{$from}; UPDATE admin_token SET revoked_us = 1");
        } // $@;
        like $said, qr/lock timeout|Lock wait timeout/, 'the source is not written meanwhile';
        undef $holder;
        waitpid $pid, 0;
        is $?, 0 or diag HS::slurp("$folder/stderr");
        is_copy($source, $third, 'third hand');
    };
}

# An httpd on the database; mails go to a relay of its own.
sub serve {
    my ($database, $relay, $lines) = @_;
    my $new = HS->start(%option, db => $database->{db}, server => $relay->lines($lines // ''));
    $new->{tokens} = {%{$hs->{tokens}}};
    return $new;
}

my $off = "HelpSupportMail off\n";

for my $driver (@servers) {
    subtest "httpd goes on with $driver" => sub {
        my $target = $target{$driver};
        my $relay = HSMail->start;
        my @waiting = sort split /\n/,
            sql($source, q{SELECT message_id FROM mail WHERE state = 'queued'});
        is scalar @waiting, 5 + @servers, 'mails wait';
        my $new = serve($target, $relay, $off);
        is_served($new, $before, $driver);
        for my $key (@keys) {
            my $answer = with_key($new, $key);
            is $answer->{status}, 201, 'a key is known';
            is $answer->{headers}{'idempotency-replayed'}, 'true';
        }
        is $new->request(GET => '/help-support', token => $revoked)->{status}, 401, 'what was revoked is';
        is $new->patch('/help-support/1/status?status=open', token => $new->token('read'))->{status},
            403, 'a narrow token is narrow';
        my $highest = sql($source, 'SELECT max(number) FROM ticket');
        my $ticket = submit($new);
        is $new->get("/help-support/$ticket->{id}")->{json}{number}, $highest + 1, 'the next number';
        is $new->patch("/help-support/$highest/status?status=closed")->{status}, 200;
        is $new->stop, 0;

        $new = serve($target, $relay);
        $relay->wait_for_mails(scalar @waiting);
        wait_until('none is queued', sub {
            sql($target, "SELECT count(*) FROM mail WHERE state IN ('queued', 'sending')") == 0;
        });
        is $new->stop, 0;
        my @sent = sort map { $_->{data} =~ /^Message-ID: <(.*)\@/m } $relay->mails;
        is_deeply \@sent, \@waiting, 'what waited is sent once, and nothing else';
    };

    subtest "and back from $driver" => sub {
        my $back = new_file();
        my ($status, $out, $err) = copy($target{$driver}, $back);
        is $status, 0 or diag $err;
        is_copy($target{$driver}, $back, 'back');
        my $relay = HSMail->start;
        my $old = serve($target{$driver}, $relay, $off);
        my $expected = answers($old);
        is $old->stop, 0;
        my $new = serve($back, $relay, $off);
        is_served($new, $expected, 'back');
        my $ticket = submit($new);
        is $new->get("/help-support/$ticket->{id}")->{json}{number},
            1 + sql($target{$driver}, 'SELECT max(number) FROM ticket'), 'the next number';
        is $new->stop, 0;
    };
}

subtest 'where several nodes wrote' => sub {
    plan skip_all => 'no PostgreSQL server is installed' unless $target{pgsql};
    my $from = new_database('pgsql');
    is((copy($source, $from))[0], 0);
    sql($from, 'UPDATE ticket SET created_us = created_us - 1000000 WHERE number IN (3, 7, 8)');
    my $back = new_file();
    is((copy($from, $back))[0], 0);
    is sql($back, 'SELECT count(*) FROM ticket AS t WHERE created_us < '
        . '(SELECT max(created_us) FROM ticket AS b WHERE b.number < t.number)'), 0,
        'in SQLite the order of numbers is that of creation';
};

# ---- many ----

sub seed {
    my ($database, $count) = @_;
    is((run_ctl($database, 'db', 'init'))[0], 0);
    sql($database, <<"END");
BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $count)
INSERT INTO ticket (id, user_id, name, phone_number, email, email_key, status, version, created_us,
    updated_us, message)
SELECT printf('0198c1f2-0000-7000-8000-%012x', i), 'user' || i % 1000, 'Customer Number ' || i,
    printf('+1-555-%07d', i % 10000000), 'customer' || i || '\@example.org',
    'customer' || i || '\@example.org', i % 4, 1, 1700000000000000 + i * 1000000,
    1700000000000000 + i * 1000000, 'Ticket ' || i || ': my order has not arrived yet, the '
    || 'tracking page shows no news since last week. Could you please look into it?'
FROM n;
INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language, state,
    detail, state_us, created_us, next_us, message_id)
SELECT number, 'confirmation', '127.0.0.1', email, email_key, 'example.org', 'en', 'sent', '',
    created_us, created_us, created_us, 'hs.' || number || '.seed' FROM ticket;
INSERT INTO ticket_event SELECT number, v, created_us + v, 0, 1, 'ann' FROM ticket,
    (SELECT 2 AS v UNION ALL SELECT 3 UNION ALL SELECT 4) WHERE number % 8 = 0;
INSERT INTO idempotency_key SELECT 'guest', 'k' || number, '', id, created_us FROM ticket
    WHERE number % 4 = 1;
COMMIT;
END
    my $words = q{INSERT INTO search_waiting SELECT number, ' tracking customer' || number FROM ticket };
    sql($database, $words . 'WHERE number > 100');
    is((run_ctl($database, 'db', 'init'))[0], 0, 'the index is made');
    sql($database, $words . 'WHERE number <= 100');
}

subtest "$many tickets" => sub {
    my $large = new_file();
    seed($large, $many);
    for my $driver (@servers) {
        my $target = new_database($driver);
        my $begun = time;
        my ($status, $out, $err) = copy($large, $target);
        is $status, 0, $driver or diag $err;
        note sprintf '%s: %.1f s', $driver, time - $begun;
        like $out, qr/^Copied: $many tickets, /;
        is_copy($large, $target, $driver);
        is sql($target, 'SELECT sum(tickets) FROM search_segment'), $many - 100, 'q finds them';
    }
    my $killed = 0;
    for my $try (1 .. 5) {
        my $target = new_file();
        my $pid = begin_copy($large, $target);
        my $log = file_of($target) . '-wal';
        wait_until('it writes', sub { (-s $log // 0) > 1_000_000 || waitpid($pid, POSIX::WNOHANG) });
        kill 'KILL', $pid;
        next if waitpid($pid, 0) != $pid || $? != 9;    # it was faster
        is sql($target, 'SELECT count(*) FROM ticket'), 0, 'SQLite: killed half-way it leaves nothing';
        is((copy($large, $target))[0], 0, 'and can be run again');
        is_copy($large, $target, 'SQLite');
        $killed = 1;
        last;
    }
    ok $killed, 'one was killed';
};

# ---- refusals ----

subtest 'what is refused' => sub {
    my $empty = new_file();
    my $only_token = new_file();
    is((run_ctl($only_token, 'token', 'create', 'one'))[0], 0);
    my $newer = new_file();
    is((run_ctl($newer, 'db', 'init'))[0], 0);
    sql($newer, 'PRAGMA user_version = 99');
    my $other = new_file();
    sql($other, 'CREATE TABLE recipes (name)');
    chown +(stat $folder)[4, 5], file_of($other);
    my $link = new_file();
    symlink file_of($source), file_of($link) or die "symlink: $!\n";
    my $absent = {db => "sqlite3 $folder/absent.db"};
    my $closed = {db => 'pgsql host=127.0.0.1 port=1 dbname=x connect_timeout=1'};
    my @cases = (
        [1, $source, $only_token, qr/the target: it holds 1 tokens already/],
        [3, $newer, $empty, qr/the source: .* version 99, made by a newer mod_helpsupport/],
        [3, $source, $newer, qr/the target: .* version 99/],
        [3, $other, $empty, qr/the source: .* belongs to another program/],
        [3, $source, $other, qr/the target: .* belongs to another program/],
        [3, $absent, $empty, qr/absent\.db: there is no such file/],
        [3, $closed, $empty, qr/the source: pgsql: can't connect/],
        [3, $source, {db => "sqlite3 $folder/none/x.db"}, qr{none/x\.db|the target: sqlite3: can't connect}],
        [2, $source, $source, qr/are the same database/],
        [2, $source, $link, qr/are the same database/],
        [1, {db => 'abacus x'}, $empty, qr/no database driver "abacus"/],
        [2, {db => 'sqlite3'}, $empty, qr/--from "driver params"/],
        map { [1, $source, $target{$_}, qr/the target: it holds \d+ tickets already/] } sort keys %target,
    );
    for my $case (@cases) {
        my ($expected, $from, $to, $message) = @$case;
        my ($status, $out, $err) = copy($from, $to);
        is $status, $expected, "status $expected: $message";
        like $err, $message;
        is $out, '';
        is $err =~ tr/\n//, 1, 'one line';
    }
    ok !-e "$folder/absent.db", 'no file is made of a source that is not there';
    is((run_ctl($empty, 'db', 'copy'))[0], 2, 'a source is needed');
    is((run_ctl($empty, 'db', 'copy', '--from', $source->{db}, 'now'))[0], 2, 'and no more');
    ok !-e file_of($empty), 'and nothing was made of the target';
};

done_testing;
