package HSServer;    # private PostgreSQL and MariaDB servers for tests
# SPDX-License-Identifier: Apache-2.0
#
#   my $server = HSServer->get('pgsql');           # one for the whole run of the tests
#   my $own = HSServer->start('pgsql');            # one of its own, for a test that restarts it
#   my $standby = $own->standby;                   # what follows it; PostgreSQL's alone
#   my $db = $server->database;                    # "pgsql host=... dbname=...", new and empty
#
# HS_PGSQL and HS_MYSQL hold the parameters of a server that is there already, as a role that may
# create databases: t/lib/with-servers sets them. Without them a test starts its own.
use strict;
use warnings;
use File::Temp ();
use HS qw(command free_port wait_until);
use HSMail qw(children);
use IO::Socket::UNIX;
use POSIX qw(setsid);
use Time::HiRes qw(sleep);

my $OWNER = $$;
my (%SHARED, @STARTED);

END {
    my $status = $?;
    if ($$ == $OWNER) {
        $_->stop for @STARTED;
    }
    $? = $status;
}

my ($PG_BIN) = sort { $b cmp $a } glob '/usr/lib/postgresql/*/bin';

sub is_installed {
    my ($class, $driver) = @_;
    return $driver eq 'pgsql' ? defined $PG_BIN : -x '/usr/sbin/mariadbd';
}

sub get {
    my ($class, $driver) = @_;
    return $SHARED{$driver} //= do {
        my $params = $ENV{'HS_' . uc $driver};
        $params ? bless({driver => $driver, params => $params}, $class) : $class->start($driver);
    };
}

# Neither server runs as root.
sub user_of {
    my ($driver) = @_;
    return $> == 0 ? ($driver eq 'pgsql' ? 'postgres' : 'mysql') : undef;
}

sub as_user {
    my ($user, @words) = @_;
    return $user ? ('setpriv', "--reuid=$user", "--regid=$user", '--clear-groups', @words) : @words;
}

# $settings: more lines of the server's configuration.
sub start {
    my ($class, $driver, $settings) = @_;
    my $self = $class->new($driver);
    $self->{settings} = $settings // '';
    $driver eq 'pgsql' ? $self->make_pgsql : $self->make_mysql;
    $self->launch;
    return $self;
}

# A folder and a port for a server.
sub new {
    my ($class, $driver) = @_;
    my $user = user_of($driver);
    my $self = bless {driver => $driver, user => $user, port => free_port()}, $class;
    $self->{temp} = File::Temp->newdir('hs-server-XXXXXX', TMPDIR => 1);
    my $root = $self->{root} = "$self->{temp}";
    chmod 0755, $root;
    chown((getpwnam $user)[2, 3], $root) if $user;
    push @STARTED, $self;
    return $self;
}

sub must {
    my @words = @_;
    my ($status, $out, $err) = command(@words);
    die "@words: $out$err" if $status;
    return $out;
}

sub make_pgsql {
    my ($self) = @_;
    must(as_user($self->{user}, "$PG_BIN/initdb", '-D', "$self->{root}/data", '-A', 'trust', '-E',
        'UTF8', '--locale', 'C.UTF-8', '-U', 'postgres', '--no-sync'));
    $self->configure_pgsql;
}

# The last line of a name counts.
sub configure_pgsql {
    my ($self) = @_;
    open my $out, '>>', "$self->{root}/data/postgresql.conf" or die "postgresql.conf: $!\n";
    print $out <<"END";
listen_addresses = '127.0.0.1'
port = $self->{port}
unix_socket_directories = '$self->{root}'
max_connections = 300
fsync = off
$self->{settings}
END
    close $out;
    $self->{params} = "host=$self->{root} port=$self->{port} user=postgres";
}

# A copy of this PostgreSQL server that follows it, on `port` or a free one.
sub standby {
    my ($self, $port) = @_;
    my $copy = (ref $self)->new('pgsql');
    $copy->{port} = $port // $copy->{port};
    $copy->{settings} = $self->{settings};
    must(as_user($self->{user}, "$PG_BIN/pg_basebackup", '-D', "$copy->{root}/data", '-d',
        $self->{params}, '-R', '-c', 'fast', '--no-sync'));
    $copy->configure_pgsql;
    $copy->launch;
    return $copy;
}

# From now on a COMMIT waits until the standby has it, as everything before then has arrived.
sub await_standby {
    my ($self) = @_;
    $self->sql(q{ALTER SYSTEM SET synchronous_standby_names = '*'});
    $self->sql('SELECT pg_reload_conf()');
    wait_until('the standby is synchronous', sub {
        $self->sql('SELECT sync_state FROM pg_stat_replication') eq 'sync';
    });
    $self->sql(q{SELECT pg_logical_emit_message(true, 'test', '')});
}

# Make the standby a primary, which waits for nobody; returns when it is one.
sub promote {
    my ($self) = @_;
    $self->sql('SELECT pg_promote()');
    wait_until('it is the primary', sub { $self->sql('SELECT pg_is_in_recovery()') eq 'f' });
}

