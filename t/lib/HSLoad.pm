package HSLoad;    # processes that submit tickets and change their status, and what they were told
# SPDX-License-Identifier: Apache-2.0
#
#   my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
#   ... kill, lock, restart ...
#   my $ledger = $load->stop;
#   is_deeply HSLoad::missing($hs, $ledger), [];
#
# Each client sends on a kept connection. What was sent with an Idempotency-Key is sent again until
# it has an answer, as a careful client does; everything else is sent once.
use strict;
use warnings;
use HS qw(parse_answer submission wait_until);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

my $JSON = JSON::PP->new->canonical->utf8;
my @STATUSES = qw(open pending resolved closed);
my $PATIENCE = 60;

# Options, all optional:
#   clients  processes (4)
#   changes  share of requests that change the status of a ticket of the client's own (0)
#   reads    share of requests that read such a ticket (0)
#   keys     share of submissions with an Idempotency-Key (0.5)
#   padding  octets added to each message (0)
#   message  what each message says after its mark
#   count    each client ends by itself after that many requests
#   fresh    true: a new connection for each request
#   pause    seconds between two requests of a client (0)
#   retry_kept  true: a kept connection that httpd closes before it answers is not a failure
sub start {
    my ($class, $hs, %option) = @_;
    my $self = bless {hs => $hs, %option}, $class;
    $self->{folder} = File::Temp->newdir('helpsupport-load-XXXXXX', TMPDIR => 1);
    $self->{token} = $hs->token if $self->{changes} || $self->{reads};
    for my $client (1 .. $self->{clients} // 4) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            $self->{pids} = [];
            eval { $self->run_client($client); 1 } or print STDERR "client $client: $@";
            POSIX::_exit($@ ? 1 : 0);    # without END: httpd is the parent's to end
        }
        push @{$self->{pids}}, $pid;
    }
    return $self;
}

# End the clients, each after the request it is at, and return what all have noted: a list of
#   {what => submit, id, body, key, status, json, seconds, retry_after, tries}
#   {what => change, ticket, to, status, seconds, retry_after}
#   {what => read, ticket, status, seconds, retry_after}
# where status 0 is no answer, `tries` counts how often it was sent, and `answers` holds how often it
# got which: "201", "503 problem later" (problem+json with Retry-After), "0".
sub stop {
    my ($self) = @_;
    kill 'USR1', @{$self->{pids}};
    return $self->wait;
}

# The same for clients that have a count.
sub wait {
    my ($self) = @_;
    my @ledger;
    for my $pid (@{delete $self->{pids}}) {
        waitpid $pid, 0;
        die "a client failed\n" if $?;
    }
    for my $path (glob "$self->{folder}/*") {
        open my $in, '<', $path or die "$path: $!\n";
        push @ledger, map { $JSON->decode($_) } <$in>;
    }
    return \@ledger;
}

# A test that dies leaves none of them behind.
sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    my @pids = @{$self->{pids} // []};
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
}

# How many answers the clients have had so far, of this status if one is given.
sub answered {
    my ($self, $status) = @_;
    my $count = 0;
    for my $path (glob "$self->{folder}/*") {
        open my $in, '<', $path or next;
        while (my $line = <$in>) {
            $count++ if $line =~ /"status":(\d+)/ && $1 && (!$status || $1 == $status);
        }
    }
    return $count;
}

