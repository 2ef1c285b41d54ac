# 66-mail-process.t - the mail process: whose it is, when it is there, how it ends; reloads.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use HS qw(command submission wait_until);
use HSLoad;
use HSMail qw(children is_running mail_event sender_pid submit text_of wait_for_sender
    wait_for_state);
use Test::More;
use Time::HiRes qw(sleep time);

my $relay = HSMail->start;
my $server = $relay->lines("HelpSupportMailLimit recipient off\nHelpSupportMailLimit site off\n");

sub start {
    my (%option) = @_;
    $relay->rules('');
    my $more = delete $option{more} // '';
    return HS->start(location => "HelpSupportSubmitLimit off\n", server => "$server$more", %option);
}

# The file /proc/PID/NAME.
sub proc {
    my ($pid, $name) = @_;
    return HS::slurp("/proc/$pid/$name");
}

# How many mails came for an address.
sub copies {
    my ($address) = @_;
    return scalar grep { $_->{to}[0] eq $address } $relay->mails;
}

# Each MPM: the process is one, httpd's child, without privileges; a graceful restart under load
# hands over to another.
for my $mpm (qw(event worker prefork)) {
    subtest $mpm => sub {
        my $first_mail = $relay->mail_count;
        my $hs = start(mpm => $mpm);
        my $pid = wait_for_sender($hs);
        is scalar(grep { $_ == $pid } children($hs->{pid})), 1, 'httpd\'s parent is its parent';
        my $user = $> == 0 ? getpwnam 'www-data' : $>;
        my ($ids) = proc($pid, 'status') =~ /^Uid:\s+(.*)$/m;
        is $ids, join("\t", ($user) x 4), 'it is the User';
        ($ids) = proc($pid, 'status') =~ /^Gid:\s+(.*)$/m;
        is $ids, join("\t", ($> == 0 ? (getpwnam 'www-data')[3] : $) + 0) x 4), 'and the Group'
            if $> == 0;
        wait_for_state($hs, submit($hs), 'sent');

        my $load = HSLoad->start($hs, clients => 2, keys => 0, retry_kept => 1, pause => 0.01);
        sleep 0.3;
        for (1 .. 2) {
            my $start = time;
            $hs->restart('USR1');
            note sprintf 'graceful restart: %.2f s', time - $start;
            my $new = wait_for_sender($hs, $pid);
            wait_until('the former is gone', sub { !is_running($pid) });
            $pid = $new;
        }
        my @acknowledged = grep { $_->{status} == 201 } @{$load->stop};
        cmp_ok scalar @acknowledged, '>', 5, 'tickets came in';
        my $count = @acknowledged + 1;
        wait_until('the mails went out', sub { $relay->mail_count >= $first_mail + $count }, 10);
        sleep 0.5;
        is $relay->mail_count - $first_mail, $count,
            'each of them has its mail, none has two';
        my $stop = time;
        is $hs->stop, 0, 'httpd ends cleanly';
        cmp_ok time - $stop, '<', 5, 'and soon' or note time - $stop;
        wait_until('the mail process is gone', sub { !is_running($pid) }, 3);
        unlike $hs->log, qr/exit signal|segfault|HS0042|helpsupport:(?:error|crit)/i, 'without trouble';
    };
}

subtest 'killed' => sub {
    my $hs = start();
    my $pid = wait_for_sender($hs);
    kill 'KILL', $pid;
    my $ticket = submit($hs);
    my $new = wait_for_sender($hs, $pid);
    wait_for_state($hs, $ticket, 'sent', 5);
    like $hs->log, qr/HS0042: the mail sender died/, 'started again, and the log says so';
    sleep 6.5;    # one that died within 5 s is started with a pause that grows: that is not meant here
    my $start = time;
    kill 'KILL', $new;
    $new = wait_for_sender($hs, $new);
    cmp_ok time - $start, '<', 5, 'again';

    # the parent: its children may live on for a while, the mail process must not
    my @rest = grep { $_ != $new } children($hs->{pid});
    kill 'KILL', $hs->{pid};
    $start = time;
    wait_until('the mail process is gone, too', sub { !is_running($new) });
    my $seconds = time - $start;
    cmp_ok $seconds, '<', 5, sprintf 'gone %.1f s after its parent', $seconds;
    kill 'KILL', @rest;
    wait_until('all are gone', sub { !grep { is_running($_) } @rest });
    $hs->stop;
    $hs->launch;
    wait_for_state($hs, submit($hs), 'sent');
    is $hs->stop, 0;
};

