"""Studies too large for every test run, each with its seeds, its figure and whether it holds."""
