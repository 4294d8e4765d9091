"""What is computed of draws: estimands, decisions, ratings, and what data of this size can tell."""
