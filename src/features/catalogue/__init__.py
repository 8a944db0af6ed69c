"""The catalogues of the forces that ship: what is asked of their records, in words."""
