package HSProxy;    # a TCP proxy that cuts connections, or lets them hang
# SPDX-License-Identifier: Apache-2.0
#
#   my $proxy = HSProxy->start($port);        # to 127.0.0.1:$port
#   $proxy->mode('after 0.05');               # cut 5 % of the exchanges after they were done
#
# Modes: "pass"; "before P": with probability P what the client sends is not passed on, and both
# connections are cut; "after P": it is passed on, and the answer of the server is not; "hole":
# nothing is passed on and nothing is closed, new connections included; "once N": the first connection
# on which the client sends for the Nth time (from 0) is cut before that, and no other.
use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);

my $OWNER = $$;

sub start {
    my ($class, $target) = @_;
    my $listener = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1', Proto => 'tcp',
        ReuseAddr => 1) or die "listen: $!\n";
    my $temp = File::Temp->new;
    my $self = bless {port => $listener->sockport, target => $target, temp => $temp}, $class;
    $self->mode('pass');
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{PIPE} = 'IGNORE';
        eval { $self->serve($listener); 1 } or print STDERR "proxy: $@";
        POSIX::_exit(0);
    }
    $self->{pid} = $pid;
    return $self;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    return if $$ != $OWNER || !$self->{pid};
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
}

# Takes effect at once.
sub mode {
    my ($self, $mode) = @_;
    open my $out, '>', "$self->{temp}.new" or die "$!\n";
    print $out $mode;
    close $out;
    rename "$self->{temp}.new", "$self->{temp}" or die "$!\n";
}

sub read_mode {
    my ($self) = @_;
    open my $in, '<', "$self->{temp}" or return ('pass', 0);
    my ($name, $chance) = split / /, scalar(<$in>) // 'pass';
    return ($name, $chance // 0);
}

sub cut {
    my ($self, $socket) = @_;
    for my $end (grep { defined } $socket, delete $self->{peer}{$socket}) {
        delete $self->{peer}{$end};
        $self->{select}->remove($end);
        delete $self->{is_server}{$end};
        delete $self->{sent}{$end};
        close $end;
    }
}

sub connect_through {
    my ($self, $client) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{target});
    if (!$server) {
        close $client;
        return;
    }
    $self->{peer}{$client} = $server;
    $self->{peer}{$server} = $client;
    $self->{is_server}{$server} = 1;
    $self->{select}->add($client, $server);
}

sub is_this_one {
    my ($self, $from, $count) = @_;
    return if $self->{is_server}{$from} || ($self->{last_cut} // -1) == $count
        || $self->{sent}{$from}++ < $count;
    $self->{last_cut} = $count;
    return 1;
}

sub pass_on {
    my ($self, $from) = @_;
    my $to = $self->{peer}{$from} or return;
    my ($mode, $chance) = $self->read_mode;
    return sleep 0.01 if $mode eq 'hole';
    sysread($from, my $octets, 65536) or return $self->cut($from);
    return $self->cut($from) if $mode eq 'once' && $self->is_this_one($from, $chance);
    if (!$self->{is_server}{$from} && $mode =~ /^(?:before|after)$/ && rand() < $chance) {
        return $self->cut($from) if $mode eq 'before';
        syswrite $to, $octets;
        # The server's answer says that it has done what it was asked.
        IO::Select->new($to)->can_read(5);
        return $self->cut($from);
    }
    for (my $sent = 0; $sent < length $octets;) {
        my $count = syswrite $to, $octets, length($octets) - $sent, $sent;
        return $self->cut($from) unless $count;
        $sent += $count;
    }
}

sub serve {
    my ($self, $listener) = @_;
    my $select = $self->{select} = IO::Select->new($listener);
    my @held;
    while (1) {
        for my $ready ($select->can_read(1)) {
            if ($ready != $listener) {
                $self->pass_on($ready);
            } elsif (($self->read_mode)[0] eq 'hole') {
                push @held, scalar $listener->accept;
            } else {
                $self->connect_through(scalar $listener->accept);
            }
        }
    }
}

1;
