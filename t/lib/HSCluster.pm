package HSCluster;    # several httpd nodes behind haproxy, on one PostgreSQL with a synchronous standby
# SPDX-License-Identifier: Apache-2.0
#
#   my $cluster = HSCluster->start(server => $relay->lines);
#   is $cluster->post('/help-support/u1', submission())->{status}, 201;    # through haproxy
#   $cluster->lose_node(0);
#   $cluster->fail_over;
#
# It is an HS whose port is haproxy's; {nodes} are HS objects of their own, {primary} and {standby}
# HSServer ones. With driver => 'mysql' there is one MariaDB, and no standby.
use strict;
use warnings;
use File::Temp ();
use HS qw(command free_port submission wait_until);
use HSMail qw(children is_running);
use HSServer;
use IO::Socket::INET;
use POSIX qw(WNOHANG setsid);
use Time::HiRes qw(sleep time);

our @ISA = ('HS');

my $OWNER = $$;
my %RUNNING;    # pid => 1, of every haproxy and the like

END {
    my $status = $?;
    end_process($_) for $$ == $OWNER ? keys %RUNNING : ();
    $? = $status;
}

# Two processes each, so that a child that dies is seen to be no node that dies.
my $SIZE = "StartServers 2\nServerLimit 2\nThreadsPerChild 16\nMaxRequestWorkers 32\n"
    . "MinSpareThreads 1\nMaxSpareThreads 32\n";

# A standby that lost its primary looks for it every five seconds, and COMMITs wait for the standby.
my %SETTINGS = (
    pgsql => "wal_retrieve_retry_interval = '100ms'\nwal_keep_size = '512MB'",
    mysql => "innodb_flush_log_at_trx_commit = 1\ninnodb_flush_method = fsync",
);

