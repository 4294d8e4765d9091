"""The sampling engine: the same model in PyMC, run by NUTS, under either generation of PyMC and ArviZ."""
