# What prove prints, and then one line a person or a machine can read: "N passed, N failed".
package TestSummary;
use strict;
use warnings;
use parent 'TAP::Formatter::Console';

sub summary {
    my ($self, $aggregate, @rest) = @_;
    $self->SUPER::summary($aggregate, @rest);
    my $skipped = 0;
    for my $parser ($aggregate->parsers) {
        $skipped += $parser->skipped;
    }
    my $passed = $aggregate->passed - $aggregate->skipped;
    # A test program that died or broke its plan is a failure even when each of its lines said ok.
    my $failed = $aggregate->failed;
    for my $parser ($aggregate->parsers) {
        $failed++ if $parser->has_problems && !$parser->failed;
    }
    if ($passed + $failed == 0) {
        print "No test was run.\n";
        $failed = 1;
    }
    print "$passed passed, $failed failed\n";
    exit 1 if $failed;
}
1;