sub run_client {
    my ($self, $client) = @_;
    my $is_over = 0;
    local $SIG{USR1} = sub { $is_over = 1 };
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{TERM} = local $SIG{INT} = 'DEFAULT';
    srand(($ENV{HS_SEED} // time) + $client);
    open my $out, '>', "$self->{folder}/$client" or die "ledger: $!\n";
    $out->autoflush(1);
    my ($serial, @own) = (0);
    until ($is_over || ($self->{count} && $serial >= $self->{count})) {
        $serial++;
        my $entry = $self->one_request("$$-$client-$serial", \@own, \$is_over);
        print $out $JSON->encode($entry) . "\n";
        sleep 0.05 if is_failure($entry->{status});
        sleep $self->{pause} if $self->{pause};
    }
    close $out or die "ledger: $!\n";
}

# Nothing is known to be done: no answer, or one that says so, perhaps a proxy's.
sub is_failure { return $_[0] =~ /^(?:0|502|503|504)$/ }

sub one_request {
    my ($self, $mark, $own, $is_over) = @_;
    my $chance = @$own ? rand() : 1;
    my $changes = $self->{changes} // 0;
    return $self->change($own->[rand @$own]) if $chance < $changes;
    return $self->look($own->[rand @$own]) if $chance < $changes + ($self->{reads} // 0);
    my $entry = $self->submit($mark, $is_over);
    push @$own, $entry->{json}{id} if $entry->{status} == 201;
    return $entry;
}

sub submit {
    my ($self, $mark, $is_over) = @_;
    my $padding = $self->{padding} ? ' ' . 'x' x $self->{padding} : '';
    $padding .= $self->{message} // '';
    my %entry = (what => 'submit', mark => $mark, body => submission(message => "<$mark>$padding"));
    my $headers = "Content-Type: application/json\r\n";
    if (rand() < ($self->{keys} // 0.5)) {
        $entry{key} = "key-$mark";
        $headers .= "Idempotency-Key: $entry{key}\r\n";
    }
    my $body = $JSON->encode($entry{body});
    my $start = time;
    for (;;) {
        $entry{tries}++;
        $self->exchange(\%entry, 'POST', "/help-support/user-$mark", $headers, $body);
        last if !$entry{key} || !is_failure($entry{status});
        last if time - $start > $PATIENCE || ($$is_over && time - $start > 10);
        sleep 0.05;
    }
    return \%entry;
}

sub change {
    my ($self, $ticket) = @_;
    my %entry = (what => 'change', ticket => $ticket, to => $STATUSES[rand @STATUSES]);
    $self->exchange(\%entry, 'PATCH', "/help-support/$ticket/status?status=$entry{to}",
        "Authorization: Bearer $self->{token}\r\n", '');
    return \%entry;
}

sub look {
    my ($self, $ticket) = @_;
    my %entry = (what => 'read', ticket => $ticket);
    $self->exchange(\%entry, 'GET', "/help-support/$ticket",
        "Authorization: Bearer $self->{token}\r\n", '');
    return \%entry;
}

# One request and its answer, noted in the entry. A kept connection that httpd had closed before an
# octet came back is what HTTP allows at any time (RFC 9112, 9.5): with retry_kept a new one is
# tried, and only so does a request without a key go out twice.
sub exchange {
    my ($self, $entry, $method, $path, $headers, $body) = @_;
    my $start = time;
    my $was_kept = $self->{socket} ? 1 : 0;
    my $octets = "$method $path HTTP/1.1\r\nHost: 127.0.0.1\r\n$headers"
        . 'Content-Length: ' . length($body) . "\r\n"
        . ($self->{fresh} ? "Connection: close\r\n" : '') . "\r\n$body";
    my $answer = $self->send_and_read($octets);
    if (!length $answer && $was_kept && $self->{retry_kept}) {
        $entry->{reconnects}++;
        $answer = $self->send_and_read($octets);
    }
    my $parsed = length $answer ? parse_answer($answer) : {status => 0, headers => {}};
    $parsed->{status} = 0 if length $answer && !is_whole($answer);
    $entry->{status} = $parsed->{status} + 0;
    $entry->{json} = $parsed->{json};
    $entry->{replayed} = 1 if $parsed->{headers}{'idempotency-replayed'};
    $entry->{retry_after} = $parsed->{headers}{'retry-after'};
    $entry->{seconds} = time - $start;
    $entry->{answers}{join ' ', $entry->{status} || 0,
        ($parsed->{headers}{'content-type'} // '') eq 'application/problem+json' ? 'problem' : (),
        defined $entry->{retry_after} ? 'later' : ()}++;
    $entry->{cut} = length $answer if !$parsed->{status} && length $answer;
}

sub is_whole {
    my ($answer) = @_;
    my $end = index $answer, "\r\n\r\n";
    return 0 if $end < 0;
    my ($length) = substr($answer, 0, $end) =~ /^Content-Length: (\d+)\r?$/mi;
    return defined $length && length($answer) >= $end + 4 + $length;
}

sub send_and_read {
    my ($self, $octets) = @_;
    my $socket = $self->{socket} //= IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{hs}{port}, Timeout => 5) or return '';
    my $answer = '';
    my $end = time + $PATIENCE;
    if (defined $socket->syswrite($octets)) {
        my $select = IO::Select->new($socket);
        until (is_whole($answer)) {
            my $left = $end - time;
            last if $left <= 0 || (!$select->can_read($left) && !$!{EINTR});
            my $read = $socket->sysread($answer, 65536, length $answer);
            next if !defined $read && $!{EINTR};
            last unless $read;
        }
    }
    delete $self->{socket}
        if $self->{fresh} || !is_whole($answer) || $answer =~ /^Connection: close\r$/mi;
    return $answer;
}

# ---- what must be true afterwards ----

# All tickets as the API lists them, by id. Who asks may come while the database does, too: a 503 is
# asked again, for ten seconds.
sub all_tickets {
    my ($hs) = @_;
    my %tickets;
    my $path = '/help-support?limit=1000';
    while ($path) {
        my $answer;
        wait_until('a list is no 503', sub { ($answer = $hs->get($path))->{status} != 503 }, 10);
        die "list: $answer->{status}\n" if $answer->{status} != 200;
        $tickets{$_->{id}} = $_ for @{$answer->{json}};
        ($path) = ($answer->{headers}{link} // '') =~ /<([^>]+)>; rel="next"/;
    }
    return \%tickets;
}

# What was acknowledged and is not there as it was: a list of sentences.
sub missing {
    my ($hs, $ledger) = @_;
    my $tickets = all_tickets($hs);
    my (@faults, %by_mark, %seen);
    for my $ticket (values %$tickets) {
        my ($mark) = $ticket->{message} =~ /^<([^>]+)>/;
        push @{$by_mark{$mark}}, $ticket if defined $mark;
    }
    for my $entry (grep { $_->{what} eq 'submit' } @$ledger) {
        my @found = @{$by_mark{$entry->{mark}} // []};
        push @faults, "$entry->{mark}: " . @found . ' tickets'
            if @found > 1 && ($entry->{key} || $entry->{tries} == 1 && !$entry->{reconnects});
        next if $entry->{status} != 201;
        my $ticket = $tickets->{$entry->{json}{id}};
        push @faults, "$entry->{mark}: acknowledged as $entry->{json}{id}, but not there"
            unless $ticket;
        push @faults, "$entry->{mark}: id $entry->{json}{id} was given twice"
            if $seen{$entry->{json}{id}}++;
        next unless $ticket;
        for my $member (qw(name phone_number email message)) {
            push @faults, "$entry->{mark}: another $member"
                if $ticket->{$member} ne $entry->{body}{$member};
        }
        push @faults, "$entry->{mark}: another created_at"
            if $ticket->{created_at} ne $entry->{json}{created_at};
    }
    push @faults, lost_changes($hs, $ledger, $tickets);
    return \@faults;
}

# Acknowledged changes must be in the history in their order, and nothing else but what was tried
# may be there; the ticket's status is the last one's.
sub lost_changes {
    my ($hs, $ledger, $tickets) = @_;
    my (%tried, @faults);
    push @{$tried{$_->{ticket}}}, $_ for grep { $_->{what} eq 'change' } @$ledger;
    for my $id (sort keys %tried) {
        next unless $tickets->{$id};
        my $history = $hs->get("/help-support/$id/history")->{json};
        my @events = grep { $_->{event} eq 'status' } @$history;
        my $now = 'open';
        for my $event (@events) {
            push @faults, "$id: history goes from $event->{from} where it was at $now"
                if $event->{from} ne $now;
            $now = $event->{to};
        }
        push @faults, "$id: status $tickets->{$id}{status}, its history ends with $now"
            if $tickets->{$id}{status} ne $now;
        push @faults, "$id: " . join(' ', map { "$_->{to}($_->{status})" } @{$tried{$id}})
            . ' is not the history ' . join(' ', map { $_->{to} } @events)
            unless explains($tried{$id}, [map { $_->{to} } @events]);
    }
    return @faults;
}

# Whether the tried changes, all acknowledged ones and any of the others, give these events.
sub explains {
    my ($tried, $events) = @_;
    my %reached = ("0 open" => 1);    # events used up, and the status then
    for my $change (@$tried) {
        my %next;
        for my $state (keys %reached) {
            my ($used, $status) = split / /, $state;
            $next{$state} = 1 if $change->{status} != 200;
            if ($status eq $change->{to}) {
                $next{$state} = 1;
            } elsif ($used < @$events && $events->[$used] eq $change->{to}) {
                $next{($used + 1) . " $change->{to}"} = 1;
            }
        }
        %reached = %next;
    }
    return grep { /^(\d+) / && $1 == @$events } keys %reached;
}

# What the database itself says: a list of sentences. `$where`: an
# HS, or an SQLite file.
sub damage {
    my ($where) = @_;
    my @faults;
    my $ask = ref $where ? sub { $where->sql($_[0]) }
        : sub { join '', (HS::command('sqlite3', $where, '.timeout 10000', $_[0]))[1, 2] };
    my %queries = (
        !ref $where || $where->driver eq 'sqlite3' ? ('the file is damaged' =>
                q{SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'}) : (),
        'the words of some tickets are lost, or in two places' => 'SELECT f.n, t.n FROM
            (SELECT (SELECT count(*) FROM search_waiting)
                + (SELECT coalesce(sum(tickets), 0) FROM search_segment) AS n) AS f,
            (SELECT count(*) AS n FROM ticket) AS t WHERE f.n <> t.n',
        'a page of the index has no segment' => 'SELECT segment FROM search_page
            WHERE segment NOT IN (SELECT id FROM search_segment)',
        'a ticket has no mail' => 'SELECT number FROM ticket WHERE number NOT IN
            (SELECT ticket FROM mail)',
        'a mail has no ticket' => 'SELECT id FROM mail WHERE ticket NOT IN
            (SELECT number FROM ticket)',
        'an Idempotency-Key has no ticket' => 'SELECT key_text FROM idempotency_key
            WHERE ticket_id NOT IN (SELECT id FROM ticket)',
        'a change has no history or a history no change' => 'SELECT number FROM ticket
            WHERE version <> 1 + (SELECT count(*) FROM ticket_event WHERE ticket = number)',
    );
    for my $what (sort keys %queries) {
        my $found = $ask->("$queries{$what} LIMIT 5");
        push @faults, "$what: " . join ' ', split /\n/, $found if $found ne '';
    }
    return \@faults;
}

1;
