# 43-directories.t - the README's recipes for users who are kept elsewhere: LDAP, OIDC tokens.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Digest::SHA qw(hmac_sha256);
use File::Temp ();
use HS qw(command submission wait_until);
use IO::Socket::INET;
use JSON::PP qw(encode_json);
use MIME::Base64 qw(encode_base64 encode_base64url);
use POSIX ();
use Test::More;

my ($slapd) = grep { -x } '/usr/sbin/slapd', '/usr/libexec/slapd';
my $modules = HS::modules_folder();
my $pid;    # of slapd

END {
    my $status = $?;
    if ($pid) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
    $? = $status;
}

# One request of each kind, as "submit options read write none".
sub row {
    my ($hs, $authorization) = @_;
    my @statuses;
    for my $request ([POST => '/u1', json => submission()], [OPTIONS => '/u1'], [GET => '/1'],
        [PATCH => '/1/status?status=pending'], [DELETE => '/1']) {
        my ($method, $path, @more) = @$request;
        my $answer = $hs->request($method, "/help-support$path", @more,
            headers => {defined $authorization ? (Authorization => $authorization) : ()});
        push @statuses, $answer->{status};
        next if $answer->{status} < 400;
        is $answer->{headers}{'content-type'}, 'application/problem+json', 'an error in our form';
        isnt $answer->{headers}{'www-authenticate'}, undef, 'with a challenge'
            if $answer->{status} == 401;
    }
    return "@statuses";
}

# ---- LDAP ----

# A directory with three people and two groups, on a port of its own. Returns its URL.
sub start_slapd {
    my ($folder, %password) = @_;
    my $port = HS::free_port();
    my ($schemas) = grep { -d } '/etc/ldap/schema', '/etc/openldap/schema';
    my $module_path = (grep { -d } '/usr/lib/ldap', '/usr/lib64/openldap')[0] // '';
    mkdir "$folder/db" or die "$folder/db: $!\n";
    put_file("$folder/slapd.conf", <<"END");
include $schemas/core.schema
include $schemas/cosine.schema
include $schemas/inetorgperson.schema
pidfile $folder/slapd.pid
modulepath $module_path
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
directory $folder/db
END
    my $people = join '', map { <<"END" } sort keys %password;
dn: uid=$_,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: $_
cn: $_
sn: $_
userPassword: $password{$_}

END
    put_file("$folder/all.ldif", <<"END");
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

${people}dn: cn=support,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: support
member: uid=alice,ou=people,dc=example,dc=org

dn: cn=interns,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: interns
member: uid=ina,ou=people,dc=example,dc=org
END
    my ($status, $out, $err) = command($slapd, '-Ta', '-f', "$folder/slapd.conf", '-l',
        "$folder/all.ldif");
    die "slapadd: $out$err" if $status;
    $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDERR, '>', "$folder/slapd.log";
        exec $slapd, '-d', '0', '-f', "$folder/slapd.conf", '-h', "ldap://127.0.0.1:$port/"
            or POSIX::_exit(127);
    }
    wait_until('slapd answers', sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    });
    return "ldap://127.0.0.1:$port";
}

sub put_file {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out or die "$path: $!\n";
}

subtest 'LDAP' => sub {
    plan skip_all => 'no slapd, or no mod_authnz_ldap'
        unless $slapd && -e "$modules/mod_authnz_ldap.so";
    my %password = (alice => 'a-secret', ina => 'i-secret', noel => 'n-secret');
    my $folder = File::Temp->newdir('helpsupport-XXXXXX', TMPDIR => 1);
    my $url = start_slapd("$folder", %password);
    my $hs = HS->start(modules => [qw(auth_basic authz_user ldap authnz_ldap)], access => <<"END");
    AuthType Basic
    AuthBasicProvider ldap
    AuthName "Help & Support"
    AuthLDAPURL "$url/ou=people,dc=example,dc=org?uid"
    AuthzSendForbiddenOnFailure On
    Require help-support submit
    Require ldap-group cn=support,ou=groups,dc=example,dc=org
    <RequireAll>
        Require help-support read
        Require ldap-group cn=interns,ou=groups,dc=example,dc=org
    </RequireAll>
END
    my %basic = map { $_ => 'Basic ' . encode_base64("$_:$password{$_}", '') } keys %password;
    is row($hs), '201 204 401 401 405', 'nobody';
    is row($hs, 'Basic ' . encode_base64('alice:wrong', '')), '201 204 401 401 405', 'wrong';
    is row($hs, 'Basic ' . encode_base64('alice:', '')), '201 204 401 401 405', 'no password';
    is row($hs, 'Bearer ' . $hs->token), '201 204 401 401 405', 'a token is nothing here';
    is row($hs, $basic{alice}), '201 204 200 200 405', 'support';
    is row($hs, $basic{ina}), '201 204 200 403 405', 'an intern';
    is row($hs, $basic{noel}), '201 204 403 403 405', 'in no group';
    kill 'TERM', $pid;
    waitpid $pid, 0;
    undef $pid;
    is row($hs), '201 204 401 401 405', 'without slapd submissions go on';
    my $answer = $hs->request(GET => '/help-support/1', headers => {Authorization =>
        'Basic ' . encode_base64('mallory:x', '')});
    cmp_ok $answer->{status}, '>=', 400, 'and nobody gets in';
    is $hs->stop, 0;
};

# ---- OIDC access tokens ----

my $key = 'k' x 40;

# An access token as an identity provider would sign it.
sub access_token {
    my ($signing_key, %claims) = @_;
    my $content = join '.', map { encode_base64url(encode_json($_)) }
        {alg => 'HS256', typ => 'JWT'}, {iat => time, exp => time + 300, %claims};
    return 'Bearer ' . $content . '.' . encode_base64url(hmac_sha256($content, $signing_key));
}

subtest 'OIDC' => sub {
    plan skip_all => 'no mod_auth_openidc' unless -e "$modules/mod_auth_openidc.so";
    my $hs = HS->start(modules => [qw(authz_user auth_openidc)], server => <<"END",
OIDCCryptoPassphrase not-secret-here
OIDCOAuthVerifySharedKeys plain##$key
OIDCOAuthRemoteUserClaim sub
END
        access => <<'END');
    AuthType oauth20
    AuthName "Help & Support"
    OIDCUnAuthAction 401
    AuthzSendForbiddenOnFailure On
    Require help-support submit
    Require claim groups:support
END
    my %agent = (sub => 'alice', groups => ['support']);
    is row($hs), '201 204 401 401 405', 'nobody';
    is row($hs, access_token('x' x 40, %agent)), '201 204 401 401 405', 'another signature';
    is row($hs, access_token($key, %agent, exp => time - 60)), '201 204 401 401 405', 'expired';
    is row($hs, 'Bearer ' . $hs->token), '201 204 401 401 405', 'a token of our own is none here';
    is row($hs, access_token($key, sub => 'noel', groups => ['sales'])), '201 204 403 403 405',
        'in another group';
    is row($hs, access_token($key, %agent)), '201 204 200 200 405', 'support';
    my $events = $hs->request(GET => '/help-support/1/history',
        headers => {Authorization => access_token($key, %agent)})->{json};
    is_deeply [map { $_->{by} } grep { $_->{event} eq 'status' } @$events], ['alice'], 'the name';
    is $hs->stop, 0;
};

done_testing;
