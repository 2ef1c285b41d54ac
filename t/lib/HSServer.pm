package HSServer;    # private PostgreSQL and MariaDB servers for tests
# SPDX-License-Identifier: Apache-2.0
#
#   my $server = HSServer->get('pgsql');           # one for the whole run of the tests
#   my $own = HSServer->start('pgsql');            # one of its own, for a test that restarts it
#   my $db = $server->database;                    # "pgsql host=... dbname=...", new and empty
#
# HS_PGSQL and HS_MYSQL hold the parameters of a server that is there already, as a role that may
# create databases: t/lib/with-servers sets them. Without them a test starts its own.
use strict;
use warnings;
use File::Temp ();
use HS qw(command free_port wait_until);
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
    my $user = user_of($driver);
    my $self = bless {driver => $driver, user => $user, port => free_port(),
        settings => $settings // ''}, $class;
    $self->{temp} = File::Temp->newdir('hs-server-XXXXXX', TMPDIR => 1);
    my $root = $self->{root} = "$self->{temp}";
    chmod 0755, $root;
    chown((getpwnam $user)[2, 3], $root) if $user;
    $driver eq 'pgsql' ? $self->make_pgsql : $self->make_mysql;
    $self->launch;
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

sub make_mysql {
    my ($self) = @_;
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
$self->{settings}
END
    close $out;
    must('mariadb-install-db', '--no-defaults', "--datadir=$self->{root}/data",
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

my $COUNT = 0;

# A new, empty database that an ordinary role owns: what HelpSupportDB takes.
sub database {
    my ($self) = @_;
    my $name = "hs_${$}_" . $COUNT++;
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
