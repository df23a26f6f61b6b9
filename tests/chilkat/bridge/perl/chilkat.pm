# A stand-in for Chilkat's module: see ../serve.py.
package chilkat;
use strict;
use warnings;

open(my $asked, '>', $ENV{CHILKAT_ASK}) or die "no pipe to ask with: $!";
open(my $told, '<', $ENV{CHILKAT_TOLD}) or die "no pipe to be told by: $!";
{ my $before = select($asked); $| = 1; select($before); }

sub ask {
    print $asked join(' ', @_), "\n";
    my $answer = <$told>;
    chomp $answer;
    my ($letter, $rest) = (substr($answer, 0, 1), substr($answer, 1));
    die pack('H*', $rest), "\n" if $letter eq 'e';
    return undef if $letter eq 'n';
    return pack('H*', $rest) if $letter eq 's';
    return $rest unless $letter eq 'o';
    my ($number, $class) = split / /, $rest;
    return bless \$number, "chilkat::$class";
}

package chilkat::Object;
our $AUTOLOAD;

sub new { my $class = shift; $class =~ s/^chilkat:://; return chilkat::ask('new', $class); }

sub AUTOLOAD {
    my $self = shift;
    my $name = $AUTOLOAD;
    $name =~ s/.*:://;
    return if $name eq 'DESTROY';
    return chilkat::ask('call', $$self, $name, map { ref($_) ? "o$$_" : 's' . unpack('H*', $_) } @_);
}

for my $class (qw(Http HttpResponse JsonObject Rest WebSocket BinData Gzip StringBuilder Crypt2 DateTime)) {
    no strict 'refs';
    @{"chilkat::Ck${class}::ISA"} = ('chilkat::Object');
}

1;
