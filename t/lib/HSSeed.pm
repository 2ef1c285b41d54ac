package HSSeed;    # a desk with many tickets, written beside httpd in the way the store writes them
# SPDX-License-Identifier: Apache-2.0
#
#   my $hs = HS->prepare(...);
#   HSSeed::fill($hs, 20_000);    # indexed, and ANALYZE
#
# The tickets have what makes a list hard: statuses and users that are rare and common, words that are
# in every ticket, in few, in old ones only, or often but hardly ever together. Ticket number n was
# created n minutes after START.
use strict;
use warnings;
use POSIX qw(strftime);

use constant {START_US => 1_600_000_000 * 1_000_000, STEP_US => 60 * 1_000_000};

my @SYLLABLES = qw(ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu);
my @WORDS = map { my $one = $_; map { $one . $SYLLABLES[$_ * 7 % 20] . $SYLLABLES[$_] } 0 .. 19 }
    map { my $one = $_; map { $one . $_ } @SYLLABLES } @SYLLABLES;

# The time of ticket $number, as the API writes it.
sub time_of {
    my ($number) = @_;
    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime((START_US + $number * STEP_US) / 1e6));
}

# A stream of numbers that is the same everywhere: Perl's own differs between versions.
my $state;

sub pick {
    my ($below) = @_;
    $state = ($state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return int(($state >> 8) * $below / 8_388_608);
}

sub user_of {
    my ($number, $count) = @_;
    return 'single' if $number == int($count / 2);
    return 'regular' if $number % int($count / 2000 + 1) == 1;
    return 'guest' if $number % 3 == 0;
    return 'user' . int($number / 7);
}

# 0.5 % open, 0.2 % pending, 9 % resolved, the rest closed.
sub status_of {
    my $dice = pick(1000);
    return $dice < 5 ? 0 : $dice < 7 ? 1 : $dice < 100 ? 2 : 3;
}

# "please" and a word with z are in each ticket; alpha and omega in half of them, together in 20;
# recall in most of the first half, launch in most of the last twentieth.
sub message_of {
    my ($number, $count) = @_;
    my @words = ('Please', 'help', 'zone', $number % 2 ? 'alpha' : 'omega');
    push @words, 'alpha', 'omega' if $number % int($count / 20) == 1;
    push @words, 'recall' if $number <= $count / 2 && $number % 5 < 3;
    push @words, 'launch' if $number > $count * 0.95 && $number % 5 < 3;
    push @words, 'scarlet' if $number % 10 == 3;
    push @words, 'blue' if $number % 100 == 3;
    push @words, 'teal' if $number % 300 == 3;
    push @words, 'mauve' if $number % 2000 == 3;
    push @words, 'unique' if $number == int($count / 3);
    for (1 .. 16) {    # a few words are frequent, most are rare
        my $share = pick(1000) / 1000;
        push @words, $WORDS[@WORDS * $share**4];
    }
    return join ' ', @words, "order $number.";
}

sub tickets {
    my ($count, $put) = @_;
    $state = 20_250_704;
    for my $number (1 .. $count) {
        my $status = status_of();
        my $created = START_US + $number * STEP_US;
        my $delay = $status == 0 ? 0 : (1 + pick(10_000)) * STEP_US;
        my $end = START_US + ($count + 1 + pick(10_000)) * STEP_US;    # old ones, changed lately
        my $email = 'customer' . int($number / 4) . '@example.org';
        my $message = message_of($number, $count);
        $put->({
            number => $number,
            id => sprintf('0198c1f2-0000-7000-8000-%012x', $number),
            user_id => user_of($number, $count),
            name => 'Customer ' . $WORDS[$number % @WORDS],
            phone_number => sprintf('+1-555-%07d', $number % 10_000_000),
            email => $email,
            email_key => $email,
            status => $status,
            version => 1,
            created_us => $created,
            updated_us => $number % 500 == 7 ? $end : $created + $delay,
            message => $message,
            words => join('', map { ' ' . lc } "customer $WORDS[$number % @WORDS] $email $message" =~ /[a-z0-9]+/gi),
        });
    }
}

my @COLUMNS = qw(number id user_id name phone_number email email_key status version created_us updated_us message);

# Feed a client of the database from $write, which gets a function that takes one row.
sub pipe_into {
    my ($command, $count, $line) = @_;
    open my $out, '|-', @$command or die "$command->[0]: $!\n";
    tickets($count, sub { print $out $line->($_[0]) });
    close $out or die "$command->[0] failed\n";
}

sub fill_sqlite3 {
    my ($hs, $count) = @_;
    my $file = "$hs->{root}/data/tickets.db";
    init($hs);
    open my $out, '|-', 'sqlite3', '-bail', $file or die "sqlite3: $!\n";
    my $columns = join ', ', @COLUMNS;
    print $out ".output /dev/null\n.timeout 10000\nPRAGMA cache_size = -200000;\nBEGIN;\n";
    tickets($count, sub {
        my ($ticket) = @_;
        my $values = join ', ', map { "'$ticket->{$_}'" } @COLUMNS;
        print $out "INSERT INTO ticket ($columns) VALUES ($values);\n",
            "INSERT INTO search_waiting (ticket, words) VALUES ($ticket->{number}, '$ticket->{words}');\n";
    });
    print $out "COMMIT;\nANALYZE;\nPRAGMA wal_checkpoint(TRUNCATE);\n";
    close $out or die "sqlite3 failed\n";
    init($hs);
}

# Moves the words into the index, too.
sub init {
    my ($hs) = @_;
    my ($status, undef, $err) = $hs->ctl('db', 'init');
    die "db init: $err" if $status;
}

sub copy_pgsql {
    my ($hs, $into, $count, $line) = @_;
    pipe_into(['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
            "$hs->{server_db}{params} dbname=$hs->{database}", '-c', "COPY $into FROM STDIN"],
        $count, $line);
}

sub fill_pgsql {
    my ($hs, $count) = @_;
    my $columns = join ', ', @COLUMNS;
    copy_pgsql($hs, "ticket ($columns)", $count, sub { join("\t", @{$_[0]}{@COLUMNS}) . "\n" });
    copy_pgsql($hs, 'search_waiting (ticket, words)', $count, sub { "$_[0]{number}\t$_[0]{words}\n" });
    $hs->sql("SELECT setval(pg_get_serial_sequence('ticket', 'number'), $count)");
    $hs->sql('VACUUM ANALYZE ticket');
    init($hs);
    $hs->sql('VACUUM search_waiting, search_segment, search_page');
}

sub load_mysql {
    my ($hs, $into, $count, $line) = @_;
    my %param = map { split /=/, $_, 2 } split /,/, $hs->{server_db}{params};
    pipe_into(['mariadb', '--no-defaults', '--local-infile', '-h', $param{host}, '-P', $param{port},
            '-u', $param{user}, $hs->{database}, '-e', "LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE $into"],
        $count, $line);
}

sub fill_mysql {
    my ($hs, $count) = @_;
    my $columns = join ', ', @COLUMNS;
    load_mysql($hs, "ticket ($columns)", $count, sub { join("\t", @{$_[0]}{@COLUMNS}) . "\n" });
    load_mysql($hs, 'search_waiting (ticket, words)', $count,
        sub { "$_[0]{number}\t$_[0]{words}\n" });
    init($hs);
    $hs->sql('ANALYZE TABLE ticket, search_waiting');
}

# Fill the empty database of $hs (made by HS->prepare) with so many tickets.
sub fill {
    my ($hs, $count) = @_;
    my ($driver) = split / /, $hs->{db};
    my %filler = (sqlite3 => \&fill_sqlite3, pgsql => \&fill_pgsql, mysql => \&fill_mysql);
    $filler{$driver}->($hs, $count);
}

1;
