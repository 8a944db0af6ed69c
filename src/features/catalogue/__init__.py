"""The catalogues that ship: what is asked of a force's records, one module a force."""
