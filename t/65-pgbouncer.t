# 65-pgbouncer.t - the API through pgbouncer in transaction mode, with HelpSupportDBPrepare off.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp ();
use HS qw(command free_port submission wait_until);
use HSLoad;
use HSServer;
use IO::Socket::INET;
use POSIX ();
use Test::More;

plan skip_all => 'no PostgreSQL server is installed' unless HSServer->is_installed('pgsql');
plan skip_all => 'no pgbouncer is installed' unless -x '/usr/sbin/pgbouncer';

my $server = HSServer->get('pgsql');
my $db = $server->database;
my $name = $server->{last};
my ($host) = $server->{params} =~ /host=(\S+)/;
my ($port) = $server->{params} =~ /port=(\d+)/;
my $own = free_port();
my $temp = File::Temp->newdir('hs-bouncer-XXXXXX', TMPDIR => 1);
chmod 0755, "$temp";
open my $out, '>', "$temp/pgbouncer.ini" or die "$!\n";
print $out <<"END";
[databases]
* = host=$host port=$port user=helpsupport
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $own
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
END
close $out;
my $pid = fork // die "fork: $!\n";
if (!$pid) {
    open STDOUT, '>', "$temp/log";
    open STDERR, '>&', \*STDOUT;
    exec '/usr/sbin/pgbouncer', ($> == 0 ? ('-u', 'nobody') : ()), "$temp/pgbouncer.ini"
        or POSIX::_exit(127);
}
END {
    if ($pid) {
        my $status = $?;
        kill 'TERM', $pid;
        waitpid $pid, 0;
        $? = $status;
    }
}
wait_until('pgbouncer answers', sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $own) });

my $hs = HS->prepare(db => $db, location => "HelpSupportSubmitLimit off\n", server => "HelpSupportDBPrepare off\n");
my ($status, undef, $err) = $hs->ctl('db', 'init');
is $status, 0, 'the tables are made' or diag $err;
my $token = $hs->token;
@$hs{qw(server_db database)} = ($server, $name);
$hs->{db} = "pgsql host=127.0.0.1 port=$own user=helpsupport dbname=$name";
$hs->write_config;
$hs->launch;

my $first = $hs->post('/help-support/u', submission(), headers => {'Idempotency-Key' => 'k'});
is $first->{status}, 201, 'a submission';
my $again = $hs->post('/help-support/u', submission(), headers => {'Idempotency-Key' => 'k'});
is $again->{json}{id}, $first->{json}{id}, 'and its replay';
my $id = $first->{json}{id};
is $hs->get("/help-support/$id")->{status}, 200, 'a ticket';
is $hs->patch("/help-support/$id/status?status=closed")->{json}{status}, 'closed', 'a change';
is scalar @{$hs->get("/help-support/$id/history")->{json}}, 3, 'its history';
is scalar @{$hs->get('/help-support?q=trouble&status=closed&count=true')->{json}}, 1, 'a search';
my $load = HSLoad->start($hs, clients => 6, changes => 0.3);
wait_until('there are answers', sub { $load->answered > 500 });
my $ledger = $load->stop;
is_deeply [grep { $_->{status} !~ /^20[01]$/ } @$ledger], [], 'no request of ' . @$ledger . ' failed';
is_deeply HSLoad::missing($hs, $ledger), [], 'nothing is missing';
unlike $hs->log, qr/already exists|does not exist|unsupported startup/, 'no statement was lost';
is $hs->stop, 0, 'a clean end';

done_testing;
