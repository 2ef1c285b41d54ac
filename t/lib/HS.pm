package HS;    # a real httpd with mod_helpsupport on a free port, and a client for it
# SPDX-License-Identifier: Apache-2.0
#
#   my $hs = HS->start(mpm => 'event', location => "HelpSupportMaxBody 1000\n");
#   my $answer = $hs->post('/help-support/u1', {name => 'Jane Doe', ...});
#   is $answer->{status}, 201;
#
# HS_DB=pgsql or mysql makes each httpd use a database of its own on such a server (HSServer.pm) instead
# of an SQLite file. HS_BUILD names the folder with mod_helpsupport.so and helpsupportctl (build, build/asan, ...);
# HS_PRELOAD is preloaded into httpd (a sanitizer's runtime).
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Temp ();
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use IPC::Open3 qw(open3);
use JSON::PP ();
use POSIX qw(:sys_wait_h setsid);
use Symbol ();
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(command free_port parse_answer submission wait_until);

my $ROOT = abs_path(__FILE__) =~ s{/t/lib/HS\.pm$}{}r;
my $BUILD = $ROOT . '/' . ($ENV{HS_BUILD} // 'build');
my $USER = $> == 0 ? 'www-data' : undef;    # httpd's children; a user's httpd stays that user's
my %RUNNING;                                # pid => 1, of every httpd that stop() has not ended

# A sanitizer slows httpd, and a builder's machine may be slow by itself.
my $PATIENCE = $ENV{HS_PRELOAD} ? 90 : 30;

my $OWNER = $$;    # a process that a test forks must end nothing of its parent's

END {
    my $status = $?;
    local @SIG{qw(INT TERM)} = ('IGNORE') x 2;
    if ($$ == $OWNER) {
        end_process($_) for keys %RUNNING;
    }
    $? = $status;
}
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# ---- small things that tests need, too ----

# A port of 127.0.0.1 that was free a moment ago, below those that the system gives to clients: one
# of them may be gone before its server comes. Each process begins in another place, since tests
# run at the same time.
my $ports_tried = 0;

sub free_port {
    my ($end) = slurp('/proc/sys/net/ipv4/ip_local_port_range') =~ /^(\d+)/;
    my $count = ($end && $end > 12_000 ? $end : 32_768) - 10_000;
    for (1 .. $count) {
        my $port = 10_000 + ($$ * 64 + $ports_tried++) % $count;
        return $port if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port,
            Proto => 'tcp');
    }
    die "no free port: $!\n";
}

# Call $check every 50 ms until it returns something true, and return that; dies after $seconds.
sub wait_until {
    my ($what, $check, $seconds) = @_;
    my $end = time + ($seconds // $PATIENCE);
    while (time < $end) {
        my $result = $check->();
        return $result if $result;
        sleep 0.05;
    }
    die "gave up waiting until $what\n";
}

# Run a program without a shell. Returns (exit status, stdout, stderr).
sub command {
    my @words = @_;
    my $pid = open3(my $in, my $out, my $err = Symbol::gensym(), @words);
    close $in;
    my %text = ($out => '', $err => '');
    my $select = IO::Select->new($out, $err);
    while (my @ready = $select->can_read) {
        for my $handle (@ready) {
            sysread($handle, $text{$handle}, 65536, length $text{$handle})
                or $select->remove($handle);
        }
    }
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, $text{$out}, $text{$err});
}

# A body that the API accepts, with whatever is given changed.
sub submission {
    return {
        name => 'Jane Doe',
        phone_number => '+1234567890',
        email => 'jane@example.com',
        message => "I'm having trouble connecting my database.",
        @_,
    };
}

# Build t/tools/mod_preset.c, a module that meddles with requests, as $path.
sub build_preset {
    my ($path) = @_;
    my @flags;
    for my $question ([qw(apr-1-config --cppflags --includes)], [qw(apxs -q INCLUDEDIR)]) {
        my ($status, $out, $err) = command(@$question);
        die "@$question: $err" if $status;
        push @flags, split ' ', $out;
    }
    my $include = pop @flags;
    my ($status, $out, $err) = command($ENV{CC} // 'cc', '-fPIC', '-shared', @flags,
        "-I$include", '-o', $path, "$ROOT/t/tools/mod_preset.c");
    die "mod_preset: $out$err" if $status;
}

# ---- httpd ----