# HS_LONG waits for the pause to grow; httpd looks every ten seconds.
subtest 'no process to be had' => sub {
    plan skip_all => 'a sanitizer has a fork of its own' if $ENV{HS_PRELOAD};
    my $folder = tempdir(CLEANUP => 1);
    chmod 0755, $folder;
    my ($status, $out, $err) = command($ENV{CC} // 'cc', '-D_GNU_SOURCE', '-fPIC', '-shared', '-o',
        "$folder/no_fork.so", "$Bin/tools/no_fork.c");
    is $status, 0, 'no_fork.so is built' or diag $out . $err;
    local $ENV{HS_NO_FORK} = "$folder/exists";
    local $ENV{HS_PRELOAD} = "$folder/no_fork.so";
    open my $file, '>', $ENV{HS_NO_FORK} or die "$!\n";
    my $hs = start();
    my $ticket = submit($hs);
    like $hs->log, qr/HS0041: no process for the mail sender; .* in 1 s$/m, 'the log says so';
    $hs->wait_for_log(qr/HS0041: .* in 2 s$/m) if $ENV{HS_LONG};
    unlink $ENV{HS_NO_FORK};
    wait_for_state($hs, $ticket, 'sent');
    is scalar(my @lines = $hs->log =~ /HS0041/g), $ENV{HS_LONG} ? 2 : 1, 'then it works';
    is $hs->stop, 0;
};

subtest 'one for each node, also where two httpd share it' => sub {
    my $hs = start();
    my $pid = wait_for_sender($hs);
    $hs->token;    # for both
    my $second = bless {%$hs, port => HS::free_port(), config => undef}, 'HS';
    delete $second->{pid};
    $second->{server} .= "PidFile logs/second.pid\n";
    $second->write_config;
    $second->launch;
    sleep 1.2;
    is sender_pid($hs), $pid, 'the second one\'s waits for the lock';
    wait_for_state($hs, submit($second), 'sent');
    is $hs->stop, 0;
    isnt wait_for_sender($second, $pid), $pid, 'then it works';
    wait_for_state($second, submit($second), 'sent');
    is $second->stop, 0;
    $hs->{config} = $second->{config};
};

subtest 'a relay that hangs' => sub {
    my $hs = start();
    $relay->rules("dot * silent\n");
    my @tickets = map { submit($hs) } 1 .. 6;
    wait_until('it hangs', sub { grep { $_->{reply} eq '' } $relay->mails });
    my $pid = wait_for_sender($hs);
    my $start = time;
    $hs->restart('USR1');
    cmp_ok time - $start, '<', 5, 'a graceful restart is not delayed' or note time - $start;
    is submit($hs)->{status}, 'open', 'and requests are served';
    ok is_running($pid), 'the former process drains';
    $start = time;
    is $hs->stop, 0, 'a stop';
    my $seconds = time - $start;
    cmp_ok $seconds, '<', 5, sprintf 'takes %.1f s', $seconds;
    kill 'TERM', $pid;
    wait_until('nothing is left', sub { !HSMail::sender_pids($hs) && !is_running($pid) }, 4);

    $relay->rules("dot * wait 2500\n");
    $hs->launch;
    my $ticket = submit($hs, email => 'drained@mail.example');
    wait_until('it is being sent', sub { copies('drained@mail.example') });
    $hs->restart('USR1');
    wait_for_state($hs, $ticket, 'sent');
    is copies('drained@mail.example'), 1, 'a graceful restart lets what is being sent end';
    $ticket = submit($hs, email => 'drained2@mail.example');
    wait_until('it is being sent', sub { copies('drained2@mail.example') });
    kill 'WINCH', $hs->{pid};
    $pid = sender_pid($hs);
    wait_until('httpd is gone', sub { !is_running($hs->{pid}) });
    is $hs->stop, 0;
    wait_until('the mail process is gone', sub { !is_running($pid) }, 12);
    $relay->rules('');
    $hs->launch;
    is mail_event($hs, $ticket)->{state}, 'sent', 'a graceful stop, too';
    $hs->stop;
    unlike $hs->log, qr/exit signal|segfault/i, 'without a crash';
};

