package HSMail;    # a mail relay for tests (t/lib/scripted-smtp.py), and an httpd's mail process
# SPDX-License-Identifier: Apache-2.0
#
#   my $relay = HSMail->start;
#   my $hs = HS->start(server => $relay->lines, ...);
#   $relay->rules("rcpt @nobody reply 550 5.1.1 No such user\n");
#   my @mails = $relay->wait_for_mails(3);
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Copy qw(copy);
use File::Temp ();
use HS qw(command free_port submission wait_until);
use Encode qw(decode);
use IPC::Open2 qw(open2);
use JSON::PP ();
use MIME::QuotedPrint qw(decode_qp);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(children is_running mail_event mail_state read_mail sender_pid submit
    text_of ticket_number wait_for_sender wait_for_state);

my $LIB = abs_path(__FILE__) =~ s{/HSMail\.pm$}{}r;
my $ROOT = abs_path("$LIB/../..");
my $JSON = JSON::PP->new->utf8;

# A copy of ours, for the mail process reads them as httpd's User, who may not enter a checkout in
# root's home.
my $TEMPLATES = File::Temp->newdir('helpsupport-templates-XXXXXX', TMPDIR => 1);
chmod 0755, "$TEMPLATES";
copy($_, "$TEMPLATES/") or die "$_: $!\n" for glob "$ROOT/templates/*";
chmod 0644, glob "$TEMPLATES/*";

# ---- the relay ----

# Options: those of scripted-smtp.py, in a list.
sub start {
    my ($class, @options) = @_;
    my $self = bless {
        folder => File::Temp->newdir('helpsupport-relay-XXXXXX', TMPDIR => 1),
        options => \@options,
        port => free_port(),
    }, $class;
    chmod 0755, $self->{folder};    # its cert.pem is for the mail process, too
    $self->up;
    return $self;
}

