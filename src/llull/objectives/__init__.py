"""Losses by which a policy learns from judgments: score x structure x link x regularisers x weights."""
