# 22-migrate.t - helpsupportctl db init brings a database of an earlier version to this one: nothing is
# lost, q finds the same, whatever ends it half-way and whoever else runs it.
# SPDX-License-Identifier: Apache-2.0
# schema-1.DRIVER.sql are the schemas of version 1 as they were. HS_LONG waits longer than MariaDB's limit.
use strict;
use warnings;
use utf8;
use Encode qw(encode_utf8);
use File::Temp qw(tempdir);
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command submission wait_until);
use HSServer;
use HSSession;
use HTTP::Tiny;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

delete $ENV{HS_DB};    # it names its databases itself

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

plan skip_all => 'needs sqlite3' if command('sh', '-c', 'command -v sqlite3');

my $ctl = "$Bin/../" . ($ENV{HS_BUILD} // 'build') . '/helpsupportctl';
my @drivers = ('sqlite3', grep { HSServer->is_installed($_) } qw(pgsql mysql));
my $count = 450;
my $folder = tempdir('helpsupport-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @owner = $> == 0 ? (getpwnam 'www-data')[2, 3] : ($>, $));
chmod 0700, $folder;
chown @owner, $folder;
my $refusal = qr/the database's schema is version 1, this mod_helpsupport needs version 2: run helpsupportctl db init \(httpd of the former version must be stopped\)/;

# ---- databases ----

sub client {
    my ($database) = @_;
    return $database->{server} ? $database->{server}->client($database->{name})
        : ('sqlite3', '-bail', '-batch', $database->{file});
}

# Before any other statement: what a client of that driver needs.
my %preamble = (
    sqlite3 => ".timeout 10000\n",
    pgsql => "SET ROLE helpsupport;\n",
    mysql => "SET NAMES utf8mb4;\n",
);

sub sql {
    my ($database, $sql) = @_;
    return $database->{server}->sql($sql, $database->{name}) if $database->{server};
    my ($status, $out, $err) = command('sqlite3', $database->{file}, '.timeout 10000', $sql);
    die "$sql: $err" if $status;
    chomp $out;
    return $out;
}

my $files = 0;

sub new_database {
    my ($driver) = @_;
    if ($driver eq 'sqlite3') {
        my $file = "$folder/" . ++$files . '.db';
        return {driver => $driver, db => "sqlite3 $file", file => $file};
    }
    my $server = HSServer->get($driver);
    my $db = $server->database;
    return {driver => $driver, db => $db, server => $server, name => $server->{last}};
}

sub run_ctl {
    my ($database, @words) = @_;
    local $ENV{HELPSUPPORT_DB} = $database->{db};
    return command($ctl, @words);
}

sub init_ok {
    my ($database, $what) = @_;
    my ($status, $out, $err) = run_ctl($database, 'db', 'init');
    is $status, 0, $what // 'db init' or diag $err;
}

sub begin_init {
    my ($database) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $ENV{HELPSUPPORT_DB} = $database->{db};
        open STDERR, '>', "$folder/stderr";
        exec $ctl, 'db', 'init' or POSIX::_exit(127);
    }
    return $pid;
}

sub version_of {
    my ($database) = @_;
    return sql($database, {
        pgsql => q{SELECT obj_description('ticket'::regclass, 'pg_class')},
        mysql => 'SELECT table_comment FROM information_schema.tables '
            . q{WHERE table_schema = database() AND table_name = 'ticket'},
    }->{$database->{driver}}) =~ s/.* //r;
}

# All that the database says of its tables.
sub schema_of {
    my ($database) = @_;
    return join "\n", map { s/ AUTO_INCREMENT=\d+//r } map { sql($database, "SHOW CREATE TABLE $_") }
        split /\n/, sql($database, 'SHOW TABLES') if $database->{driver} eq 'mysql';
    return join "\n", map { s/ +-- .*//gr } map { sql($database, $_) } $database->{driver} eq 'sqlite3'
        ? ('SELECT sql FROM sqlite_master ORDER BY name', 'PRAGMA application_id', 'PRAGMA user_version')
        : ('SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity, '
            . q{identity_generation FROM information_schema.columns WHERE table_schema = 'public' }
            . 'ORDER BY table_name, (SELECT count(*) FROM pg_attribute WHERE attrelid = '
            . 'table_name::regclass AND attnum <= ordinal_position AND NOT attisdropped)',
        q{SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname},
        'SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint '
            . q{WHERE connamespace = 'public'::regnamespace ORDER BY conrelid::regclass::text, 2},
        'SELECT relname, relkind, reloptions, relowner::regrole FROM pg_class '
            . q{WHERE relnamespace = 'public'::regnamespace ORDER BY 1},
        q{SELECT obj_description('ticket'::regclass, 'pg_class')});
}

my @tables = (
    ['ticket', 'number, id, user_id, name, phone_number, email, email_key, status, version, '
        . 'created_us, updated_us, message', 'number'],
    ['ticket_event', '*', 'ticket, version'], ['idempotency_key', '*', 'user_id, key_text'],
    ['mail', '*', 'id'], ['admin_token', '*', 'digest'],
);

sub rows {
    my ($database) = @_;
    return join "\n", map { sql($database, "SELECT $_->[1] FROM $_->[0] ORDER BY $_->[2]") } @tables;
}

# ---- version 1 ----

# As people write them, and as q finds them.
my @words = (
    ['Über' => 'über'], ['Жук' => 'жук'], ['ЖУКОВ' => 'жуков'], ['Ελλάδα' => 'ελλάδα'], ['漢字' => '漢字'],
    ["e\x{301}tude" => "e\x{301}tude"], ['étude' => 'étude'], ['NAÏVE' => 'naïve'], ['ZZ' => 'zz'],
    ['42nd' => '42nd'], ['a' => 'a'], ["\x{10400}x" => "\x{10428}x"], ['the' => 'the'], ['x' x 90 => 'x' x 84],
    ['ж' x 84 => 'ж' x 84], ['ж' x 50 . 'я' => 'ж' x 50 . 'я'], ['kız' => 'kız'],
);

# Tickets [number, message, words]; numbers have gaps, and some tickets are as long as they may be.
my @tickets = map {
    my $i = $_;
    my @in = map { $words[($i * $_ + $_) % @words] } 1 .. $i % 4;
    push @in, (['漢字' => '漢字'], ['Wort' => 'wort']) x 1200 if $i % 12 == 5;
    my $message = join($i % 2 ? ' ' : '--', "n$i", map { $_->[0] } @in) . q{ '\\ "%s"};
    {number => 3 * $i, message => $message,
        words => ['jane', qw(o neill), "customer$i", 'example', 'com', "n$i", (map { $_->[1] } @in), 's']};
} 1 .. $count;

sub quoted {
    my ($database, $text) = @_;
    $text =~ s/'/''/g;
    $text =~ s/\\/\\\\/g if $database->{driver} eq 'mysql';
    return "'$text'";
}

# As version 1 put them into MariaDB.
sub ascii_words {
    return join '', map {
        my $octets = encode_utf8($_);
        $octets =~ s/([\x80-\xff]+)/'_' . unpack('H*', $1) . '_'/ge;
        ' ' . substr "zz$octets", 0, 84;
    } @_;
}

# The statements that store a ticket.
sub insert_of {
    my ($database, $ticket) = @_;
    my ($number, $words) = @$ticket{qw(number words)};
    my $values = join ', ', $number, map({ quoted($database, $_) } sprintf('0198c1f2-0000-7000-8000-%012x', $number),
            $ticket->{user_id} // 'guest', "Jane O'Neill", '+1 555', "customer@{[$number / 3]}\@example.com",
            "customer@{[$number / 3]}\@example.com"),
        $number % 4, 1 + $number % 2, map({ 1_700_000_000_000_000 + $number } 1, 2),
        quoted($database, $ticket->{message});
    my $columns = 'number, id, user_id, name, phone_number, email, email_key, status, version, '
        . 'created_us, updated_us, message';
    return "INSERT INTO ticket ($columns, words) VALUES ($values, array_to_tsvector(string_to_array("
        . quoted($database, "@$words") . ", ' ')));\n" if $database->{driver} eq 'pgsql';
    my $kept = $database->{driver} eq 'mysql' ? ascii_words(@$words) : join '', map { " $_" } @$words;
    my $key = $database->{driver} eq 'mysql' ? 'ticket' : 'rowid';
    return "INSERT INTO ticket ($columns) VALUES ($values);\n"
        . "INSERT INTO ticket_words ($key, words) VALUES ($number, '$kept');\n";
}

my $others = <<'END';
INSERT INTO ticket_event SELECT number, 2, created_us + 1, 0, 1, 'ännie' FROM ticket WHERE version = 2;
INSERT INTO idempotency_key SELECT user_id, concat('k', number), 'd', id, created_us FROM ticket;
INSERT INTO mail (ticket, kind, site, recipient, recipient_key, recipient_domain, language, state,
    detail, state_us, created_us, next_us, message_id, message)
SELECT number, 'confirmation', 'elsewhere', email, email_key, 'example.com', 'en', 'queued', '',
    created_us, created_us, created_us, concat('hs.', number, '.x'), NULL FROM ticket;
INSERT INTO admin_token VALUES ('digest', 'ännie', 3, 1, 0, 0, 0);
END
my %finish = (
    sqlite3 => $others =~ s/concat\(([^)]+)\)/join ' || ', split m{, }, $1/gre,
    pgsql => $others . "ALTER SEQUENCE ticket_number_seq RESTART WITH @{[3 * $count + 1]};\n",
    mysql => $others,
);

sub old_database {
    my ($driver) = @_;
    my $database = new_database($driver);
    open my $out, '|-', client($database) or die "$driver: $!\n";
    binmode $out, ':utf8';
    print $out $preamble{$driver}, HS::slurp("$Bin/schema-1.$driver.sql"), "BEGIN;\n",
        (map { insert_of($database, $_) } @tickets), $finish{$driver}, "COMMIT;\n";
    close $out or die "$driver failed\n";
    chown @owner, $database->{file} if $database->{file};
    return $database;
}

# ---- what q finds ----

my @searches = (
    (map { [$_->[1]] } @words), ['ж'], ['жу'], ['ελλ'], ['漢'], ['n17'], ['n'], ['zz'], ['customer4'],
    ['wort', '漢字'], ['Ü', 'жук'], ['ж' x 60], ["e"], ['o', 'neill', 'the'], ['nothing'],
    ['x' x 84], ['k'],
);

sub begins {
    my ($ticket, $wanted) = @_;
    $wanted = lc $wanted;
    return scalar grep { index($_, $wanted) == 0 } @{$ticket->{words}};
}

sub numbers {
    my ($hs, @wanted) = @_;
    my $q = join '+', map { encode_utf8($_) =~ s/([^a-z0-9])/sprintf '%%%02X', ord $1/gier } @wanted;
    my ($path, @numbers) = "/help-support?limit=1000&sort=created_at&q=$q";
    while ($path) {
        my $answer = HTTP::Tiny->new->get($hs->url($path), {headers => {Authorization => 'Bearer ' . $hs->token}});
        die "$path: $answer->{status}\n" if $answer->{status} != 200;
        push @numbers, $answer->{content} =~ /"number":(\d+),/g;    # JSON::PP would take seconds
        ($path) = ($answer->{headers}{link} // '') =~ /<([^>]+)>; rel="next"/;
    }
    return "@numbers";
}

sub serve {
    my ($database) = @_;
    return HS->start(db => $database->{db}, server => "HelpSupportDBPool 4 2s\n",
        location => "HelpSupportSubmitLimit off\n");
}

sub is_found {
    my ($hs) = @_;
    my @wrong = grep {
        my @wanted = @$_;
        my $expected = join ' ', map { $_->{number} }
            grep { my $ticket = $_; !grep { !begins($ticket, $_) } @wanted } @tickets;
        $expected ne join ' ', grep { $_ <= 3 * $count } split / /, numbers($hs, @wanted);
    } @searches;
    is join(', ', map { "@$_" } @wrong), '', 'q finds what it has to';
}

# ---- a statement that waits ----

# A session for which PostgreSQL's first statement waits, and MariaDB's last.
sub hold {
    my ($database) = @_;
    my $session = HSSession->start($database->{server}, $database->{name});
    $session->run($database->{driver} eq 'pgsql' ? 'BEGIN; LOCK TABLE ticket IN ACCESS SHARE MODE'
        : 'LOCK TABLES ticket READ');
    return $session;
}

# Seconds for which a statement has been waiting for that session.
sub waits { return $_[0]{server}->lock_wait($_[0]{name}) }

# ---- the tests ----

for my $driver (@drivers) {
    my (%fresh, $before);

    subtest "$driver: httpd and its commands refuse version 1" => sub {
        my $database = old_database($driver);
        my $schema = schema_of($database);
        my $hs = serve($database);
        my @answers;
        wait_until('the log says why', sub {
            push @answers, $hs->post('/help-support/u', submission());
            $hs->log =~ $refusal;
        });
        is_deeply [grep { $_->{status} != 503 || !$_->{headers}{'retry-after'} } @answers], [],
            '503 with Retry-After';
        for my $words (['db', 'check'], ['token', 'list']) {
            my ($status, undef, $err) = run_ctl($database, @$words);
            is $status, 3, "@$words";
            like $err, $refusal;
        }
        my $other = new_database('sqlite3');
        init_ok($other, 'a new database');
        my ($from, $to) = map { $_->{db} } $database, $other;
        for my $words (['copy from it', $from, $to], ['copy to it', $to, $from]) {
            local $ENV{HELPSUPPORT_DB} = $words->[2];
            my ($status, undef, $err) = command($ctl, 'db', 'copy', '--from', $words->[1]);
            isnt $status, 0, $words->[0];
            like $err, $refusal;
        }
        is schema_of($database), $schema, 'nobody has changed it';
        init_ok($database);
        ok eval {
            wait_until('it serves', sub { $hs->post('/help-support/u', submission())->{status} == 201 });
        }, 'then httpd serves, without a restart' or diag $hs->log;
    };

    subtest "$driver: everything comes along" => sub {
        my $fresh = new_database($driver);
        init_ok($fresh, 'a new database');
        my $database = old_database($driver);
        $before = rows($database);
        my @pids = map { begin_init($database) } 1, 2;
        is_deeply [map { waitpid $_, 0; $? } @pids], [0, 0], 'two at once' or diag HS::slurp("$folder/stderr");
        is schema_of($database), $fresh{schema} = schema_of($fresh), 'the schema is that of a new one';
        ok rows($database) eq $before, 'all rows are as they were';
        init_ok($database, 'and once more');
        is((run_ctl($database, 'db', 'check'))[0], 0, 'db check');
        my $hs = serve($database);
        is_found($hs);
        is $hs->post('/help-support/u', submission(message => 'newcomer'))->{status}, 201;
        is numbers($hs, 'newcomer'), 3 * $count + 1, 'and what comes now, which counts on';
    };

    # Each is killed a little later than the one before, until one is quicker.
    subtest "$driver: killed again and again" => sub {
        my $database = old_database($driver);
        my ($killed, $delay, $status) = (0, 0.002, 9);
        while ($status == 9) {
            my $pid = begin_init($database);
            sleep $delay;
            kill 'KILL', $pid;
            waitpid $pid, 0;
            $status = $?;
            $killed++ if $status == 9;
            $delay = $delay * 1.1 + 0.002;
        }
        is $status, 0, "one succeeds, after $killed that were killed" or diag HS::slurp("$folder/stderr");
        is schema_of($database), $fresh{schema}, 'the schema is that of a new one';
        ok rows($database) eq $before, 'all rows are as they were';
        is_found(serve($database));
    };

    # httpd of version 1, which ought to be stopped: each of its transactions is done or fails.
    subtest "$driver: a submission meanwhile is not lost" => sub {
        my $database = old_database($driver);
        local $SIG{PIPE} = 'IGNORE';
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            open STDERR, '>', '/dev/null';
            open my $out, '|-', client($database) or POSIX::_exit(1);
            binmode $out, ':utf8';
            $out->autoflush(1);
            print $out $preamble{$driver};
            for my $number (map { 3 * $_ } $count + 1 .. $count + 5000) {
                print $out "BEGIN;\n", insert_of($database, {number => $number, user_id => 'late', message => 'latecomer',
                    words => ['latecomer']}), "COMMIT;\n" or last;
                sleep 0.004;
            }
            close $out;
            POSIX::_exit(0);
        }
        my $late = q{SELECT count(*) FROM ticket WHERE user_id = 'late'};
        wait_until('some are there', sub { sql($database, $late) > 3 });
        init_ok($database);
        waitpid $pid, 0;
        my $hs = serve($database);
        my $expected = sql($database, q{SELECT number FROM ticket WHERE user_id = 'late' ORDER BY number});
        is numbers($hs, 'latecomer'), join(' ', split /\n/, $expected), 'what was done is found';
        is_found($hs);
    };

    next if $driver eq 'sqlite3';

    subtest "$driver: killed at a statement that waits" => sub {
        my $database = old_database($driver);
        my $holder = hold($database);
        my $init = begin_init($database);
        wait_until('it waits', sub { waits($database) > 0 });
        if ($driver eq 'mysql') {
            is sql($database, 'SELECT count(*) FROM search_waiting'), $count, 'all words are there';
        }
        is version_of($database), 1, 'the version is the old one';
        my ($status, undef, $err) = run_ctl($database, 'db', 'check');
        like $err, $refusal, 'and refused';
        kill 'KILL', $init;
        waitpid $init, 0;
        is $? & 127, 9, 'killed';
        undef $holder;
        init_ok($database, 'and run again');
        is schema_of($database), $fresh{schema}, 'the schema is that of a new one';
        ok rows($database) eq $before, 'all rows are as they were';
        is_found(serve($database));
    };

    my ($limit, $is_long) = $driver eq 'pgsql' ? (2, 0) : (5, 1);
    subtest "$driver: no statement is cut" => sub {
        plan skip_all => 'takes long: HS_LONG' if $is_long && !$ENV{HS_LONG};
        my $database = old_database($driver);
        $database->{db} .= " options='-c statement_timeout=${limit}s'" if $driver eq 'pgsql';
        my $holder = hold($database);
        my $init = begin_init($database);
        wait_until("one takes longer than $limit s", sub { waits($database) > $limit + 0.3 });
        undef $holder;
        waitpid $init, 0;
        is $?, 0, 'it goes on' or diag HS::slurp("$folder/stderr");
    };
}

done_testing;