# It listens again, on the same port as before.
sub up {
    my ($self) = @_;
    $self->{pid} = open2(my $out, $self->{in}, 'python3', "$LIB/scripted-smtp.py",
        @{$self->{options}}, '--port', $self->{port}, $self->{folder});
    my $line = readline $out;
    die "no relay\n" unless ($line // '') =~ /^ready/;
}

# It is gone at once: connections to its port are refused, those that were open broken off.
sub down {
    my ($self) = @_;
    kill 'KILL', $self->{pid} or return;
    waitpid delete $self->{pid}, 0;
    close delete $self->{in};
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    $self->down if $self->{pid};
}

# Where to misbehave from now on; '' for nowhere.
sub rules {
    my ($self, $rules) = @_;
    my $path = "$self->{folder}/rules";
    open my $out, '>', "$path.new" or die "$path: $!\n";
    print $out $rules;
    close $out or die "$path: $!\n";
    rename "$path.new", $path or die "$path: $!\n";
}

# All records of a file; only what is new is read.
sub records {
    my ($self, $name) = @_;
    my $known = $self->{$name} //= {records => [], at => 0};
    open my $in, '<', "$self->{folder}/$name" or return;
    seek $in, $known->{at}, 0;
    while (my $line = <$in>) {
        last if $line !~ /\n\z/;
        $known->{at} += length $line;
        push @{$known->{records}}, $JSON->decode($line);
    }
    return @{$known->{records}};
}

# How many mails there are: much faster than to read them.
sub mail_count {
    my ($self) = @_;
    my $known = $self->{counted} //= {lines => 0, at => 0};
    open my $in, '<', "$self->{folder}/mails.jsonl" or return 0;
    sysseek $in, $known->{at}, 0;
    while (my $read = sysread $in, my $octets, 1 << 20) {
        $known->{at} += $read;
        $known->{lines} += $octets =~ tr/\n//;
    }
    return $known->{lines};
}

# The mails whose final dot came, in order, and what happened on the connections.
sub mails { return $_[0]->records('mails.jsonl') }
sub events { return $_[0]->records('events.jsonl') }

# How many mails it took: those that it answered with 250.
sub taken {
    my ($self) = @_;
    return grep { $_->{reply} =~ /^250/ } $self->mails;
}

sub wait_for_mails {
    my ($self, $count, $seconds) = @_;
    eval { wait_until("the relay has $count mails", sub { $self->mail_count >= $count }, $seconds) }
        or die $@ =~ s/\n$/: it has @{[$self->mail_count]}\n/r;
    return $self->mails;
}

sub url { return "smtp://127.0.0.1:$_[0]{port}" }

# The directives that send mail to it.
sub lines {
    my ($self, $more) = @_;
    return 'HelpSupportMailServer ' . $self->url . "\n"
        . qq(HelpSupportMailFrom "Desk <desk\@example.com>"\n)
        . qq(HelpSupportTemplates "$TEMPLATES"\n) . ($more // '');
}

# ---- tickets and what became of their mails ----

# Submit a ticket, with whatever is given changed; returns it.
sub submit {
    my ($hs, %part) = @_;
    my $headers = delete $part{headers} // {};
    my $path = delete $part{path} // '/help-support/u';
    my $answer = $hs->post($path, submission(%part), headers => $headers);
    die "submission: $answer->{status} $answer->{body}\n" if $answer->{status} != 201;
    return $answer->{json};
}

# The history's entry of a ticket's mail.
sub mail_event {
    my ($hs, $ticket, $path) = @_;
    my $answer = $hs->get(($path // '/help-support') . "/$ticket->{id}/history");
    my @mails = grep { $_->{event} eq 'mail' } @{$answer->{json}};
    die "not one mail: $answer->{body}\n" if @mails != 1;
    return $mails[0];
}

sub mail_state { return mail_event(@_)->{state} }

# Wait until the mail of a ticket is in a state; returns the history's entry.
sub wait_for_state {
    my ($hs, $ticket, $state, $seconds) = @_;
    my $event;
    wait_until("the mail is $state", sub {
        $event = mail_event($hs, $ticket);
        $event->{state} eq $state;
    }, $seconds);
    return $event;
}

# A mail's octets as Python's strict parser reads them.
sub read_mail {
    my ($mail) = @_;
    my $file = File::Temp->new(TEMPLATE => 'helpsupport-mail-XXXXXX', TMPDIR => 1);
    binmode $file;
    print $file $mail->{data};
    close $file;
    my ($status, $out, $err) = command('sh', '-c', 'exec python3 "$1" <"$2"', 'sh',
        "$LIB/read-mail.py", "$file");
    die "read-mail.py: $err" if $status;
    return $JSON->decode($out);
}

# A mail's text part, without asking Python: much faster.
sub text_of {
    my ($mail) = @_;
    my ($part) = $mail->{data} =~ m{^Content-Type: text/plain;.*?\r\n\r\n(.*?)\r\n--=_}ms;
    return decode('UTF-8', decode_qp($part // die "no text part\n"));
}

# The mail's number of the ticket, from its Message-ID.
sub ticket_number {
    my ($mail) = @_;
    return $mail->{data} =~ /^Message-ID: <hs\.(\d+)\./m ? $1 : die "no Message-ID\n";
}

# ---- processes ----

sub is_running {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/stat" or return 0;
    return 1 if (<$in> // '') =~ /\) [^Z] /;
    # a zombie isn't, unless it is the first of several threads and the others still live
    return scalar(() = glob "/proc/$pid/task/*") > 1 ? 1 : 0;
}

# The processes whose parent this is.
sub children {
    my ($parent) = @_;
    my @pids;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        push @pids, $1 if (<$in> // '') =~ /^(\d+) \(.*\) \S (\d+) /s && $2 == $parent;
    }
    return @pids;
}

# Who holds the locks of the mail process: one for each database.
sub sender_pids {
    my ($hs) = @_;
    my %is_lock = map { (stat $_)[1] => 1 } glob "$hs->{root}/logs/helpsupport-*.lock";
    open my $in, '<', '/proc/locks' or die "/proc/locks: $!\n";
    my %pids;
    while (my $line = <$in>) {
        my ($pid, $inode) = $line =~ /^\d+: FLOCK .* (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) / or next;
        $pids{$pid} = 1 if $is_lock{$inode};
    }
    return keys %pids;
}

# The mail process; dies where there is more than one, undef where there is none.
sub sender_pid {
    my ($hs) = @_;
    my @pids = sender_pids($hs);
    die "mail processes: @pids\n" if @pids > 1;
    return $pids[0];
}

# Wait until one works that isn't this one.
sub wait_for_sender {
    my ($hs, $not) = @_;
    my $pid;
    wait_until('a mail process works', sub {
        $pid = sender_pid($hs);
        $pid && $pid != ($not // 0);
    });
    return $pid;
}

1;