# Options, all optional:
#   mpm       event, worker or prefork
#   modules   names ("headers") to load besides those that every configuration here needs
#   db        "driver params"; a database of its own by default (see HS_DB); '' for none
#   server    lines for the server
#   location  lines for <Location "/help-support">; `access` are the three lines on who may do what
#   within    words of a program that runs httpd
#   plain     true: httpd alone, without the module and its Location
sub start {
    my $self = prepare(@_);
    $self->launch;
    return $self;
}

# The same without an httpd: for configtest(), or to put files below {root} before launch().
sub prepare {
    my ($class, %option) = @_;
    my $self = bless {port => free_port(), %option}, $class;
    $self->make_root;
    $self->{db} //= $ENV{HS_DB} && $ENV{HS_DB} ne 'sqlite3' ? $self->server_db
        : "sqlite3 $self->{root}/data/tickets.db";
    $self->write_config;
    return $self;
}

# A database with its tables on a server.
sub server_db {
    my ($self) = @_;
    require HSServer;
    my $server = $self->{server_db} = HSServer->get($ENV{HS_DB});
    my $db = $server->database;
    $self->{database} = $server->{last};
    local $ENV{HELPSUPPORT_DB} = $db;
    my ($status, $out, $err) = command("$BUILD/helpsupportctl", 'db', 'init');
    die "db init: $err" if $status;
    return $db;
}

# What comes first in HelpSupportDB.
sub driver { return (split / /, $_[0]{db})[0] }

# No other writes before the returned function is called; on MariaDB none reads, either.
sub lock_database {
    my ($self) = @_;
    my $mark = "$self->{root}/locked";
    my ($client, $lock, $shell, $unlock) = @{{
        sqlite3 => [['sqlite3', '-batch', "$self->{root}/data/tickets.db"],
            ".timeout 10000\nBEGIN IMMEDIATE;", '.system', 'ROLLBACK;'],
        pgsql => [undef, 'BEGIN; LOCK TABLE ticket IN EXCLUSIVE MODE;', '\\!', 'ROLLBACK;'],
        mysql => [undef, 'LOCK TABLES ticket WRITE;', 'system', 'UNLOCK TABLES;'],
    }->{$self->driver}};
    $client //= [$self->{server_db}->client($self->{database})];
    open my $pipe, '|-', @$client or die "@$client: $!\n";
    $pipe->autoflush(1);
    print $pipe "$lock\n$shell touch $mark\n";
    wait_until('the database is locked', sub { -e $mark });
    unlink $mark;
    return sub {
        print $pipe "$unlock\n";
        close $pipe or die "@$client failed\n";
    };
}

# Run SQL beside httpd. Returns what the client says, which is an error.
sub sql {
    my ($self, $sql) = @_;
    if ($self->{server_db}) {
        return eval { $self->{server_db}->sql($sql, $self->{database}) } // $@;
    }
    my ($status, $out, $err) = command('sqlite3', "$self->{root}/data/tickets.db", '.timeout 5000', $sql);
    return $out . $err;
}

# The parent writes logs and configuration; only data/ belongs to the children.
sub make_root {
    my ($self) = @_;
    $self->{temp} = File::Temp->newdir('helpsupport-XXXXXX', TMPDIR => 1);
    my $root = $self->{root} = "$self->{temp}";
    chmod 0755, $root;
    mkdir "$root/$_" or die "$root/$_: $!\n" for qw(logs data htdocs);
    if ($USER) {
        my ($uid, $gid) = (getpwnam $USER)[2, 3];
        chown $uid, $gid, "$root/data" or die "chown: $!\n";
    }
}

