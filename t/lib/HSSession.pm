package HSSession;    # a session with a server that stays open, for transactions of a test's own
# SPDX-License-Identifier: Apache-2.0
#
#   my $session = HSSession->start($server, $database);
#   $session->run('START TRANSACTION');
use strict;
use warnings;
use IPC::Open2 qw(open2);

my $OWNER = $$;

sub start {
    my ($class, $server, $database) = @_;
    my $pid = open2(my $out, my $in, $server->client($database));
    return bless {in => $in, out => $out, pid => $pid}, $class;
}

# Returns what the client prints, when the statement is done.
sub run {
    my ($self, $sql) = @_;
    my $lines = '';
    local $SIG{PIPE} = 'IGNORE';
    $self->{in}->print("$sql;\nSELECT 'done';\n");
    $self->{in}->flush;
    while (defined(my $line = readline $self->{out})) {
        return $lines if $line eq "done\n";
        $lines .= $line;
    }
    die "$sql: the session ended\n";
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    return if $$ != $OWNER;
    close $self->{in};
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
