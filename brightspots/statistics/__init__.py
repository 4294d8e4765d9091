"""Statistics computed from posterior draws: estimands, decisions, ratings, detectable effects."""
