"""The statistics of the verdict: pure, standard library only, knowing nothing else of the coordinator."""
