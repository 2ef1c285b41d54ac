# 80-readme.t - `./build.sh run` as README tells it: its examples verbatim, its end, a second run.
# SPDX-License-Identifier: Apache-2.0
# All of it in a copy of the sources, because build/run may hold somebody's data.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Cwd qw(abs_path);
use File::Temp ();
use HS qw(command free_port wait_until);
use IO::Socket::INET;
use POSIX qw(WNOHANG setsid);
use Test::More;

plan skip_all => 'tries what was built for users, not variants of it' if $ENV{HS_PRELOAD};

my $root = abs_path("$Bin/..");
my $is_8080_free = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 8080,
    ReuseAddr => 1) ? 1 : 0;
my $port = $is_8080_free ? 8080 : free_port();
note "port $port" unless $is_8080_free;

# The copy has the objects, too, with their times: nothing is compiled again.
my $temp = File::Temp->newdir('helpsupport-XXXXXX', TMPDIR => 1);
chmod 0755, "$temp";
my $copy = "$temp/checkout";
mkdir $copy or die "$copy: $!\n";
my ($status, $out, $err) = command('sh', '-c',
    qq(cd "$root" && mkdir "$copy/build" && tar -cf - --exclude=./.git --exclude=./build . )
    . qq(| tar -xf - -C "$copy" && cp -a build/release build/mod_helpsupport.so )
    . qq(build/helpsupportctl "$copy/build/"));
die "copy: $err\n" if $status;

my $pid;    # of build.sh

END {
    my $exit = $?;
    end_run('TERM') if $pid;
    $? = $exit;
}

# As from a terminal: a process group of its own, which Ctrl-C signals.
sub start_run {
    my ($answers_on, %environment) = @_;
    unlink "$temp/stdout", "$temp/stderr";
    $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setsid();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        chdir $copy or POSIX::_exit(126);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$temp/stdout";
        open STDERR, '>', "$temp/stderr";
        delete @ENV{qw(HELPSUPPORT_DB EXTRA_CONF MAKEFLAGS MFLAGS MAKELEVEL PORT)};
        $ENV{PORT} = $answers_on unless $answers_on == 8080;
        @ENV{keys %environment} = values %environment;
        exec './build.sh', 'run' or POSIX::_exit(127);
    }
    wait_until('build.sh run says it is up', sub {
        die 'build.sh ended: ' . HS::slurp("$temp/stderr") . "\n"
            if waitpid($pid, WNOHANG) == $pid;
        HS::slurp("$temp/stdout") =~ /logs are in/;
    }, 120);
    return HS::slurp("$temp/stdout");
}

# Returns the exit status.
sub end_run {
    my ($signal) = @_;
    kill $signal, -$pid;
    my $ended = eval { wait_until('build.sh ended', sub { waitpid($pid, WNOHANG) == $pid }, 30) };
    my $result = $?;
    kill 'KILL', -$pid unless $ended;
    undef $pid;
    return $ended ? $result : -1;
}

# Processes that run from the copy: by their folder or a name on their command line.
sub left_running {
    my @left;
    for my $folder (glob '/proc/[0-9]*') {
        my ($number) = $folder =~ /(\d+)/;
        my $cwd = readlink "$folder/cwd";
        my $words = HS::slurp("$folder/cmdline") =~ tr/\0/ /r;
        push @left, "$number $words"
            if ($cwd // '') =~ /^\Q$copy\E/ || index($words, $copy) >= 0;
    }
    return @left;
}

sub ended_cleanly {
    my ($signal) = @_;
    is end_run($signal), 0, "$signal ends it";
    is_deeply [left_running()], [], 'and leaves nothing running';
    ok !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port), 'nobody listens';
    is HS::slurp("$temp/stderr"), '', 'and it had nothing to complain about';
}

