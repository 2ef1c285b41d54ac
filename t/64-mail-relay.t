# 64-mail-relay.t - relays that are down, slow, choosy or wrong: what happens to mails and requests.
# SPDX-License-Identifier: Apache-2.0
# HS_LONG makes the outage two minutes with 5,000 tickets, and lets relays take minutes to answer.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use HS qw(command submission wait_until);
use HSLoad;
use HSMail qw(children mail_event sender_pid submit ticket_number wait_for_sender wait_for_state);
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep time);

my $is_long = $ENV{HS_LONG};

sub start {
    my ($relay, $lines, %option) = @_;
    return HS->start(location => "HelpSupportSubmitLimit off\n", server => $relay->lines(
        "HelpSupportMailLimit recipient off\nHelpSupportMailLimit site off\n" . ($lines // '')),
        %option);
}

# The row of `mail list` for a ticket, as a hash.
sub row {
    my ($hs, $state, $recipient) = @_;
    my ($line) = grep { / \Q$recipient\E / } split /\n/, ($hs->ctl('mail', 'list', '--state', $state))[1];
    my %row;
    @row{qw(id ticket state since created tries site recipient detail)} = split ' ', $line // '', 9;
    return \%row;
}

sub p99 {
    my @seconds = sort { $a <=> $b } map { $_->{seconds} } grep { $_->{status} == 201 } @_;
    return $seconds[int 0.99 * $#seconds];
}

sub load {
    my ($hs, $count) = @_;
    my $load = HSLoad->start($hs, clients => 4, keys => 0, count => $count / 4);
    return @{$load->wait};
}

# How many connections were sending at once, from this time on, by the second.
sub widths {
    my ($relay, $from) = @_;
    my (%open, @widths);
    for my $event (grep { $_->{time} >= $from } $relay->events) {
        $open{$event->{connection}} = 1 if ($event->{client} // '') =~ /^MAIL/;
        delete $open{$event->{connection}}
            if ($event->{server} // '') =~ /queued as/ || ($event->{event} // '') eq 'close';
        push @widths, scalar keys %open;
    }
    return @widths;
}

subtest 'an outage' => sub {
    my $relay = HSMail->start;
    my $hs = start($relay);
    my ($well, $count) = $is_long ? (2000, 5000) : (400, 400);
    my @well = load($hs, $well);
    is scalar(grep { $_->{status} != 201 } @well), 0, 'each ticket is accepted while mail goes out';
    $relay->wait_for_mails($well, 60);
    $relay->down;
    my $start = time;
    my @down = load($hs, $count);
    my $wait = ($is_long ? 120 : 3) - (time - $start);
    sleep $wait if $wait > 0;
    is scalar(grep { $_->{status} != 201 } @well, @down), 0, 'each ticket is accepted';
    my ($p99, $p99_down) = (p99(@well), p99(@down));
    note sprintf 'submission p99: %.1f ms with mail going out, %.1f ms with the relay down',
        1000 * $p99, 1000 * $p99_down;
    cmp_ok $p99_down, '<', 3 * $p99 + 0.05, 'no request waits for the relay';
    like $hs->log, qr/HS0053: the mail relay smtp:\S+ can't be used/, 'the log says that it is down';
    cmp_ok scalar(my @lines = $hs->log =~ /can't be used/g), '<=', $is_long ? 3 : 1, 'once a minute';
    $start = time;
    $relay->rules("dot * wait 5\n");
    $relay->up;
    $relay->wait_for_mails($well + $count, $is_long ? 60 : 20);
    my ($first) = grep { $_->{time} >= $start } $relay->mails;
    my $last = ($relay->mails)[-1]{time};
    note sprintf 'first mail %.1f s after its return, all %d after %.1f s', $first->{time} - $start,
        $count, $last - $start;
    my @widths = widths($relay, $start);
    is max(@widths[0 .. 8]), 1, 'at first one connection';
    is max(@widths), 4, 'later all';
    $hs->wait_for_log(qr/HS0054: the mail relay smtp:\S+ works again/);
    my %copies;
    $copies{ticket_number($_)}++ for $relay->mails;
    is scalar(keys %copies), $well + $count, 'each ticket has its mail';
    is max(values %copies), 1, 'once';
    is row($hs, 'sent', 'jane@example.com')->{tries}, 0, 'the outage cost no tries';
    is $hs->stop, 0;
};

subtest 'refusals' => sub {
    my $relay = HSMail->start;
    my $hs = start($relay);
    $relay->rules(<<'END');
rcpt @later reply 451 4.7.1 Greylisted
rcpt @never reply 550 5.1.1 No such user
dot @junk reply 554 5.7.1 Looks like spam
dot @stuffed reply 452 4.2.2 Mailbox full
dot @lost close
data @odd reply 250 2.0.0 What?
END
    my %ticket = map { $_ => submit($hs, email => "$_\@mail.example") } qw(later never junk stuffed odd);
    my %detail = (
        later => 'the relay asks to try later: 451 4.7.1 Greylisted',
        stuffed => 'the relay asks to try later: 452 4.2.2 Mailbox full',
        never => 'refused: 550 5.1.1 No such user',
        junk => 'refused: 554 5.7.1 Looks like spam',
    );
    wait_for_state($hs, $ticket{$_}, 'failed') for qw(never junk);
    for my $name (qw(later stuffed odd)) {
        wait_until("$name was tried", sub { mail_event($hs, $ticket{$name})->{detail} ne '' });
        is row($hs, 'queued', "$name\@mail.example")->{tries}, 1, "$name: that was a try";
    }
    is mail_event($hs, $ticket{$_})->{detail}, $detail{$_}, $_ for sort keys %detail;
    like $hs->log, qr/refuses mail \d+ by its policy.*554 5\.7\.1/, '5.7.x is an alarm';
    wait_for_state($hs, submit($hs, email => 'good@mail.example'), 'sent');

    my $lost = submit($hs, email => 'lost@mail.example');
    wait_until('its answer is lost', sub { mail_event($hs, $lost)->{detail} =~ /^maybe delivered/ });
    is mail_event($hs, $lost)->{state}, 'queued', 'a lost answer: it will be sent again';
    like $hs->log, qr/HS0053: mail \d+ was maybe delivered.*sent again in 1\d minutes/, 'much later';
    wait_for_state($hs, submit($hs, email => 'good2@mail.example'), 'sent', 10);
    is scalar(grep { $_->{to}[0] eq 'lost@mail.example' } $relay->mails), 1, 'not at once';
    unlike $hs->log, qr/mail\.example/, 'no address in the log';
    is $hs->stop, 0;
};

subtest 'a 421 while nothing is sent' => sub {
    my $relay = HSMail->start;
    my $hs = start($relay);
    $relay->rules("idle * wait 200; reply 421 4.4.2 Idle too long; close\n");
    for my $time (1 .. 3) {
        wait_for_state($hs, submit($hs, email => "idle$time\@mail.example"), 'sent');
        sleep 0.4;
    }
    is row($hs, 'sent', "idle$_\@mail.example")->{tries}, 0, 'costs no try' for 1 .. 3;
    is scalar(grep { ($_->{event} // '') eq 'open' } $relay->events), 3, 'but a new connection';
    unlike $hs->log, qr/HS0053/, 'and is no trouble';
    is $hs->stop, 0;
};

subtest 'a slow relay' => sub {
    my $relay = HSMail->start;
    my $hs = start($relay);
    # in the long form one answer comes after the time-out, when another mail may wait for its own
    my @seconds = $is_long ? (130, 605) : (3);
    $relay->rules(join '', map { "dot \@slow$_ wait ${_}000; reply "
        . ($_ > 600 ? "554 5.7.1 Too late\n" : "250 2.0.0 Ok: queued late\n") } @seconds);
    my %ticket = map { $_ => submit($hs, email => "slow$_\@mail.example") } @seconds;
    $relay->wait_for_mails(scalar @seconds);
    wait_for_state($hs, submit($hs, email => 'quick@mail.example'), 'sent', 5);
    my $late = pop @seconds if $is_long;
    for my $time (@seconds) {
        my $event = wait_for_state($hs, $ticket{$time}, 'sent', $time + 10);
        is $event->{detail}, '250 2.0.0 Ok: queued late', "an answer after $time s counts";
    }
    if ($late) {
        wait_until('its time is out', sub { mail_event($hs, $ticket{$late})->{detail} }, 640);
        my @next = map { submit($hs, email => "next$_\@mail.example") } 1 .. 8;
        wait_for_state($hs, $_, 'sent', 15) for @next;
        pass 'the late refusal is credited to no other mail';
    }
    my %copies;
    $copies{$_->{to}[0]}++ for $relay->mails;
    is max(values %copies), 1, 'each was sent once';
    is $hs->stop, 0;
};

subtest 'login' => sub {
    my $relay = HSMail->start('--auth', 'desk:s3cr3t-of-the-desk');
    my $hs = HS->prepare(location => "HelpSupportSubmitLimit off\n");
    my $file = "$hs->{root}/login";
    my $write = sub {
        my ($text, $mode) = @_;
        open my $out, '>', $file or die;
        print $out $text;
        close $out or die;
        chmod $mode, $file;
    };
    $hs->{server} = $relay->lines("HelpSupportMailLogin login\n");
    $hs->write_config;
    my ($status, $said) = $hs->configtest;
    isnt $status, 0, 'no file';
    like $said, qr/line \d+ of .*HelpSupportMailLogin: login can't/s, 'with file and line';
    for my $mode (0640, 0604, 0620, 0660, 0644) {
        $write->("desk:s3cr3t-of-the-desk\n", $mode);
        ($status, $said) = $hs->configtest;
        isnt $status, 0, sprintf 'mode %04o', $mode;
        like $said, qr/belongs to the user who starts httpd and has mode 0600/;
    }
    SKIP: {
        skip 'only root can give files away', 1 if $>;
        $write->("desk:s3cr3t-of-the-desk\n", 0600);
        chown 1, -1, $file;
        isnt(($hs->configtest)[0], 0, 'another owner');
        chown 0, -1, $file;
    }
    $write->("desk:wr0ng-of-the-desk\n", 0600);
    is(($hs->configtest)[0], 0, 'mode 0600');
    $hs->launch;
    my $ticket = submit($hs);
    wait_until('it is refused', sub { mail_event($hs, $ticket)->{detail} });
    like mail_event($hs, $ticket)->{detail}, qr/535/, 'a wrong password: mails wait';
    is row($hs, 'queued', 'jane@example.com')->{tries}, 0, 'and keep their tries';
    $write->("desk:s3cr3t-of-the-desk\n", 0600);
    $hs->restart('USR1');
    wait_for_state($hs, $ticket, 'sent');
    my ($authenticated) = grep { ($_->{server} // '') =~ /^235/ } $relay->events;
    ok $authenticated, 'the right one is taken at a graceful restart';

    my $sender = wait_for_sender($hs);
    my @others = grep { $_ != $sender } $hs->{pid}, children($hs->{pid});
    SKIP: {
        skip 'needs root', 3 if $>;
        my $finds = sub { return grep { has_text($_, 's3cr3t-of-' . 'the-desk') } @_ };
        is_deeply [$finds->($sender)], [$sender], 'the mail process knows the password';
        is_deeply [$finds->(@others)], [], 'no other process of httpd does';
        my ($status) = command('runuser', '-u', 'www-data', '--', 'head', '-c1', "/proc/$sender/environ");
        isnt $status, 0, 'and its memory is not theirs to read';
    }
    unlike $hs->log . $hs->output, qr/of-the-desk/, 'no password in the log';
    my ($status2, $out) = command('apache2', '-f', $hs->{config}, '-t', '-DDUMP_CONFIG');
    unlike $out, qr/of-the-desk/, 'nor in the dump of the configuration';
    $write->("no colon\n", 0600);
    $hs->restart('USR1');
    $hs->wait_for_log(qr/HS0051: HelpSupportMailLogin \S+ must hold one line user:password/);
    is submit($hs)->{status}, 'open', 'a file that is none stops mail only';
    is $hs->stop, 0;
};

# Whether a process has a text in memory that it can write.
sub has_text {
    my ($pid, $text) = @_;
    no warnings 'portable';    # of 64 bits
    open my $maps, '<', "/proc/$pid/maps" or return 0;
    open my $memory, '<:raw', "/proc/$pid/mem" or die "/proc/$pid/mem: $!\n";
    while (my $line = <$maps>) {
        my ($from, $to) = $line =~ /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
        my ($at, $length) = (hex $from, hex($to) - hex $from);
        # what was never touched, a thread's stack or arena, is no content
        next if $length > 64 << 20;
        sysseek $memory, $at, 0 or next;
        my $octets = '';
        sysread $memory, $octets, $length or next;
        return 1 if index($octets, $text) >= 0;
    }
    return 0;
}

subtest 'TLS' => sub {
    my $plain = HSMail->start;
    my $tls = HSMail->start('--make-cert');
    # no more a loopback address by its looks than a host name that leads there
    my $hs = start($plain, "HelpSupportMailServer smtp://127.1:$plain->{port}\n");
    my $ticket = submit($hs);
    wait_until('it was tried', sub { mail_event($hs, $ticket)->{detail} });
    like mail_event($hs, $ticket)->{detail}, qr/^the relay can't be used: .*(?:TLS|SSL)/i,
        'no STARTTLS off loopback: mails wait';
    ok !(grep { ($_->{client} // '') =~ /^MAIL/ } $plain->events), 'nothing went out in clear';
    $hs->{server} =~ s/127\.1:\d+/127.1:$tls->{port}/;
    $hs->write_config;
    $hs->restart('USR1');
    wait_until('STARTTLS was tried', sub { grep { ($_->{client} // '') eq 'STARTTLS' } $tls->events });
    wait_until('and failed', sub { mail_event($hs, $ticket)->{detail} =~ /certificate/i });
    ok !(grep { ($_->{client} // '') =~ /^MAIL/ } $tls->events),
        'a certificate that nobody vouches for: mails wait';
    $hs->{server} =~ s/127\.1:\d+/127.1:$plain->{port}?tls=none/;
    $hs->write_config;
    $hs->restart('USR1');
    wait_for_state($hs, $ticket, 'sent');
    pass '?tls=none is obeyed';
    is $hs->stop, 0;
};

subtest 'HelpSupportMailMaxAge' => sub {
    my $relay = HSMail->start;
    $relay->down;
    my $hs = start($relay, "HelpSupportMailMaxAge 30m\n");
    my @tickets = map { submit($hs) } 1 .. 2;
    wait_until('it was tried', sub { mail_event($hs, $tickets[0])->{detail} });
    is $hs->stop, 0;
    is $hs->sql('UPDATE mail SET state_us = state_us - 1801000000 WHERE ticket = 1'), '';
    $hs->launch;
    my $event = wait_for_state($hs, $tickets[0], 'failed');
    like $event->{detail}, qr{^given up after 30 minutes; last: the relay can't be used}, 'too old: failed';
    is mail_event($hs, $tickets[1])->{state}, 'queued', 'the younger one waits';
    is $hs->stop, 0;
};

done_testing;
