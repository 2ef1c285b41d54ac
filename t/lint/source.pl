#!/usr/bin/perl
# source.pl - what no compiler checks: layers, headers of others, names, sizes, banned functions.
# SPDX-License-Identifier: Apache-2.0
# Silent when all is well; else one line for each fault, and exit status 1.
use strict;
use warnings;

my $SRC = 'mod_helpsupport';
my ($MAX_FILE, $MAX_FUNCTION, $SKIN_LAYER) = (450, 60, 9);

# One foreign library, one place: which of our files may include which header.
my @FOREIGN = (
    [qr/^jansson\.h$/             => qr/^hs_json\.c$/],
    [qr/^curl\//                  => qr/^hs_smtp_link\.c$/],
    [qr/^idn2\.h$/                => qr/^hs_idn\.c$/],
    [qr/^uni(?!std)\w+\.h$/       => qr/^hs_utf8\.c$/],
    [qr/^apr_dbd\.h$/             => qr/^hs_(?:dialect\w*\.[ch]|db\.c|db_\w+\.[ch])$/],
    [qr/^sqlite3\.h$/             => qr/^hs_dialect_sqlite3\.c$/],
    [qr/^libpq-fe\.h$/            => qr/^hs_dialect_pgsql\.c$/],
    [qr/^dlfcn\.h$/               => qr/^hs_(?:dialect_pgsql|mysql_connect)\.c$/],
    [qr/^apr(?:_\w+)?\.h$/        => qr/./],
    [qr/^(?:assert|errno|fcntl|grp|inttypes|limits|poll|pthread|pwd|sched|semaphore|signal|stdarg|stdatomic|stddef|stdint|
            stdio|stdlib|string|strings|time|unistd)\.h$/x => qr/./],
    [qr/^(?:sys|netinet|arpa)\//  => qr/./],
);
my $HTTPD_HEADER = qr/^(?:httpd|http_\w+|ap_\w+|mod_\w+|util_\w+|unixd|scoreboard|mpm_common)\.h$/;

# Why each is banned: overruns (use apr_snprintf, apr_cpystrn), hidden state (strtok, gmtime), the
# locale or the time zone of the C library (is*, to*), no error (atoi); the apr_dbd ones crash or
# lie on a dead connection, curl_mime lets CRLF into a header, curl_multi serialises mails.
my $BANNED = join '|', qw(
    strcpy strcat sprintf vsprintf gets strtok strtok_r atoi atol atoll
    gmtime gmtime_r localtime localtime_r mktime strftime setlocale newlocale
    (?:apr_)?is(?:alpha|alnum|digit|xdigit|space|upper|lower|punct|print|cntrl|graph)
    (?:apr_)?to(?:upper|lower) strn?casecmp apr_strnatcasecmp
    apr_dbd_transaction_\w+ apr_dbd_check_conn curl_mime_\w+ curl_multi_\w+
);

my $faults = 0;

sub fault {
    my ($file, $line, $text) = @_;
    print "$file:$line: $text\n";
    $faults++;
}

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

# The text with comments and strings blanked out, its lines kept.
sub code_only {
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
              {my $blank = $1; $blank =~ s/[^\n]/ /g; $blank}gesx;
    return $text;
}

sub check_head {
    my ($path, $name, $lines, $is_ours) = @_;
    my $tag = $is_ours ? qr{^/\* \Q$name\E - layer \d+: \S} : qr{^/\* \Q$name\E - \S};
    fault($path, 1, 'the first line must be "/* ' . "$name - " . ($is_ours ? 'layer N: ' : '')
          . 'purpose. */"') unless $lines->[0] =~ $tag;
    fault($path, 2, 'no SPDX-License-Identifier after the first comment')
        unless grep { /^\/\* SPDX-License-Identifier: Apache-2\.0 \*\/$/ } @$lines[1 .. 3];
}

sub check_sizes {
    my ($path, $lines) = @_;
    fault($path, scalar @$lines, "longer than $MAX_FILE lines") if @$lines > $MAX_FILE;
    my ($start, $open);
    for my $i (0 .. $#$lines) {
        my $line = $lines->[$i];
        if ($line eq '{') {    # Linux braces: alone in column 0 only below a function's head
            $start = $i;
            $start-- while $start && $lines->[$start - 1] =~ /\S/ && $lines->[$start - 1] !~ /[;}\/]$/;
            $open = 1;
        } elsif ($open && $line eq '}') {
            my $length = $i - $start + 1;
            fault($path, $start + 1, "function of $length lines; $MAX_FUNCTION is the limit")
                if $length > $MAX_FUNCTION;
            $open = 0;
        }
    }
}

sub check_words {
    my ($path, $text, $code) = @_;
    my $number = 0;
    for my $line (split /\n/, $code) {
        $number++;
        fault($path, $number, "$1() is banned: see t/lint/source.pl")
            if $line =~ /(?<![\w.>])($BANNED)\s*\(/;
    }
    while ($text =~ /\b(TODO|FIXME|XXX)\b/g) {
        fault($path, 1 + (substr($text, 0, $-[0]) =~ tr/\n//), "$1: file an issue instead");
    }
}

# Of what is not ASCII httpd's log makes "\xe2\x80\xa6".
sub check_strings {
    my ($path, $text) = @_;
    while ($text =~ m{/\*.*?\*/|"((?:\\.|[^"\\\n])*)"|'(?:\\.|[^'\\\n])*'}gs) {
        my ($start, $string) = ($-[0], $1 // '');
        fault($path, 1 + (substr($text, 0, $start) =~ tr/\n//), 'a string that is not ASCII')
            if $string =~ /[^\x00-\x7F]/;
    }
}

sub is_foreign_allowed {
    my ($name, $header, $layer) = @_;
    return $layer >= $SKIN_LAYER && $name !~ /^(?:helpsupportctl|hs_ctl)/
        if $header =~ $HTTPD_HEADER;
    for my $rule (@FOREIGN) {
        return $name =~ $rule->[1] if $header =~ $rule->[0];
    }
    return 0;
}

sub check_includes {
    my ($path, $name, $lines, $layers) = @_;
    my ($stem) = $name =~ /^(\w+?)(?:_int)?\.[ch]$/;    # x_int.h: what the files of x share
    my $own = qr/^\Q$stem\E(?:_int)?\.h$/;
    my $seen = 0;
    for my $i (0 .. $#$lines) {
        my ($mark, $header) = $lines->[$i] =~ /^\s*#\s*include\s+([<"])([^>"]+)[>"]/ or next;
        if ($mark eq '<') {
            fault($path, $i + 1, "may not include <$header>")
                unless is_foreign_allowed($name, $header, $layers->{$name});
        } elsif ($header eq 'hs_sql.h') {
            fault($path, $i + 1, 'only hs_store*.c, hs_outbox*.c and hs_d*.c hold SQL')
                unless $name =~ /^hs_(?:store|outbox|db|dialect)\w*\.c$/;
        } elsif ($header !~ $own) {
            my $layer = $layers->{$header};
            fault($path, $i + 1, defined $layer
                ? "layer $layers->{$name} must not include $header, which is layer $layer"
                : "$header is no file of $SRC/")
                unless defined $layer && $layer < $layers->{$name};
        }
        fault($path, $i + 1, "its own header $stem.h comes first")
            if !$seen++ && $name =~ /\.c$/ && -e "$SRC/$stem.h" && $header ne "$stem.h";
    }
}

# Every prototype stands in a paragraph with a comment: what it does, pools, threads, errors.
sub check_documented {
    my ($path, $text) = @_;
    for my $paragraph (split /\n(?:[ \t]*\n)+/, $text) {
        next unless $paragraph =~ /^(?!typedef|static|#)\w[^;{}#]*?(\w+)\([^;{}]*\)[^;{}]*;/m;
        fault($path, 1, "$1() has no comment") unless $paragraph =~ m{/\*};
    }
}

sub check_guard {
    my ($path, $name, $text) = @_;
    (my $guard = uc $name) =~ s/\W/_/g;
    fault($path, 3, "the include guard must be $guard") unless $text =~ /^#ifndef $guard\n#define $guard\n/m;
}

my @ours = sort glob "$SRC/*.[ch]";
my @tests = sort glob 't/*/*.[ch]';
my (%layers, %tags);
for my $path (@ours) {
    my ($name) = $path =~ m{([^/]+)$};
    $layers{$name} = slurp($path) =~ m{\A/\* \S+ - layer (\d+):} ? $1 : -1;
}
for my $path (@ours, @tests) {
    my ($name) = $path =~ m{([^/]+)$};
    my $text = slurp($path);
    my @lines = split /\n/, $text;
    my $is_ours = exists $layers{$name} && $path =~ /^$SRC/;
    check_head($path, $name, \@lines, $is_ours);
    next unless $is_ours;
    check_sizes($path, \@lines);
    check_words($path, $text, code_only($text));
    check_strings($path, $text);
    check_includes($path, $name, \@lines, \%layers);
    if ($name =~ /\.h$/) {
        check_documented($path, $text);
        check_guard($path, $name, $text);
    }
    while ($text =~ /"(HS\d{4}):/g) {
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        fault($path, $line, "log tag $1 is also at $tags{$1}") if $tags{$1};
        $tags{$1} = "$path:$line";
    }
}
exit($faults ? 1 : 0);