sub is_installed {
    my ($class, $driver) = @_;
    return haproxy() && HSServer->is_installed($driver // 'pgsql');
}

sub haproxy { return (grep { -x } map { "$_/haproxy" } qw(/usr/sbin /usr/local/sbin /usr/bin))[0] }

# Options, all optional:
#   driver    pgsql or mysql
#   settings  the database server's, as HSServer takes them
#   nodes     how many (2)
#   server    lines for each node's server
#   way       called with the primary's port, gives the one by which nodes reach it
#   params    more of what libpq takes
#   port      haproxy's
sub start {
    my ($class, %option) = @_;
    my $self = bless {driver => 'pgsql', nodes => 2, port => free_port(), %option}, $class;
    $self->{temp} = File::Temp->newdir('helpsupport-cluster-XXXXXX', TMPDIR => 1);
    $self->{root} = "$self->{temp}";
    chmod 0755, $self->{root};
    $self->make_database;
    my ($status, $out, $err) = $self->ctl('db', 'init');
    die "db init: $out$err" if $status;
    $self->token;
    $self->{nodes} = [map { $self->make_node } 1 .. $self->{nodes}];
    $self->make_haproxy;
    return $self;
}

sub make_database {
    my ($self) = @_;
    $self->{settings} //= $SETTINGS{$self->{driver}};
    $self->{primary} = HSServer->start($self->{driver}, $self->{settings});
    $self->{db} = $self->{primary}->database;
    $self->{database} = $self->{primary}{last};
    $self->{server_db} = $self->{primary};
    return if $self->{driver} ne 'pgsql';
    $self->{standby} = $self->{primary}->standby;
    $self->{primary}->await_standby;
    my $way = $self->{way} ? $self->{way}->($self->{primary}{port}) : $self->{primary}{port};
    $self->{db} = "pgsql host=127.0.0.1,127.0.0.1 port=$way,$self->{standby}{port} "
        . "target_session_attrs=read-write user=helpsupport dbname=$self->{database} "
        . ($self->{params} // '');
}

sub make_node {
    my ($self) = @_;
    my $node = HS->prepare(db => $self->{db}, location => "HelpSupportSubmitLimit off\n",
        server => $SIZE . ($self->{server} // ''));
    $node->{tokens} = $self->{tokens};
    open my $file, '>', "$node->{root}/htdocs/static.txt" or die "static.txt: $!\n";
    print $file "static\n";
    close $file;
    $node->launch;
    return $node;
}

# A session of its own: a terminal's Ctrl-C is for whoever ends it in order.
sub spawn {
    my ($self, @words) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setsid();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{root}/output";
        open STDERR, '>&', \*STDOUT;
        exec @words or POSIX::_exit(127);
    }
    $RUNNING{$pid} = 1;
    return $pid;
}

sub end_process {
    my ($pid) = @_;
    kill 'KILL', $pid;    # nothing of it is worth an orderly end
    waitpid $pid, 0;
    delete $RUNNING{$pid};
}

# The check asks for what needs no database: were all nodes taken out for it, clients would get
# haproxy's bare 503 instead of the API's.
sub make_haproxy {
    my ($self) = @_;
    my $number = 0;
    my $servers = join '', map { "    server node" . ++$number . " 127.0.0.1:$_->{port}\n" }
        @{$self->{nodes}};
    open my $out, '>', "$self->{root}/haproxy.cfg" or die "haproxy.cfg: $!\n";
    print $out <<"END";
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    # What could not even be sent goes to another node; what was sent is the client's to repeat.
    retries 3
    option redispatch 1
    retry-on conn-failure
    # A kept connection that httpd closes just now would lose a request.
    option http-server-close

frontend api
    bind 127.0.0.1:$self->{port}
    default_backend nodes

backend nodes
    balance roundrobin
    option httpchk
    http-check send meth OPTIONS uri /help-support
    http-check expect status 204
    default-server check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
$servers
END
    close $out;
    $self->{haproxy} = $self->spawn(haproxy(), '-db', '-f', "$self->{root}/haproxy.cfg");
    wait_until('haproxy answers', sub {
        die 'haproxy ended: ' . HS::slurp("$self->{root}/output") . "\n"
            if waitpid($self->{haproxy}, WNOHANG) == $self->{haproxy};
        $self->request(OPTIONS => '/help-support')->{status} == 204;
    });
}

# ---- losses ----

# kill -9 of all processes of a node. It stays away until its launch().
sub lose_node {
    my ($self, $node) = @_;
    kill 'STOP', $node->{pid};    # or a child that it starts just now would live on
    my @pids = children($node->{pid});
    kill 'KILL', $node->{pid}, @pids;
    $node->stop;
    wait_until('all are gone', sub { !grep { is_running($_) } @pids });
}

# The primary is lost, and after $seconds the standby is promoted. Returns when that was done.
sub fail_over {
    my ($self, $seconds) = @_;
    $self->{primary}->lose;
    sleep $seconds // 0;
    return $self->promote;
}

sub promote {
    my ($self) = @_;
    $self->{standby}->promote;
    my $time = time;
    $self->{lost} = $self->{primary};
    $self->{primary} = $self->{server_db} = delete $self->{standby};
    return $time;
}

# What was lost comes back as the new primary's standby, where it was before.
sub rejoin {
    my ($self) = @_;
    $self->{standby} = $self->{primary}->standby((delete $self->{lost})->{port});
    $self->{primary}->await_standby;
}

# How many seconds after $since each node took its first write, all asked at once. Each asks until
# then for $patience seconds.
sub back_after {
    my ($self, $since, $patience) = @_;
    my @asking;
    for my $node (@{$self->{nodes}}) {
        my $pid = open(my $answer, '-|') // die "fork: $!\n";
        if (!$pid) {
            my $end = time + ($patience // 30);
            until ($node->post('/help-support/back', submission())->{status} == 201) {
                last if time > $end;
                sleep 0.02;
            }
            print time - $since;
            close STDOUT;
            POSIX::_exit(0);
        }
        push @asking, $answer;
    }
    return map { scalar <$_> } @asking;
}

# Ask all nodes for a static file all the time, until what this returns is given to slowest_static().
sub ask_static {
    my ($self) = @_;
    pipe my $answer, my $report or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    return [$pid, $answer] if $pid;
    my ($slowest, $is_over) = (0, 0);
    my $parent = getppid;
    local $SIG{USR1} = sub { $is_over = 1 };
    until ($is_over || getppid != $parent) {
        for my $node (@{$self->{nodes}}) {
            my $start = time;
            my $took = $node->request(GET => '/static.txt')->{status} == 200 ? time - $start : 999;
            $slowest = $took if $took > $slowest;
        }
        sleep 0.02;
    }
    syswrite $report, $slowest;
    POSIX::_exit(0);
}

# How long it took at most; 999 where one was not to be had.
sub slowest_static {
    my ($self, $asking) = @_;
    my ($pid, $answer) = @$asking;
    kill 'USR1', $pid;
    waitpid $pid, 0;
    return readline $answer;
}

# ---- afterwards ----

sub log {
    my ($self) = @_;
    return join '', map { $_->log } @{$self->{nodes}};
}

sub stop {
    my ($self) = @_;
    end_process(delete $self->{haproxy}) if $self->{haproxy};
    my $status = 0;
    $status ||= $_->stop for grep { defined } ref $self->{nodes} ? @{$self->{nodes}} : ();
    return $status;
}

# Mails whose answer was lost wait ten minutes, those of a sender that died for the end of their
# lease: as if that had passed. Only when nobody sends. Returns how many leases there were.
sub let_time_pass {
    my ($self) = @_;
    my $leases = $self->sql(q{SELECT count(*) FROM mail WHERE state = 'sending'});
    $self->sql(q{UPDATE mail SET next_us = 0 WHERE state = 'sending' }
            . q{OR (state = 'queued' AND detail <> '')});
    return $leases;
}

1;