# The fenced examples of README in this language, with another port where 8080 is taken.
sub examples {
    my ($language) = @_;
    my @blocks = HS::slurp("$root/README.md") =~ /^```$language\n(.*?)^```$/msg;
    if (!$is_8080_free) {
        s/127\.0\.0\.1:8080/127.0.0.1:$port/g for @blocks;
    }
    return @blocks;
}

# The statuses that a script's curl -i commands got, and all it said.
sub run_script {
    my ($script) = @_;
    my ($exit, $said, $complaint) = command('bash', '-c', "cd '$copy' && set -eu\n$script");
    return ([$said =~ m{HTTP/1\.1 (\d+) }g], $said, $exit ? "exit $exit: $complaint" : '');
}

subtest 'make install' => sub {
    my $to = "$temp/a root";
    my $make = sub {
        my ($status, $out, $err) = command('sh', '-c', qq(umask 077 && exec "\$@"), 'sh', 'make', '-s',
            '-C', $copy, @_, "DESTDIR=$to");
        is $status, 0, "make @_" or diag $err;
    };
    my $files = sub {
        my ($status, $out) = command('find', $to, '-type', 'f', '-printf', '%m %f\n');
        return [sort split /\n/, $out];
    };
    my @data = map { m{([^/]+)$} ? "644 $1" : () } glob "$root/templates/* $root/sql/*.sql";
    $make->('install');
    is_deeply $files->(), [sort @data, '644 mod_helpsupport.so', '755 helpsupportctl', '644 helpsupportctl.8'],
        'all is there, and everybody may read it';
    my ($found) = (command('find', $to, '-name', 'templates'))[1] =~ /(.+)/;
    open my $own, '>', "$found/own.html" or die "$found/own.html: $!\n";
    close $own;
    $make->('uninstall');
    like "@{$files->()}", qr/^\d+ own\.html$/, 'only what was put there later stays';
    unlink "$found/own.html";
    $make->('uninstall');
    is((command('find', $to, '-name', 'helpsupport'))[1], '', 'nor does its folder');
};

my ($curl_example) = grep { /^curl / } examples('sh');
my ($js_example) = grep { /fetch/ } examples('js');
my $said = start_run($port);

