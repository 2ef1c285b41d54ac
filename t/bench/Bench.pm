package Bench;    # what the speed measurements share: the server, wrk, processor time, the table
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Exporter qw(import);
use FindBin qw($Bin);
use lib "$Bin/../lib";
use HS qw(command);
use JSON::PP ();
use Time::HiRes qw(time);

our @EXPORT_OK = qw($ROWS $SECONDS fail must need prepare serve_copies measure others_during
    note_command mean print_head print_rows print_end);

our $ROWS = $ENV{ROWS} // 100_000;
our $SECONDS = $ENV{SECONDS} // 5;
my $CLIENTS = $ENV{CLIENTS} // 32;
my $CHILDREN = $ENV{CHILDREN} // 1;
my $THREADS = 64 / $CHILDREN;
my (@COMMANDS, @FIGURES);

sub fail {
    print STDERR "bench: @_\n";
    exit 1;
}

sub must {
    my ($status, $out, $err) = command(@_);
    fail("@_: $err") if $status;
    return $out;
}

sub need {
    for my $program (@_) {
        must('sh', '-c', "command -v $program || { echo not installed >&2; exit 1; }");
    }
}

chomp(my $hertz = must('getconf', 'CLK_TCK'));
chomp(my $processors = must('nproc'));

# An httpd to be measured, on `db` where that is given.
sub prepare {
    my (%option) = @_;
    return HS->prepare(
        server => "StartServers $CHILDREN\nServerLimit $CHILDREN\nThreadsPerChild $THREADS\n"
            . "MaxRequestWorkers 64\nMinSpareThreads 1\nMaxSpareThreads 64\nKeepAlive On\n"
            . "MaxKeepAliveRequests 0\nEnableMMAP Off\nLogLevel warn\n",
        location => "HelpSupportSubmitLimit off\n",
        %option,
    );
}

# Files of the same sizes as the answers beside which they stand; returns those sizes.
sub serve_copies {
    my ($hs) = @_;
    my %answer = (one => $hs->get("/help-support/$ROWS")->{body},
        list => $hs->get('/help-support?limit=100')->{body});
    for my $name (sort keys %answer) {
        open my $out, '>', "$hs->{root}/htdocs/$name.json" or fail("htdocs: $!");
        print $out $answer{$name};
        close $out;
    }
    return map { length $answer{$_} } qw(one list);
}

# Microseconds of CPU that a process and its children have used.
sub cpu_us {
    my ($parent) = @_;
    my $ticks = 0;
    for my $stat (glob '/proc/[0-9]*/stat') {
        my $text = HS::slurp($stat) =~ s/^(\d+) \(.*\) //sr;
        my ($pid) = $stat =~ /(\d+)/;
        my @field = split ' ', $text;
        next unless @field > 14;
        # of its children that ended, too: a server of processes has some that end
        $ticks += $field[11] + $field[12] if $pid == $parent || $field[1] == $parent;
        $ticks += $field[13] + $field[14] if $pid == $parent;
    }
    return $ticks * 1e6 / $hertz;
}

# Seconds that the machine's processors were busy, and how many of them for us: this program, what it
# started and waited for, and the servers.
sub busy {
    my (@pids) = @_;
    my @field = split ' ', HS::slurp('/proc/stat') =~ /^cpu (.*)$/m ? $1 : '';
    my $sum = 0;
    $sum += $_ for @field[0 .. 2, 5 .. 7];
    my $own = 0;
    $own += $_ for times;
    $own += cpu_us($_) / 1e6 for @pids;
    return ($sum / $hertz, $own);
}

# Run $work; how many per cent of the machine somebody else used meanwhile.
sub others_during {
    my ($pids, $work) = @_;
    my ($start, @before) = (time, busy(@$pids));
    $work->();
    my @after = busy(@$pids);
    my $others = ($after[0] - $before[0]) - ($after[1] - $before[1]);
    return 100 * ($others > 0 ? $others : 0) / ($processors * (time - $start));
}

sub note_command {
    push @COMMANDS, "@_";
}

# One operation's figures; $database is the process of a database server, if there is one.
sub measure {
    my ($hs, $op, $database) = @_;
    my %figures;
    local @ENV{qw(BENCH_OP BENCH_TOKEN BENCH_ROWS BENCH_SEED)} =
        ($op, $hs->token, $ROWS, int rand 1e9);
    my @pids = ($hs->{pid}, $database // ());
    my @words = ('wrk', '-t1', "-c$CLIENTS", '-s', "$Bin/requests.lua");
    for my $time (1, $SECONDS) {    # the first warms up
        my @before = map { cpu_us($_) } @pids;
        my @command = (@words, "-d${time}s", '--latency', $hs->url('/'));
        my ($status, $out, $err);
        my $others = others_during(\@pids, sub { ($status, $out, $err) = command(@command) });
        fail("wrk: $err") if $status;
        my ($line) = $err =~ /^(\{.*\})$/m or fail("wrk said: $err");
        %figures = (%{JSON::PP::decode_json($line)}, others => $others);
        my @used = map { (cpu_us($pids[$_]) - $before[$_]) / $figures{requests} } 0 .. $#pids;
        @figures{qw(cpu database_cpu)} = @used;
        fail("$op: $figures{refused} refused, $figures{broken} broken\n",
            $hs->log =~ s/.*\n(?=(?:.*\n){9})//sr) if $figures{refused} || $figures{broken};
        note_command("BENCH_OP=$op", map { s{^\Q$Bin\E}{t/bench}r } @command) if $time != 1;
    }
    $figures{rate} = $figures{requests} * 1e6 / $figures{us};
    push @FIGURES, \%figures;
    return \%figures;
}

sub mean {
    my ($key, @figures) = @_;
    my $sum = 0;
    $sum += $_->{$key} // 0 for @figures;
    return $sum / @figures;
}

# ---- the table ----

my $FORMAT = "%-34s %9s %8s %8s %8s %8s %8s  %s\n";

sub print_head {
    my ($database) = @_;
    my ($version) = must('apache2', '-v') =~ /version: (\S+)/;
    print "\n$version, event, $CHILDREN x $THREADS threads, EnableMMAP Off; $database;\n"
        . "$ROWS tickets at the start, $CLIENTS kept connections, $SECONDS s each after 1 s; "
        . "$processors processors, shared with wrk.\n\n";
    printf $FORMAT, 'operation', 'per s', 'p50 ms', 'p99 ms', 'CPU us', 'its DB', 'others %', 'ratio';
}

# Rows of a name, figures, and what to say of them.
sub print_rows {
    for my $row (@_) {
        my ($name, $figure, $ratio) = @$row;
        my @cells = map { defined $figure->{$_->[1]} ? sprintf $_->[0], $figure->{$_->[1]} / $_->[2] : '-' }
            ['%.0f', 'rate', 1], ['%.2f', 'p50', 1000], ['%.2f', 'p99', 1000], ['%.0f', 'cpu', 1],
            ['%.0f', 'database_cpu', 1], ['%.0f', 'others', 1];
        printf $FORMAT, $name, @cells, $ratio;
    }
}

# Whether to trust it, and what was run.
sub print_end {
    print "Others used more than 8 % of the machine: measure again when it is quiet.\n\n"
        if grep { $_->{others} > 8 } @FIGURES, @_;
    print "$_\n" for @COMMANDS;
}

1;
