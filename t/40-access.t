# 40-access.t - who may do what: configuration x credential x operation, the contract's section 4.
# SPDX-License-Identifier: Apache-2.0
#
# The table stands below __END__. A block is a configuration and, below "---", what must come back:
#
#   === name              served at /name, unless "base> /path" says otherwise
#   lines for the <Location>, which has HelpSupport On, AuthName and the password files already
#   before> / after>      lines of the server, before or behind this <Location>
#   at> /path             where the requests go, if not to the base
#   ---
#   credential ... | submit options read write 405 404
#
# A cell is the status and, after a hyphen, which challenge comes with it (see label()).
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Compress::Zlib qw(crc32);
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha1_base64);
use HS qw(submission);
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep);

my $realm = 'Help & Support';

# ---- the table ----

my (@blocks, $block);
while (my $line = <DATA>) {
    chomp $line;
    next if $line =~ /^\s*(?:#|$)/;
    if ($line =~ /^=== (\S+)$/) {
        push @blocks, $block = {name => $1, base => "/$1", lines => '', before => '', after => ''};
    } elsif ($line eq '---') {
        $block->{at} //= $block->{base};
        $block->{rows} = [];
    } elsif ($block->{rows}) {
        my ($who, $cells) = split /\s*\|\s*/, $line;
        push @{$block->{rows}}, [[split ' ', $who], join ' ', split ' ', $cells];
    } elsif ($line =~ /^(base|at)> (\S+)$/) {
        $block->{$1} = $2;
    } elsif ($line =~ /^(before|after)> (.*)$/) {
        $block->{$1} .= "$2\n";
    } else {
        $block->{lines} .= "$line\n";
    }
}

sub location {
    my ($block) = @_;
    return <<"END";
$block->{before}<Location "$block->{base}">
    HelpSupport On
    HelpSupportSubmitLimit off
    AuthName "$realm"
    AuthUserFile desk.htpasswd
    AuthGroupFile desk.groups
$block->{lines}</Location>
$block->{after}
END
}

# ---- httpd, people, tokens ----

my $hs = HS->prepare(
    modules => [qw(access_compat auth_basic auth_digest authn_file authz_groupfile authz_host
        authz_user)],
    server => <<'END' . join('', map { location($_) } @blocks));
LogLevel debug
CustomLog logs/access.log "%u %m %U %>s"
LoadModule preset_module preset.so
<Location "/quoted">
    HelpSupport On
    AuthType Bearer
    AuthName "Desk \"north\""
    Require help-support
</Location>
<Location "/unnamed">
    HelpSupport On
    AuthType Bearer
    Require help-support
</Location>
<Location "/elsewhere">
    AuthType Bearer
    AuthName "Help & Support"
    Require help-support
</Location>
END

sub put_file {
    my ($name, $text) = @_;
    open my $out, '>', "$hs->{root}/$name" or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
}

my %password = (alice => 'a-secret', ina => 'i-secret', noel => 'n-secret');
put_file('desk.htpasswd', join '', map { "$_:{SHA}" . sha1_base64($password{$_}) . "=\n" }
    sort keys %password);
put_file('desk.htdigest', "alice:$realm:" . md5_hex("alice:$realm:$password{alice}") . "\n");
put_file('desk.groups', "support: alice\ninterns: ina\n");
HS::build_preset("$hs->{root}/preset.so");
$hs->launch;

sub new_token {
    my ($name, @words) = @_;
    my ($status, $out, $err) = $hs->ctl('token', 'create', $name, @words);
    die "token create $name: $err" if $status;
    chomp $out;
    return $out;
}

# A token as the contract defines it, of a secret that no database knows.
sub well_formed {
    my ($secret) = @_;
    my @alphabet = (0 .. 9, 'A' .. 'Z', 'a' .. 'z');
    my ($crc, $checksum) = (crc32($secret), '');
    for (1 .. 6) {
        $checksum = $alphabet[$crc % 62] . $checksum;
        $crc = int($crc / 62);
    }
    return "hst_$secret$checksum";
}

my %token = (
    full => $hs->token('write'),
    read => $hs->token('read'),
    unknown => well_formed('A' x 32),
    expired => new_token('expired', '--expires', '1s'),
    revoked => new_token('revoked'),
);
is((($hs->ctl('token', 'revoke', 'revoked'))[0]), 0, 'a token is revoked');
($token{checksum} = $token{full}) =~ s/(.)$/$1 eq 'x' ? 'y' : 'x'/e;
is well_formed(substr $token{full}, 4, 32), $token{full}, 'helpsupportctl makes such tokens';
sleep 1.1;    # "expired" lives one second

sub basic {
    my ($user, $password) = @_;
    return 'Basic ' . encode_base64("$user:$password", '');
}

my $full = $token{full};
my %headers = (
    none => {},
    (map { $_ => {Authorization => basic($_, $password{$_})} } keys %password),
    wrong => {Authorization => basic('alice', 'wrong')},
    stranger => {Authorization => basic('mallory', 'a-secret')},
    (map { $_ => {Authorization => "Bearer $token{$_}"} } keys %token),
    # the scheme in any case, any number of spaces
    'lower-case' => {Authorization => "bearer $full"},
    'upper-case' => {Authorization => "BEARER   $full  "},
    # scheme Bearer with anything but one token
    'no-token' => {Authorization => 'Bearer'},
    'short' => {Authorization => 'Bearer ' . substr $full, 0, -1},
    'long' => {Authorization => "Bearer ${full}x"},
    'two-tokens' => {Authorization => "Bearer $full $full"},
    'quoted' => {Authorization => qq(Bearer "$full")},
    'parameter' => {Authorization => "Bearer token=$full"},
    'comma' => {Authorization => "Bearer $full,"},
    'tab' => {Authorization => "Bearer\t$full"},
    'garbage' => {Authorization => q(Bearer %00../' OR 1=1 --)},
    'huge' => {Authorization => 'Bearer ' . 'x' x 7000},
    # two fields
    'twice' => {Authorization => ["Bearer $full", "Bearer $full"]},
    'bearer-basic' => {Authorization => ["Bearer $full", basic('alice', $password{alice})]},
    'basic-bearer' => {Authorization => [basic('alice', $password{alice}), "Bearer $full"]},
    'empty-bearer' => {Authorization => ['Bearer', basic('alice', $password{alice})]},
    # no bearer credentials at all
    'empty' => {Authorization => ''},
    'other-scheme' => {Authorization => "Token $full"},
    'no-scheme' => {Authorization => $full},
    'glued' => {Authorization => "Bearer$full"},
    'longer-scheme' => {Authorization => "BearerX $full"},
    'cookie' => {Cookie => "Authorization=Bearer $full; token=$full; access_token=$full"},
    'other-field' => {'X-Authorization' => "Bearer $full", 'Proxy-Authorization' => "Bearer $full"},
    # what another module put into the request
    'preset' => {'Preset-User' => 'alice'},
    'preset-basic' => {'Preset-User' => 'alice', 'Preset-Type' => 'Basic'},
    'preset-bearer' => {'Preset-User' => 'alice', 'Preset-Type' => 'Bearer'},
    'let-in' => {'Preset-Login' => 'alice'},
    'late' => {'Preset-User' => 'alice', 'Preset-Type' => 'ClientCert', 'Preset-Late' => 1},
);
my %group = (
    USERS => [qw(alice ina noel)],
    MALFORMED => [qw(no-token short long two-tokens quoted parameter comma tab garbage huge twice
        bearer-basic basic-bearer empty-bearer)],
    BARE => [qw(stranger empty other-scheme no-scheme glued longer-scheme cookie other-field)],
    INVALID => [qw(unknown checksum expired revoked)],
    PRESET => [qw(preset preset-basic preset-bearer)],
);
# Each configuration must say what becomes of these.
my @always = qw(none alice ina noel wrong full read revoked preset preset-basic preset-bearer late);
$group{ALL} = \@always;

# ---- requests and what they brought ----

my %challenge = (
    qq(Bearer realm="$realm") => 'bearer',
    qq(Bearer realm="$realm", error="invalid_token") => 'invalid',
    qq(Bearer realm="$realm", error="insufficient_scope", scope="write") => 'scope',
    qq(Bearer realm="$realm", error="insufficient_scope") => 'denied',
    qq(Basic realm="$realm") => 'basic',
);

# What makes an error the contract's: its section 2. Returns what is missing, or nothing.
sub flaw {
    my ($answer) = @_;
    my $headers = $answer->{headers};
    my $json = $answer->{json};
    return 'html' if ($headers->{'content-type'} // '') ne 'application/problem+json';
    return 'cache' if ($headers->{'cache-control'} // '') ne 'no-store';
    return 'sniff' if ($headers->{'x-content-type-options'} // '') ne 'nosniff';
    return 'json' unless $json && $json->{status} == $answer->{status} && $json->{title}
        && $json->{type} eq 'about:blank' && $json->{instance} =~ /^urn:request:./;
    return 'allow' if $answer->{status} == 405 && $headers->{allow} ne 'GET, HEAD, POST, OPTIONS';
    return;
}

sub label {
    my ($answer) = @_;
    my $status = $answer->{status};
    my $field = $answer->{headers}{'www-authenticate'};
    my $challenge;
    if (defined $field) {
        $field = join ' + ', @$field if ref $field;
        $challenge = $challenge{$field} // ($field =~ /^Digest realm="\Q$realm\E", nonce=/
            ? 'digest' : "($field)");
    }
    my $flaw = $status >= 400 ? flaw($answer) : undef;
    return join '-', grep { defined } $status, $challenge, $flaw;
}

my @operations = (
    [POST => '/u1', json => submission()],
    [OPTIONS => '/u1'],
    [GET => '/1'],
    [PATCH => '/1/status?status=pending'],
    [DELETE => '/1'],
    [GET => '/1/2/3'],
);

sub row {
    my ($base, $headers) = @_;
    my @cells;
    for my $operation (@operations) {
        my ($method, $path, @more) = @$operation;
        my $answer = $hs->request($method, "$base$path", headers => {%$headers}, @more);
        push @cells, label($answer);
    }
    return "@cells";
}

is $hs->post('/bearer/u1', submission())->{status}, 201, 'there is a ticket 1';

for my $block (@blocks) {
    my %done;
    subtest $block->{name} => sub {
        for my $row (@{$block->{rows}}) {
            my ($who, $expected) = @$row;
            for my $name (map { @{$group{$_} // [$_]} } @$who) {
                my $headers = $headers{$name} or die "no such credential: $name\n";
                is row($block->{at}, $headers), $expected, $name unless $done{$name}++;
            }
        }
        is_deeply [grep { !$done{$_} } @always], [], 'no credential is forgotten';
    };
}

# ---- what the table does not say ----

subtest 'every route that reads' => sub {
    for my $base ('/bearer', '/basic-groups', '/bearer-all-granted') {
        my $outside = $base eq '/basic-groups' ? '401-basic' : '401-bearer';
        my $inside = $headers{$base eq '/basic-groups' ? 'alice' : 'read'};
        for my $path ('', '/', '?limit=1', '/1', '/1/history', '/none', '/999', '?limit=x') {
            is label($hs->request(GET => "$base$path")), $outside, "GET $base$path";
            my $head = $hs->request(HEAD => "$base$path");
            is $head->{status}, 401, "HEAD $base$path";
            is $head->{body} // '', '', 'without a body';
        }
        is $hs->request(GET => "$base$_", headers => $inside)->{status}, 200, "GET $base$_"
            for '', '/', '?limit=1', '/1', '/1/history';
        is $hs->request(HEAD => "$base/1", headers => $inside)->{status}, 200, 'HEAD';
    }
};

subtest 'the name of whoever did it' => sub {
    my $answer = $hs->post('/bearer/u2', submission());
    my $path = "/$answer->{json}{id}";
    $hs->request(PATCH => "/bearer$path/status?status=resolved", headers => $headers{full});
    $hs->request(PATCH => "/basic-groups$path/status?status=closed", headers => $headers{alice});
    my $events = $hs->request(GET => "/bearer$path/history", headers => $headers{read})->{json};
    is_deeply [map { $_->{by} } grep { $_->{event} eq 'status' } @$events], ['t-write', 'alice'];
};

subtest 'realm' => sub {
    my $field = $hs->request(GET => '/quoted')->{headers}{'www-authenticate'};
    is $field, 'Bearer realm="Desk \"north\""', 'quotes are escaped';
    $field = $hs->request(GET => '/unnamed')->{headers}{'www-authenticate'};
    like $field, qr/^Bearer realm="[^"]+"$/, 'there is one without AuthName';
};

subtest 'digest' => sub {
    my $uri = '/digest/1';
    my $field = $hs->request(GET => $uri)->{headers}{'www-authenticate'};
    my ($nonce) = $field =~ /nonce="([^"]+)"/;
    my ($count, $client) = ('00000001', 'abcdef');
    for my $password ($password{alice}, 'wrong') {
        my $response = md5_hex(join ':', md5_hex("alice:$realm:$password"), $nonce, $count, $client,
            'auth', md5_hex("GET:$uri"));
        my $answer = $hs->request(GET => $uri, headers => {Authorization =>
            qq(Digest username="alice", realm="$realm", nonce="$nonce", uri="$uri", qop=auth, )
            . qq(nc=$count, cnonce="$client", response="$response", algorithm=MD5)});
        is label($answer), $password eq 'wrong' ? '401-digest' : 200;
        $count++;
    }
};

subtest 'outside a Location of ours' => sub {
    for my $name (qw(none full)) {
        my $answer = $hs->request(GET => '/elsewhere/1', headers => $headers{$name});
        is $answer->{status}, 403, "Require help-support grants nothing there: $name";
        unlike $answer->{body}, qr/jane\@example/;
    }
};

subtest 'the log says what to configure' => sub {
    my $log = $hs->log;
    like $log, qr/HS0020: no AuthType for \/noauth-help-support\/1: add AuthType Bearer/;
    like $log, qr/HS0023: refused: nothing has authenticated this request; set an AuthType/;
    like $log, qr/HS0021: unknown, expired or revoked token, digest [0-9a-f]{8}\b/;
};

is $hs->stop, 0, 'httpd ends';
unlike HS::slurp($_), qr/hst_\w{8}|[ai]-secret/, "no secret in $_"
    for glob "$hs->{root}/logs/*";

done_testing;

__END__
# ---- AuthType Bearer ----

=== bearer
AuthType Bearer
Require help-support
---
none wrong USERS BARE PRESET late   | 201 204 401-bearer  401-bearer  405 404
INVALID MALFORMED                   | 201 204 401-invalid 401-invalid 405 404
full lower-case upper-case          | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

=== bearer-all-granted
AuthType Bearer
Require all granted
---
none wrong USERS BARE PRESET late   | 201 204 401-bearer  401-bearer  405 404
INVALID MALFORMED                   | 201 204 401-invalid 401-invalid 405 404
full lower-case upper-case          | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

# mod_authz_core refuses everything itself, and its log line names the reason.
=== bearer-no-require
AuthType Bearer
---
ALL                                 | 500 500 500         500         500 500

# The administrator's word: nobody without a token, not even to submit.
=== bearer-valid-user
AuthType Bearer
Require valid-user
---
none wrong USERS late | 401-bearer  401-bearer  401-bearer  401-bearer  401-bearer  401-bearer
INVALID               | 401-invalid 401-invalid 401-invalid 401-invalid 401-invalid 401-invalid
full                  | 201         204         200         200         405         404
read                  | 201         204         200         403-scope   405         404
# to core a preset user is a user; reading and writing ask for more
PRESET                | 201         204         401-bearer  401-bearer  405         404

=== bearer-valid-user-submit
AuthType Bearer
Require help-support submit
Require valid-user
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
INVALID MALFORMED                   | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

=== bearer-submit-read
AuthType Bearer
Require help-support submit read
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full read                           | 201 204 200         403-denied  405 404

# No submissions here.
=== bearer-read-write
AuthType Bearer
Require help-support read WRITE
---
none wrong USERS PRESET late        | 403 204 401-bearer  401-bearer  405 404
revoked                             | 403 204 401-invalid 401-invalid 405 404
full                                | 403 204 200         200         405 404
read                                | 403 204 200         403-scope   405 404

=== bearer-write
AuthType Bearer
Require help-support submit write
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 403-denied  200         405 404
read                                | 201 204 403-denied  403-scope   405 404

=== bearer-user
AuthType Bearer
Require help-support submit
Require user t-write
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 403-denied  403-denied  405 404

=== bearer-not-user
AuthType Bearer
<RequireAll>
    Require help-support
    Require not user t-read
</RequireAll>
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 403-denied  403-denied  405 404

=== bearer-ip
AuthType Bearer
Require ip 127.0.0.1
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

=== bearer-ip-elsewhere
AuthType Bearer
Require ip 192.0.2.0/24
---
ALL                                 | 403 403 403         403         403 403

=== bearer-ip-too
AuthType Bearer
<RequireAll>
    Require ip 127.0.0.1
    Require help-support
</RequireAll>
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

=== bearer-ip-elsewhere-too
AuthType Bearer
<RequireAll>
    Require ip 192.0.2.0/24
    Require help-support
</RequireAll>
---
ALL                                 | 403 403 403         403         403 403

=== bearer-expr
AuthType Bearer
Require expr "%{REQUEST_METHOD} == 'GET'"
---
none wrong USERS PRESET late        | 403 403 401-bearer  403         403 404
revoked                             | 403 403 401-invalid 403         403 404
full read                           | 403 403 200         403         403 404

# Core asks nobody for anything here, so there is no proof.
=== bearer-satisfy-any
AuthType Bearer
Order allow,deny
Allow from all
Satisfy Any
Require help-support
---
ALL                                 | 201 204 403         403         405 404

=== bearer-satisfy-any-denied
AuthType Bearer
Order deny,allow
Deny from all
Satisfy Any
Require help-support
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

=== bearer-denied
AuthType Bearer
Order deny,allow
Deny from all
Require help-support
---
ALL                                 | 403 403 403         403         403 403

=== bearer-limit-post
AuthType Bearer
<Limit POST>
    Require help-support
</Limit>
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

=== bearer-limit-get
AuthType Bearer
<Limit GET>
    Require help-support
</Limit>
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

# ---- no AuthType ----

=== noauth-help-support
Require help-support
---
ALL unknown MALFORMED               | 201 204 403         403         405 404

=== noauth-words
Require help-support submit read write
---
ALL                                 | 201 204 403         403         405 404

=== noauth-all-granted
Require all granted
---
ALL                                 | 201 204 403         403         405 404

=== noauth-no-require
---
ALL                                 | 201 204 403         403         405 404

=== noauth-expr
Require expr true
---
ALL                                 | 201 204 403         403         405 404

=== noauth-submit
Require help-support submit
Require valid-user
---
ALL                                 | 201 204 403         403         405 404

# Nobody can become a valid user here.
=== noauth-valid-user
Require valid-user
---
none wrong USERS full read revoked late | 403 403 403 403 403 403
PRESET let-in                           | 201 204 403 403 405 404

=== authtype-none
AuthType None
Require help-support
---
ALL                                 | 201 204 403         403         405 404

# No module has it: core's 500, in our form.
=== authtype-unknown
AuthType Kerberos
Require help-support
---
ALL                                 | 201 204 500         500         405 404

# ---- AuthType Basic ----

=== basic-file
AuthType Basic
Require help-support submit
Require valid-user
---
none wrong stranger full read revoked late | 201 204 401-basic 401-basic 405 404
USERS                                      | 201 204 200       200       405 404
PRESET                                     | 201 204 403       403       405 404

# The README's.
=== basic-groups
AuthType Basic
AuthzSendForbiddenOnFailure On
Require help-support submit
Require group support
<RequireAll>
    Require help-support read
    Require group interns
</RequireAll>
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   405 404
alice                               | 201 204 200         200         405 404
ina                                 | 201 204 200         403         405 404
noel                                | 201 204 403         403         405 404
PRESET                              | 201 204 403         403         405 404

=== basic-groups-asked-again
AuthType Basic
Require help-support submit
Require group support
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   405 404
alice                               | 201 204 200         200         405 404
ina noel                            | 201 204 401-basic   401-basic   405 404
PRESET                              | 201 204 403         403         405 404

=== basic-interns
AuthType Basic
AuthzSendForbiddenOnFailure On
Require help-support submit
<RequireAll>
    Require help-support read
    Require group interns
</RequireAll>
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   405 404
PRESET                              | 201 204 401-basic   401-basic   405 404
ina                                 | 201 204 200         403         405 404
alice noel                          | 201 204 403         403         405 404

# Without words: submission alone, else everyone in a directory were an admin.
=== basic-bare
AuthType Basic
Require help-support
---
ALL                                 | 201 204 401-basic   401-basic   405 404

=== basic-bare-forbidden
AuthType Basic
AuthzSendForbiddenOnFailure On
Require help-support
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   405 404
PRESET                              | 201 204 401-basic   401-basic   405 404
USERS                               | 201 204 403         403         405 404

=== basic-all-granted
AuthType Basic
Require all granted
---
ALL                                 | 201 204 403         403         405 404

=== basic-no-require
AuthType Basic
---
ALL                                 | 500 500 500         500         500 500

=== basic-valid-user
AuthType Basic
Require valid-user
---
none wrong full read revoked late | 401-basic 401-basic 401-basic 401-basic 401-basic 401-basic
USERS                             | 201       204       200       200       405       404
PRESET                            | 201       204       403       403       405       404

=== basic-submit-read
AuthType Basic
AuthzSendForbiddenOnFailure On
Require help-support submit read
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   405 404
PRESET                              | 201 204 401-basic   401-basic   405 404
USERS                               | 201 204 200         403         405 404

=== basic-words
AuthType Basic
Require help-support submit read write
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   405 404
PRESET                              | 201 204 401-basic   401-basic   405 404
USERS                               | 201 204 200         200         405 404

=== basic-read
AuthType Basic
Require help-support read
---
none wrong full read revoked late   | 403 204 401-basic   401-basic   405 404
PRESET                              | 403 204 401-basic   401-basic   405 404
USERS                               | 403 204 200         401-basic   405 404

=== basic-ip
AuthType Basic
Require ip 127.0.0.1
---
ALL                                 | 201 204 403         403         405 404

=== basic-expr
AuthType Basic
Require expr true
---
ALL                                 | 201 204 403         403         405 404

=== basic-satisfy-any
AuthType Basic
Order allow,deny
Allow from all
Satisfy Any
Require help-support submit
Require valid-user
---
ALL                                 | 201 204 403         403         405 404

=== basic-satisfy-any-denied
AuthType Basic
Order deny,allow
Deny from all
Satisfy Any
Require help-support submit
Require valid-user
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   405 404
USERS                               | 201 204 200         200         405 404
PRESET                              | 201 204 403         403         405 404

# <Limit> leaves the other methods to anyone, and anyone is nobody here.
=== basic-limit-post
AuthType Basic
<Limit POST>
    Require help-support submit
</Limit>
---
ALL                                 | 201 204 403         403         405 404

=== basic-limit-get
AuthType Basic
<Limit GET>
    Require valid-user
</Limit>
---
none wrong full read revoked late   | 201 204 401-basic   403         405 401-basic
USERS                               | 201 204 200         403         405 404
PRESET                              | 201 204 403         403         405 404

=== basic-limitexcept
AuthType Basic
<LimitExcept POST OPTIONS>
    Require valid-user
</LimitExcept>
---
none wrong full read revoked late   | 201 204 401-basic   401-basic   401-basic 401-basic
USERS                               | 201 204 200         200         405       404
PRESET                              | 201 204 403         403         405       404

# ---- others ----

=== digest
AuthType Digest
AuthUserFile desk.htdigest
Require help-support submit
Require valid-user
---
none wrong USERS full read revoked late | 201 204 401-digest 401-digest 405 404
PRESET                                  | 201 204 403        403        405 404

# The README's: tokens for scripts, passwords for people.
=== if
<If "%{HTTP:Authorization} =~ /^Basic /">
    AuthType Basic
    Require help-support submit
    Require valid-user
</If>
<Else>
    AuthType Bearer
    Require help-support
</Else>
---
wrong stranger                      | 201 204 401-basic   401-basic   405 404
none BARE PRESET late               | 201 204 401-bearer  401-bearer  405 404
USERS                               | 201 204 200         200         405 404
INVALID no-token twice bearer-basic | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

# A child's rules replace its parent's ...
=== merging-off
before> <Location "/merging-off">
before>     Require ip 192.0.2.0/24
before> </Location>
base> /merging-off/desk
AuthType Bearer
Require help-support
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

# ... unless it says that both count.
=== merging-and
before> <Location "/merging-and">
before>     Require ip 192.0.2.0/24
before> </Location>
base> /merging-and/desk
AuthMerging And
AuthType Bearer
Require help-support
---
ALL                                 | 403 403 403         403         403 403

=== merging-and-inside
before> <Location "/merging-and-inside">
before>     Require ip 127.0.0.1
before> </Location>
base> /merging-and-inside/desk
AuthMerging And
AuthType Bearer
Require help-support
---
none wrong USERS PRESET late        | 201 204 401-bearer  401-bearer  405 404
revoked                             | 201 204 401-invalid 401-invalid 405 404
full                                | 201 204 200         200         405 404
read                                | 201 204 200         403-scope   405 404

# A place within may be stricter than the whole.
=== stricter-within
after> <Location "/stricter-within/1">
after>     Require all denied
after> </Location>
AuthType Bearer
Require help-support
---
none wrong USERS PRESET late full read revoked | 201 204 403 403 403 403

# Nothing of ours answers, and httpd's errors keep their form.
=== nested-off
at> /nested-off/off
after> <Location "/nested-off/off">
after>     HelpSupport Off
after> </Location>
AuthType Bearer
Require help-support
---
ALL | 403-html 403-html 403-html 403-html 403-html 403-html