subtest 'what it prints' => sub {
    like $said, qr{^http://127\.0\.0\.1:$port/help-support is up}m;
    my @lines = $said =~ /^(curl .*)$/mg;
    is scalar @lines, 5, 'five lines to paste';
    my @statuses;
    for my $line (@lines) {
        my ($got, $text, $fault) = run_script($line);
        is $fault, '', 'curl is content' or diag $line;
        push @statuses, @$got;
    }
    is_deeply \@statuses, [201, 200, 200, 200, 200], 'and each works';
    my $file = "$copy/build/run/admin-token";
    is((stat $file)[2] & 0777, 0600, 'the token is in a file of mode 0600');
    my ($token) = HS::slurp($file) =~ /^(hst_\w+)\n\z/;
    like $said, qr/Authorization: Bearer \Q$token\E'/, 'the same that was printed';
};

subtest 'the curl examples of README' => sub {
    ok $curl_example, 'there are some';
    my ($statuses, $text, $fault) = run_script($curl_example);
    is $fault, '';
    is_deeply $statuses, [201, 200, 200, 200, 200], 'work as printed' or diag $text;
    like $text, qr/"status":"resolved"/;
    like $text, qr/"by":"run"/, 'the history names the token';
};

subtest 'the fetch example of README' => sub {
    ok $js_example, 'there is one';
    plan skip_all => 'needs node' if command('sh', '-c', 'command -v node');
    open my $script, '>', "$temp/example.mjs" or die "example.mjs: $!\n";
    # browsers have it, Node.js only since 19
    print $script "globalThis.crypto ??= (await import('node:crypto')).webcrypto;\n";
    print $script "$js_example\nconsole.log(answer.status, JSON.stringify(ticket));\n";
    close $script;
    my ($exit, $text, $complaint) = command('node', "$temp/example.mjs");
    is $exit, 0 or diag $complaint;
    like $text, qr/^201 \{"id":"[0-9a-f-]{36}","name":"Jane Doe",/;
};

subtest 'a second one on the same port' => sub {
    my ($exit, undef, $complaint) =
        command('bash', '-c', "cd '$copy' && PORT=$port ./build.sh run");
    isnt $exit, 0, 'is refused';
    like $complaint, qr/port $port already/, 'with the reason';
    is_deeply((run_script("curl -si http://127.0.0.1:$port/help-support"))[0], [401],
        'and the first one goes on');
};

my $token = HS::slurp("$copy/build/run/admin-token");
my $count = sub {
    my ($statuses, $text) = run_script("curl -si 'http://127.0.0.1:$port/help-support?count=true' "
        . qq(-H "Authorization: Bearer \$(cat build/run/admin-token)"));
    return $text =~ /^X-Total-Count: (\d+)/mi ? $1 : "@$statuses";
};
my $tickets = $count->();
cmp_ok $tickets, '>=', 2, 'tickets are there';

subtest 'Ctrl-C' => sub { ended_cleanly('INT') };

subtest 'a second run' => sub {
    my $start = time;
    start_run($port);
    cmp_ok time - $start, '<', 20, 'takes seconds';
    is HS::slurp("$copy/build/run/admin-token"), $token, 'the token is the same';
    is $count->(), $tickets, 'the tickets are still there';
    ended_cleanly('TERM');
};

subtest 'a configuration that httpd refuses' => sub {
    open my $conf, '>', "$temp/extra.conf" or die "$temp/extra.conf: $!\n";
    print $conf "NoSuchDirective\n";
    close $conf;
    my ($exit, undef, $complaint) =
        command('bash', '-c', "cd '$temp' && EXTRA_CONF=extra.conf PORT=$port checkout/build.sh run");
    isnt $exit, 0, 'is no run';
    like $complaint, qr/NoSuchDirective/, 'the directive is named';
    unlike $complaint, qr/resuming normal operations/, 'and nothing of the run before';
    is_deeply [left_running()], [], 'nothing is left running';
};

subtest 'a database that lies elsewhere' => sub {
    my $sqlite = File::Temp->newdir('helpsupport-XXXXXX', TMPDIR => 1);
    chmod 01777, "$sqlite";    # as /tmp is
    start_run($port, HELPSUPPORT_DB => "sqlite3 $sqlite/other.db");
    my ($statuses, undef, $fault) = run_script($curl_example);
    is_deeply $statuses, [201, 200, 200, 200, 200], 'the examples work' or diag $fault;
    ok -s "$sqlite/other.db", 'it is there';
    ended_cleanly('TERM');
    return if $>;              # only root can take a file away from httpd
    command('chown', 'root', glob "$sqlite/other.db*");
    my ($exit, undef, $complaint) = command('bash', '-c',
        "cd $sqlite && HELPSUPPORT_DB='sqlite3 other.db' PORT=$port $copy/build.sh run");
    isnt $exit, 0, 'one that httpd can not write is refused';
    like $complaint, qr/can't write \Q$sqlite\E/, 'and named';
};

subtest 'www-data can not reach the folder' => sub {
    my $elsewhere = '/var/lib/helpsupport-run';
    plan skip_all => 'needs root' if $>;
    plan skip_all => "$elsewhere is in use" if -e $elsewhere;
    command('rm', '-rf', "$copy/build/run");
    chmod 0700, "$temp";
    start_run($port);
    is readlink "$copy/build/run", $elsewhere, 'build/run is a link';
    is((stat "$temp")[2] & 0777, 0700, 'no mode of a parent folder was changed');
    my ($statuses, undef, $fault) = run_script($curl_example);
    is_deeply $statuses, [201, 200, 200, 200, 200], 'the examples work' or diag $fault;
    ended_cleanly('TERM');
    command('rm', '-rf', $elsewhere);
};

done_testing;
