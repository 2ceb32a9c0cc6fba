# Prints what prove prints, then loudly what was not run, then one line for person and machine: "N passed, N failed".
package TestSummary;
use strict;
use warnings;
use parent 'TAP::Formatter::File';

sub summary {
    my ( $self, $aggregate, @rest ) = @_;
    $self->SUPER::summary( $aggregate, @rest );

    my ( $passed, $failed, @not_run ) = ( 0, scalar $aggregate->failed );
    for my $name ( $aggregate->descriptions ) {
        my ($parser) = $aggregate->parsers($name);

        my %skipped = map { $_ => 1 } $parser->skipped;
        $passed += grep { !$skipped{$_} } $parser->passed;

        # A program that died or broke its plan has failed even when each of its lines said ok.
        $failed++ if $parser->has_problems && !$parser->failed;
        push @not_run, "$name: " . $parser->skip_all if $parser->skip_all;
        push @not_run, "$name: tests " . join( ' ', $parser->skipped ) if $parser->skipped;
    }
    print map { "NOT RUN  $_\n" } @not_run;
    if ( $passed + $failed == 0 ) {
        print "No test was run.\n";
        $failed = 1;
    }
    print "$passed passed, $failed failed\n";
    exit 1 if $failed;
}
1;
