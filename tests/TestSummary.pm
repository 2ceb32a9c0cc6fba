# What prove prints, what failed side by side, then loudly what was not run, then one line for person and machine: "N passed, N failed".
package TestSummary;
use strict;
use warnings;
use parent 'TAP::Formatter::File';

# Of tests that run side by side prove tells only which failed.
sub open_test {
    my ( $self, @test ) = @_;
    my $session = $self->SUPER::open_test(@test);
    bless $session, 'TestSummary::SideBySide' if $self->jobs > 1;
    return $session;
}

sub summary {
    my ( $self, $aggregate, @rest ) = @_;
    print map { "$_\n" } @{ $self->{wrong} // [] };
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

package TestSummary::SideBySide;
our @ISA = ('TAP::Formatter::Console::ParallelSession');    # loaded by who opens one

# Failures, and what is said about them, are kept for the end.
sub result {
    my ( $self, $result ) = @_;
    $self->{failing} = !$result->is_ok if $result->is_test;
    push @{ $self->formatter->{wrong} }, $self->name . ': ' . $result->raw
        if $self->{failing} && ( $result->is_test || $result->is_comment );
    return $self->SUPER::result($result);
}
1;
