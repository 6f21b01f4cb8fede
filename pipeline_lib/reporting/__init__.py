"""Figures, contact sheets and pages."""