sub module_lines {
    my ($self) = @_;
    my $folder = modules_folder();
    my $compiled_in = (command('apache2', '-l'))[1];
    my @names = ("mpm_" . ($self->{mpm} // 'event'),
        qw(authn_core authz_core unixd log_config), @{$self->{modules} // []});
    my @lines;
    for my $name (grep { !/^unixd$|^log_config$/ || $compiled_in !~ /mod_$_\.c/ } @names) {
        push @lines, qq(LoadModule ${name}_module "$folder/mod_$name.so"\n);
    }
    push @lines, qq(LoadModule helpsupport_module "$BUILD/mod_helpsupport.so"\n)
        unless $self->{plain};
    return join '', @lines;
}

my $MODULES_FOLDER;

sub modules_folder {
    return $MODULES_FOLDER if $MODULES_FOLDER;
    my ($status, $out) = command('apxs', '-q', 'LIBEXECDIR');
    chomp $out;
    die "apxs -q LIBEXECDIR failed\n" if $status || !-d $out;
    return $MODULES_FOLDER = $out;
}

sub location_lines {
    my ($self) = @_;
    return '' if $self->{plain};
    my $db = '';
    if ($self->{db} ne '') {
        my ($driver, $params) = split / /, $self->{db}, 2;
        $params =~ s/(["\\])/\\$1/g;
        $db = qq(HelpSupportDB $driver "$params"\n);
    }
    my $access = $self->{access} // <<'END';
    AuthType Bearer
    AuthName "Help & Support"
    Require help-support
END
    my $more = $self->{location} // '';
    return qq($db<Location "/help-support">\n    HelpSupport On\n$access$more</Location>\n);
}

sub write_config {
    my ($self) = @_;
    my $user = $USER ? "User $USER\nGroup " . getgrgid((getpwnam $USER)[3]) . "\n" : '';
    my $modules = $self->module_lines;
    my $location = $self->location_lines;
    my $server = $self->{server} // '';
    $self->{config} = "$self->{root}/httpd.conf";
    open my $out, '>', $self->{config} or die "$self->{config}: $!\n";
    print $out <<"END";
ServerRoot "$self->{root}"
ServerName 127.0.0.1
Listen 127.0.0.1:$self->{port}
${modules}${user}PidFile logs/httpd.pid
DefaultRuntimeDir logs
ErrorLog logs/error.log
LogLevel info
DocumentRoot "$self->{root}/htdocs"
TraceEnable Off
ServerTokens Prod
${server}${location}
END
    close $out or die "$self->{config}: $!\n";
}

# Whether httpd accepts the configuration. Returns (exit status, what it says).
sub configtest {
    my ($self) = @_;
    local $ENV{LD_PRELOAD} = $ENV{HS_PRELOAD} // '';
    my ($status, $out, $err) = command('apache2', '-f', $self->{config}, '-t');
    return ($status, $out . $err);
}

# A session of its own: prefork signals its whole process group, which would be the test's.
sub launch {
    my ($self) = @_;
    $self->{starts} = () = $self->log =~ /resuming normal operations/g;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setsid();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{root}/logs/stdout";
        open STDERR, '>&', \*STDOUT;
        $ENV{LD_PRELOAD} = $ENV{HS_PRELOAD} if $ENV{HS_PRELOAD};
        umask 0 if $ENV{GCOV_PREFIX};    # parent and children write the same counters
        exec(@{$self->{within} // []}, 'apache2', '-f', $self->{config}, '-DFOREGROUND') or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    $RUNNING{$pid} = 1;
    my $is_up = eval { wait_until('httpd answers', sub { $self->is_up }) };
    return if $is_up;
    my $log = $self->output . $self->log;
    $self->stop;
    die "httpd did not start:\n$log\n";
}

sub is_up {
    my ($self) = @_;
    die "httpd ended\n" if waitpid($self->{pid}, WNOHANG) == $self->{pid};
    # Earlier the port may be open, but a signal to restart would still end httpd.
    return if $self->{starts} == (() = $self->log =~ /resuming normal operations/g);
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5);
}

sub end_process {
    my ($pid) = @_;
    delete $RUNNING{$pid};
    return unless kill 'TERM', $pid;
    my $ended = eval { wait_until('httpd ended', sub { waitpid($pid, WNOHANG) }) };
    return $? if $ended;
    kill 'KILL', -$pid;
    waitpid $pid, 0;
    return -1;
}

# End httpd. Returns its exit status; 0 is a clean end.
sub stop {
    my ($self) = @_;
    return end_process(delete $self->{pid} // return 0);
}

# Its folder goes with the object, so httpd must, too.
sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    $self->stop if $$ == $OWNER;
}

# Re-read the configuration: "USR1" gracefully, "HUP" at once. Returns when httpd says it is done.
sub restart {
    my ($self, $signal) = @_;
    my $before = () = $self->log =~ /resuming normal operations/g;
    kill $signal // 'USR1', $self->{pid};
    wait_until('httpd restarted', sub {
        my $now = () = $self->log =~ /resuming normal operations/g;
        $now > $before;
    });
}

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}

# The error log, and what httpd and its children wrote elsewhere (sanitizers).
sub log { return slurp("$_[0]{root}/logs/error.log") }
sub output { return slurp("$_[0]{root}/logs/stdout") }

# Wait for a line in the error log.
sub wait_for_log {
    my ($self, $pattern) = @_;
    return wait_until("the log has $pattern", sub { $self->log =~ $pattern });
}

# ---- the administrator's command ----

sub ctl {
    my ($self, @words) = @_;
    local $ENV{HELPSUPPORT_DB} = $self->{db};
    return command("$BUILD/helpsupportctl", @words);
}

# A token with the scope ("write"), made once for each.
sub token {
    my ($self, $scope) = @_;
    $scope //= 'write';
    return $self->{tokens}{$scope} //= do {
        my ($status, $out, $err) = $self->ctl('token', 'create', "t-$scope", '--scope', $scope);
        die "no token: $err" if $status;
        chomp $out;
        $out;
    };
}

# ---- requests ----

sub url { return "http://127.0.0.1:$_[0]{port}$_[1]" }

# Options: headers => {}, body => octets, json => data, token => secret. The answer is a hash of
# status, headers (lower-case names), body, and json where the body is JSON.
sub request {
    my ($self, $method, $path, %option) = @_;
    my %headers = %{$option{headers} // {}};
    my $body = $option{body};
    if (exists $option{json}) {
        $body = JSON::PP->new->canonical->utf8->encode($option{json});
        $headers{'Content-Type'} //= 'application/json';
    }
    $headers{Authorization} = "Bearer $option{token}" if $option{token};
    my $client = HTTP::Tiny->new(timeout => $PATIENCE, max_redirect => 0, keep_alive => 0);
    my $answer = $client->request($method, $self->url($path),
        {headers => \%headers, defined $body ? (content => $body) : ()});
    my $type = $answer->{headers}{'content-type'} // '';
    return {
        status => $answer->{status},
        headers => $answer->{headers},
        body => $answer->{content} // '',
        json => $type =~ m{^application/(?:problem\+)?json} && length($answer->{content} // '')
            ? scalar eval { JSON::PP->new->utf8->decode($answer->{content}) } : undef,
    };
}

sub get {
    my ($self, $path, %option) = @_;
    return $self->request(GET => $path, token => $self->token, %option);
}

sub patch {
    my ($self, $path, %option) = @_;
    return $self->request(PATCH => $path, token => $self->token, %option);
}

sub post {
    my ($self, $path, $json, %option) = @_;
    return $self->request(POST => $path, json => $json, %option);
}

# An answer as it came from raw() or `curl -i`, as request() gives it; what was said before the final
# status (100 Continue) is left out. A field that came twice is joined with ", ".
sub parse_answer {
    my ($octets) = @_;
    $octets =~ s{^HTTP/\S+ 1\d\d.*?\r\n\r\n}{}s while $octets =~ m{^HTTP/\S+ 1\d\d };
    my ($head, $body) = split /\r\n\r\n/, $octets, 2;
    my ($line, @fields) = split /\r\n/, $head // '';
    my %headers;
    for my $field (@fields) {
        my ($name, $value) = $field =~ /^([^:]+):\s*(.*)$/ or next;
        $name = lc $name;
        $headers{$name} = exists $headers{$name} ? "$headers{$name}, $value" : $value;
    }
    my $is_json = ($headers{'content-type'} // '') =~ m{^application/(?:problem\+)?json};
    return {
        status => ($line // '') =~ m{^HTTP/\S+ (\d+)} ? $1 : 0,
        headers => \%headers,
        body => $body // '',
        json => $is_json ? scalar eval { JSON::PP->new->utf8->decode($body) } : undef,
    };
}

# Send octets as they are and return all that comes back until httpd closes; for requests that no
# client library would make. `$wait` seconds without an octet end it as well.
sub raw {
    my ($self, $octets, $wait) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port})
        or die "connect: $!\n";
    local $SIG{PIPE} = 'IGNORE';    # httpd may refuse before it has read everything
    $socket->syswrite($octets);
    my ($answer, $select) = ('', IO::Select->new($socket));
    while ($select->can_read($wait // $PATIENCE)) {
        $socket->sysread($answer, 65536, length $answer) or last;
    }
    return $answer;
}

1;
