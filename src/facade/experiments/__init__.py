"""Questions that one run of the pipeline does not answer: several runs, in a clone, compared on the golden set."""
