"""The integrating engine: proposal, exact weights, certificate, and effects dealt on demand."""