sub make_mysql {
    my ($self) = @_;
    # tmpdir, twice: a server that starts removes all temporary tables there, also those of others.
    open my $out, '>', "$self->{root}/my.cnf" or die "my.cnf: $!\n";
    print $out <<"END";
[mariadbd]
datadir = $self->{root}/data
socket = $self->{root}/socket
pid-file = $self->{root}/pid
port = $self->{port}
bind-address = 127.0.0.1
innodb-flush-log-at-trx-commit = 2
innodb-flush-method = nosync
max-connections = 300
character-set-server = latin1
tmpdir = $self->{root}
$self->{settings}
END
    close $out;
    must('mariadb-install-db', '--no-defaults', "--datadir=$self->{root}/data",
        "--tmpdir=$self->{root}",
        '--auth-root-authentication-method=normal', '--skip-test-db',
        ($self->{user} ? "--user=$self->{user}" : ()));
    $self->{params} = "host=127.0.0.1,port=$self->{port},user=root";
}

sub command_line {
    my ($self) = @_;
    my $root = $self->{root};
    return as_user($self->{user}, "$PG_BIN/postgres", '-D', "$root/data")
        if $self->{driver} eq 'pgsql';
    return as_user($self->{user}, '/usr/sbin/mariadbd', "--defaults-file=$root/my.cnf");
}

sub launch {
    my ($self) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setsid();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM QUIT);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{root}/log";
        open STDERR, '>&', \*STDOUT;
        exec $self->command_line or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    wait_until("$self->{driver} answers", sub { eval { $self->sql('SELECT 1'); 1 } });
}

# "fast" ends sessions, "immediate" is a crash.
sub stop {
    my ($self, $how) = @_;
    my $pid = delete $self->{pid} or return;
    my %signal = $self->{driver} eq 'pgsql' ? (fast => 'INT', immediate => 'QUIT')
                                            : (fast => 'TERM', immediate => 'KILL');
    kill $signal{$how // 'fast'}, $pid;
    kill 'CONT', $pid;    # where a test had stopped it
    waitpid $pid, 0;
}

# As when its machine is lost: no process has time to say anything. Its folder goes with the object.
sub lose {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill 'STOP', $pid;    # or it would start others
    kill 'KILL', $pid, children($pid);
    waitpid $pid, 0;
    @STARTED = grep { $_ != $self } @STARTED;
    forget_segment("$self->{root}/data/postmaster.pid");
}

# What PostgreSQL's next start in that folder would remove: the shared memory of the last one, whose
# id is the second of the seventh line.
sub forget_segment {
    my ($path) = @_;
    my (undef, $id) = split ' ', (split /\n/, HS::slurp($path))[6] // '';
    shmctl $id, 0, 0 if $id;    # IPC_RMID
}

sub restart {
    my ($self, $how) = @_;
    $self->stop($how);
    $self->launch;
}

# The command line of a client, as the administrator; it takes statements from its input.
sub client {
    my ($self, $database) = @_;
    return ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
        "$self->{params} dbname=" . ($database // 'postgres')) if $self->{driver} eq 'pgsql';
    my %param = map { split /=/, $_, 2 } split /,/, $self->{params};
    return ('mariadb', '--no-defaults', '-h', $param{host}, '-P', $param{port}, '-u', $param{user},
        '--unbuffered', '-N', '-B', $database // ());
}

# Run a statement as the administrator; returns what the client prints.
sub sql {
    my ($self, $sql, $database) = @_;
    my $out = must($self->client($database), $self->{driver} eq 'pgsql' ? '-c' : '-e', $sql);
    chomp $out;
    return $out;
}

# Seconds for which a statement in a database has been waiting for another session's lock on a table.
sub lock_wait {
    my ($self, $name) = @_;
    return $self->sql($self->{driver} eq 'pgsql'
        ? 'SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0) '
            . "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        : 'SELECT coalesce(max(time_ms / 1000), 0) FROM information_schema.processlist '
            . "WHERE db = database() AND state LIKE 'Waiting for table%'", $name);
}

my $COUNT = 0;

# A new, empty database that an ordinary role owns: what HelpSupportDB takes.
sub database {
    my ($self) = @_;
    # Process ids come again while a server runs.
    my $name = sprintf 'hs_%d_%x_%d', $$, 1000 * Time::HiRes::time(), $COUNT++;
    my $params = $self->{params};
    if ($self->{driver} eq 'pgsql') {
        $self->sql("DO \$\$BEGIN CREATE ROLE helpsupport LOGIN;"
                . ' EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END$$');
        $self->sql("CREATE DATABASE $name OWNER helpsupport");
        $params =~ s/user=\S+/user=helpsupport/;
        $self->{last} = $name;
        return "pgsql $params dbname=$name";
    }
    $self->sql("CREATE USER IF NOT EXISTS helpsupport; CREATE DATABASE $name;"
            . " GRANT ALL ON $name.* TO helpsupport");
    $params =~ s/user=[^,]+/user=helpsupport/;
    $self->{last} = $name;
    return "mysql $params,dbname=$name";
}

1;
