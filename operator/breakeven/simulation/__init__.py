"""Days of simulated traffic through the operator's own decision code. Everything here is simulated, and says so."""