subtest 'templates' => sub {
    my $hs = HS->prepare(location => "HelpSupportSubmitLimit off\n");
    my $folder = "$hs->{root}/templates";
    mkdir $folder or die;
    for my $file (glob "$Bin/../templates/*") {
        copy($file, $folder) or die "$file: $!\n";
    }
    $hs->{server} = $server . qq(HelpSupportTemplates "$folder"\n);
    $hs->write_config;
    my $write = sub {
        my ($name, $text) = @_;
        open my $out, '>', "$folder/new" or die;
        print $out $text;
        close $out or die;
        rename "$folder/new", "$folder/$name" or die;
    };
    my $good = HS::slurp("$folder/confirmation.txt");
    $write->('confirmation.txt', "Hello\n\nYour {{nothing}} has come\n");
    my ($status, $said) = $hs->configtest;
    isnt $status, 0, 'an unknown variable stops configtest';
    like $said, qr{\Q$folder\E/confirmation\.txt:3:6: }, 'with file, line and column';
    $write->('confirmation.txt', $good);
    unlink "$folder/confirmation.fr.txt";
    ($status, $said) = $hs->configtest;
    isnt $status, 0, 'so does a language that is not whole';
    like $said, qr{\Q$folder\E/confirmation\.fr}, 'with the file';
    unlink glob "$folder/confirmation.fr.*";
    is(($hs->configtest)[0], 0, 'now it is right');

    $hs->launch;
    wait_for_state($hs, submit($hs), 'sent');
    $write->('confirmation.txt', "Changed #{{ticket.number}} for {{site.name}}\n");
    my $start = time;
    wait_until('a mail has the new text', sub {
        wait_for_state($hs, submit($hs), 'sent');
        text_of(($relay->mails)[-1]) =~ /^Changed #\d+/;
    });
    my $seconds = time - $start;
    cmp_ok $seconds, '<', 12, sprintf 'a changed template is taken after %.1f s', $seconds;

    my %wish = (headers => {'Accept-Language' => 'eo'});
    $write->("confirmation.eo.$_", HS::slurp("$folder/confirmation.$_")) for qw(html subject);
    $write->('confirmation.eo.txt', "Ricevita {{ticket.number}}\n");
    wait_until('a language that is new is chosen', sub {
        wait_for_state($hs, submit($hs, %wish), 'sent');
        text_of(($relay->mails)[-1]) =~ /^Ricevita \d+/;
    });
    pass 'a language that is new is chosen';
    my $pid = wait_for_sender($hs);
    kill 'STOP', $pid;
    my $ticket = submit($hs, %wish);
    unlink glob "$folder/confirmation.eo.*";
    sleep 5.1;    # so that it looks
    kill 'CONT', $pid;
    wait_for_state($hs, $ticket, 'sent');
    like text_of(($relay->mails)[-1]), qr/^Changed/, 'one that is gone gives way to the default';

    $write->('confirmation.txt', "Broken {{#name}}\n");
    wait_until('the log has the error', sub {
        wait_for_state($hs, submit($hs), 'sent');
        $hs->log =~ m{HS0052: the old templates of .* stay: \Q$folder\E/confirmation\.txt:1:8: };
    });
    wait_for_state($hs, submit($hs), 'sent');
    like text_of(($relay->mails)[-1]), qr/^Changed/, 'a bad one keeps the old';
    is scalar(my @lines = $hs->log =~ /HS0052/g), 1, 'and is told once';
    is $hs->stop, 0;
};

subtest 'memory' => sub {
    plan skip_all => 'a sanitizer keeps what is freed' if $ENV{HS_PRELOAD};
    my $hs = start();
    my $count = $ENV{HS_LONG} ? 20000 : 600;
    my $rss = sub { proc(wait_for_sender($hs), 'status') =~ /^VmRSS:\s+(\d+) kB/m ? $1 : die };
    my $before = $relay->mail_count;
    my $send = sub {
        my ($more) = @_;
        HSLoad->start($hs, clients => 4, count => $more / 4, keys => 0)->wait;
        $before += $more;
        wait_until('they went out', sub { $relay->mail_count >= $before }, 120);
        sleep 0.2;
    };
    $send->($count);
    my $first = $rss->();
    $send->(2 * $count);
    my $then = $rss->();
    note "resident after $count mails: $first kB, after " . 3 * $count . ": $then kB";
    # it ends at 14.5 MB, from 12.5 after the first mails; a mail that stays is 6 kB
    cmp_ok $then, '<', $first + 3000, 'the mail process does not grow';
    is $hs->stop, 0;
};

done_testing;
